"""Which pictures each suite asks for."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from na_core.data.labels import REQUESTED_KINDS, Edit
from na_core.data.pairs import Pair, frame_message
from na_core.data.scenes import Scene, scenes
from na_core.evaluation.evaluate import BENCH
from na_core.evaluation.suite_pairs import PAIR_SUITES, clip_pairs, is_half_turn, spread, suite_pairs
from na_core.geometry.boxes import box_matrix
from na_core.scene import Box


def relabelled(scene: Scene, **changes: object) -> Scene:
    return replace(scene, labels=replace(scene.labels, **changes))  # type: ignore[arg-type]


def ends(suite: str, scene: Scene) -> list[tuple[int, int]]:
    return [(pair.source, pair.target) for pair in suite_pairs(suite, scene)]


def test_the_names_of_the_suites() -> None:
    assert (
        *("video", "translate", "rotate", "turn180", "scale", "remove", "add"),
        *("camera", "background", "transfer", "duplicate", "orbit", "reconstruct"),
    ) == PAIR_SUITES


@pytest.mark.parametrize(
    ("suite", "targets"),
    {
        "translate": [1],
        "rotate": [2, 3],
        "turn180": [2],
        "scale": [4],
        "remove": [5],
        "add": [7],
        "camera": [8],
        "background": [10],
        "transfer": [11],
        "duplicate": [13],
        "orbit": [14],
        "video": [],
    }.items(),
)
def test_edits_come_from_any_scene_that_has_them(suite: str, targets: list[int], edits: Scene) -> None:
    assert ends(suite, edits) == [(0, target) for target in targets]


class TestVideo:
    def test_films_and_scenes_for_training_have_video_pairs(self, film: Scene) -> None:
        for clip, count in {"video": 8, "mixed": 8, "rotate": 0}.items():
            assert len(ends("video", relabelled(film, clip=clip))) == count

    def test_every_pair_from_the_first_frame_is_among_them(self, film: Scene) -> None:
        found = ends("video", film)
        assert found[:3] == [(0, 1), (0, 2), (0, 3)]
        assert len(set(found)) == 8
        assert all(source != 0 for source, _ in found[3:])

    def test_a_long_film_is_not_cut_short(self, film: Scene) -> None:
        long = relabelled(film, frames=film.labels.frames * 3)
        assert ends("video", long) == [(0, target) for target in range(1, 12)]

    def test_its_film_is_every_frame_from_the_first(self, film: Scene, edits: Scene) -> None:
        assert clip_pairs(film) == [Pair(0, i, 0) for i in range(4)]
        assert clip_pairs(relabelled(film, clip="mixed")) == []
        assert clip_pairs(edits) == []

    def test_a_film_without_depth_is_none(self, film: Scene) -> None:
        frames = (*film.labels.frames[:-1], replace(film.labels.frames[-1], depth=None))
        assert clip_pairs(relabelled(film, frames=frames)) == []

    def test_a_cut_ends_the_film(self, film: Scene) -> None:
        frames = (*film.labels.frames[:-1], replace(film.labels.frames[-1], stage=1))
        assert [pair.target for pair in clip_pairs(relabelled(film, frames=frames))] == [0, 1, 2]


class TestHalfTurns:
    @pytest.mark.parametrize(
        ("degrees", "half"),
        [(180, True), (179.2, True), (-180.8, True), (178, False), (0, False), (90, False)],
    )
    def test_180_degrees_to_one(self, degrees: float, half: bool, edits: Scene) -> None:
        turned = Box(box_matrix((-0.6, 3.6, 0.4), (0.7, 0.5, 0.8), 0.4 + math.radians(degrees)))
        frames = list(edits.labels.frames)
        frames[2] = replace(frames[2], boxes=(turned, *frames[2].boxes[1:]))
        scene = relabelled(edits, frames=tuple(frames))
        assert is_half_turn(scene, Pair(0, 2, 0, edit=Edit("rotate", 0, 2, None, 0))) == half

    def test_upside_down_is_no_turn_about_the_up_axis(self, edits: Scene) -> None:
        box = edits.labels.frames[0].boxes[0]
        assert box is not None
        over = box.world_from_box.copy()
        over[:3, 1:3] *= -1
        frames = list(edits.labels.frames)
        frames[2] = replace(frames[2], boxes=(Box(over), *frames[2].boxes[1:]))
        scene = relabelled(edits, frames=tuple(frames))
        assert not is_half_turn(scene, Pair(0, 2, 0, edit=Edit("rotate", 0, 2, None, 0)))

    def test_pairs_that_turn_nothing(self, edits: Scene) -> None:
        assert not is_half_turn(edits, Pair(0, 2, 0))
        assert not is_half_turn(edits, Pair(0, 5, 0, edit=Edit("remove", 0, 5, None, 1)))


def test_a_frame_is_asked_back_from_itself(edits: Scene) -> None:
    assert suite_pairs("reconstruct", edits) == [Pair(0, 0, 0), Pair(7, 7, 7)]


@pytest.mark.parametrize("clip", REQUESTED_KINDS)
def test_scenes_of_suites_that_came_later_are_not_asked_back(clip: str, edits: Scene) -> None:
    assert suite_pairs("reconstruct", relabelled(edits, clip=clip)) == []


def test_spread_keeps_the_order() -> None:
    assert spread(range(10), 3) == [0, 3, 6]
    assert spread(range(2), 3) == spread(range(2), None) == [0, 1]


def test_the_embedded_bench_has_scenes_for_every_suite() -> None:
    found = list(scenes(BENCH))
    counts = {suite: sum(bool(suite_pairs(suite, scene)) for scene in found) for suite in PAIR_SUITES}
    assert min(counts.values()) >= 5
    assert (counts["duplicate"], counts["orbit"]) == (5, 5)
    assert counts["reconstruct"] == 54


def test_what_a_copy_looks_like_is_told_by_the_photo_that_shows_the_original() -> None:
    for scene in scenes(BENCH):
        for pair in suite_pairs("duplicate", scene):
            frame, photos = frame_message(scene, pair)
            looks = [placed.asset.source_box for placed in frame.assets]
            assert len(photos) == 1
            assert len({box.to_json() for box in looks}) == len(looks) - 1
