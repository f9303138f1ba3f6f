"""What a result scores: which pixels count for which metric, and which metrics do not apply."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from na_core.data.pairs import Pair
from na_core.data.scenes import Scene, load_scene
from na_core.evaluation.learned import LearnedMetrics
from na_core.evaluation.metrics import MAX_PSNR, grown, touched
from na_core.evaluation.scores import Scores, mean_scores
from na_core.evaluation.scoring import changed_objects, edited_crops, score, shown_objects
from na_core.evaluation.suite_pairs import PAIR_SUITES, suite_pairs
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.scene import Picture

Change = Callable[[Pair, Picture], Picture]

EDIT_SUITES = tuple(suite for suite in PAIR_SUITES if suite not in ("video", "reconstruct"))


def scored(suite: str, scene: Scene, change: Change | None = None) -> Scores:
    """Return what the truth, or a change of it, scores on a suite's first pair."""
    pair = suite_pairs(suite, scene)[0]
    truth = scene.picture(pair.target)
    result = truth if change is None else change(pair, truth.copy())
    return score(suite, scene, pair, result, scene.picture(pair.source), truth, LearnedMetrics())


def spoilt(scene: Scene, where: Callable[[Pair], list[tuple[int, int]]]) -> Change:
    """Return a change that spoils the grown 2D boxes of (frame, object)."""

    def change(pair: Pair, picture: Picture) -> Picture:
        boxes = [grown(scene.labels.frames[frame].boxes_2d[i]) for frame, i in where(pair)]
        picture[touched(boxes, *picture.shape[1::-1])] ^= 128
        return picture

    return change


@pytest.mark.parametrize("suite", EDIT_SUITES)
def test_the_truth_scores_the_best_of_everything(suite: str, edits: Scene) -> None:
    for name, value in scored(suite, edits).items():
        assert value == pytest.approx(MAX_PSNR if name.endswith("psnr") else 1), name


METRICS = {
    "translate": {"object_psnr", "vacated_psnr", "unchanged_psnr"},
    "rotate": {"object_psnr", "unchanged_psnr"},
    "turn180": {"object_psnr", "unchanged_psnr", "right_way"},
    "scale": {"object_psnr", "vacated_psnr", "unchanged_psnr"},
    "remove": {"vacated_psnr", "unchanged_psnr"},
    "add": {"object_psnr", "unchanged_psnr"},
    "camera": {"object_psnr"},
    "background": {"object_psnr"},
    "transfer": {"object_psnr", "vacated_psnr", "unchanged_psnr"},
    "duplicate": {"object_psnr", "unchanged_psnr"},
    "orbit": {"object_psnr"},
    "reconstruct": {"object_psnr"},
}
"""Beside the picture's own. The painted rotation uncovers too little to be measured."""


@pytest.mark.parametrize("suite", METRICS)
def test_what_does_not_apply_is_absent(suite: str, edits: Scene) -> None:
    expected = {"image_psnr", "image_ssim", "image_sharpness", "edges_psnr"} | METRICS[suite]
    expected |= set() if suite == "reconstruct" else {"holes_psnr"}
    expected |= {"object_ssim"} & {name.replace("psnr", "ssim") for name in expected}
    assert set(scored(suite, edits)) - {"sharpness"} == expected


def test_crops_below_16_pixels_have_no_sharpness(edits: Scene) -> None:
    assert "sharpness" in scored("translate", edits)
    assert "sharpness" not in scored("scale", edits)


class TestObjects:
    @pytest.mark.parametrize(
        ("suite", "shown"),
        {
            "translate": [0],
            "rotate": [0],
            "turn180": [0],
            "scale": [1],
            "remove": [],
            "add": [2],
            "camera": [0, 1],
            "background": [0, 1],
            "transfer": [2],
            "duplicate": [3],
            "orbit": [0, 1],
            "reconstruct": [0, 1],
        }.items(),
    )
    def test_edits_measure_the_edited_or_new_one_and_others_all(
        self, suite: str, shown: list[int], edits: Scene
    ) -> None:
        assert shown_objects(suite, edits, suite_pairs(suite, edits)[0]) == shown

    def test_a_film_measures_all(self, film: Scene) -> None:
        assert shown_objects("video", film, suite_pairs("video", film)[0]) == [0, 1]

    def test_only_the_edited_objects_crop_counts(self, edits: Scene) -> None:
        other = scored("translate", edits, spoilt(edits, lambda pair: [(pair.target, 1)]))
        own = scored("translate", edits, spoilt(edits, lambda pair: [(pair.target, 0)]))
        assert own["object_psnr"] < 8 < other["object_psnr"]

    def test_objects_are_averaged_and_not_pooled(
        self, make_scene: Callable[..., Path], tmp_path: Path
    ) -> None:
        """One object right and one wrong: the mean of their PSNRs, whatever their sizes."""
        camera = camera_of_photo(77, 64, 64, camera_height=1.5, pitch=0.35)
        small, large = box_matrix((-1, 5, 0.2), (0.3, 0.3, 0.4)), box_matrix((0.6, 4, 0.5), (1, 1, 1))
        scene = load_scene(make_scene(tmp_path / "s", [camera] * 2, [[small, large]] * 2, 64, 64))

        def half_right(pair: Pair, picture: Picture) -> Picture:
            x0, y0, x1, y1 = (round(v * 64) for v in scene.labels.frames[0].boxes_2d[0])
            patch = picture[y0:y1, x0:x1]
            picture[y0:y1, x0:x1] = np.where(patch > 127, patch - 20, patch + 20)
            return picture

        wrong = 2 * scored("video", scene, half_right)["object_psnr"] - MAX_PSNR
        exact = 20 * math.log10(255 / 20)
        assert exact <= wrong < exact + 3  # the grown box holds some right pixels around the wrong ones


class TestRegions:
    @pytest.mark.parametrize("suite", ["translate", "remove"])
    def test_vacated_is_where_the_object_was_and_is_not(self, suite: str, edits: Scene) -> None:
        pair = suite_pairs(suite, edits)[0]
        number = changed_objects(edits, pair)[0]
        was = scored(suite, edits, spoilt(edits, lambda pair: [(pair.source, number)]))
        now = scored(suite, edits, spoilt(edits, lambda pair: [(pair.target, number)]))
        assert was["vacated_psnr"] < 8
        assert now["vacated_psnr"] == MAX_PSNR

    @pytest.mark.parametrize(
        "suite", ["translate", "rotate", "scale", "remove", "add", "transfer", "duplicate"]
    )
    def test_unchanged_is_outside_both(self, suite: str, edits: Scene) -> None:
        def both(pair: Pair) -> list[tuple[int, int]]:
            return [(f, i) for f in (pair.source, pair.target) for i in changed_objects(edits, pair)]

        assert scored(suite, edits, spoilt(edits, both))["unchanged_psnr"] == MAX_PSNR

        def everywhere_else(pair: Pair, picture: Picture) -> Picture:
            return 255 - spoilt(edits, both)(pair, picture)

        assert scored(suite, edits, everywhere_else)["unchanged_psnr"] < 12

    def test_a_moving_camera_leaves_nothing_unchanged(self, film: Scene) -> None:
        assert "unchanged_psnr" not in scored("video", film)

    def test_a_film_with_a_still_camera_has_unchanged_pixels(self, painted_scenes: Path) -> None:
        scene = load_scene(painted_scenes / "00000000")
        scores = scored("video", scene)
        assert scores["unchanged_psnr"] == MAX_PSNR
        assert changed_objects(scene, suite_pairs("video", scene)[0]) == [0, 1]


class TestRightWay:
    def test_the_source_is_the_wrong_way_round(self, edits: Scene) -> None:
        assert scored("turn180", edits)["right_way"] == 1
        assert scored("turn180", edits, lambda pair, _: edits.picture(pair.source))["right_way"] == 0

    def test_the_nearer_counts_and_only_at_the_object(self, edits: Scene) -> None:
        def mixed(share: float) -> float:
            def change(pair: Pair, truth: Picture) -> Picture:
                source = edits.picture(pair.source)
                mixture = np.rint(share * truth + (1 - share) * source).astype(np.uint8)
                mixture[:5] = source[:5] ^ 255
                return mixture

            return scored("turn180", edits, change)["right_way"]

        assert [mixed(share) for share in (0.3, 0.45, 0.55, 0.7)] == [0, 0, 1, 1]


def test_learned_metrics_join_where_they_are_available(edits: Scene) -> None:
    pair = suite_pairs("camera", edits)[0]
    truth = edits.picture(pair.target)
    crops: list[tuple[int, ...]] = []
    learned = LearnedMetrics(lpips=lambda a, b: 0.25, dino=lambda a, b: crops.append(a.shape) or 0.5)
    scores = score("camera", edits, pair, truth, truth, truth, learned)
    assert (scores["lpips"], scores["dino"]) == (0.25, 0.5)
    assert len(crops) == 2
    assert all(shape < truth.shape for shape in crops)


class TestPerceptual:
    @pytest.mark.parametrize("suite", EDIT_SUITES)
    def test_it_is_of_crops_of_what_is_edited(self, suite: str, edits: Scene) -> None:
        pair = suite_pairs(suite, edits)[0]
        truth = edits.picture(pair.target)
        crops: list[tuple[int, ...]] = []
        learned = LearnedMetrics(perceptual=lambda a, b: crops.append(a.shape) or 0.1 * len(crops))
        scores = score(suite, edits, pair, truth, truth, truth, learned)
        crops = [shape for shape in crops if shape != truth.shape]  # what holes are compared in
        count = max(1, len(shown_objects(suite, edits, pair)))
        assert len(crops) == count
        assert scores["perceptual"] == pytest.approx(0.1 * (count + 1) / 2)
        assert [truth[crop].shape for crop in edited_crops(suite, edits, pair)] == crops

    def test_of_a_removed_object_it_is_where_it_was(self, edits: Scene) -> None:
        pair = suite_pairs("remove", edits)[0]
        number = changed_objects(edits, pair)[0]
        x0, y0, x1, y1 = (round(64 * side) for side in edits.labels.frames[pair.source].boxes_2d[number])
        (rows, columns), *others = edited_crops("remove", edits, pair)
        assert not others
        assert (rows.start, columns.start) == (y0 - 1, x0 - 1)
        assert (rows.stop, columns.stop) == (y1 + 1, x1 + 1)

    @pytest.mark.parametrize("suite", ["video", "reconstruct"])
    def test_what_is_no_edit_has_none(self, suite: str, film: Scene) -> None:
        pair = suite_pairs(suite, film)[0]
        truth = film.picture(pair.target)
        learned = LearnedMetrics(perceptual=lambda a, b: 0.5)
        assert "perceptual" not in score(suite, film, pair, truth, truth, truth, learned)


def test_ratios_are_averaged_geometrically() -> None:
    assert mean_scores([{"sharpness": 2.0, "image_psnr": 20}, {"sharpness": 0.5, "image_psnr": 30}]) == {
        "sharpness": pytest.approx(1),
        "image_psnr": 25,
    }
    assert mean_scores([{"warp_ratio": 4.0}, {}]) == {"warp_ratio": 4.0}
