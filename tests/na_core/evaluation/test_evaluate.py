"""From scenes to ``results.json``: its form, what the references score, and resuming."""

from __future__ import annotations

import inspect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from na_core.data.labels import load_labels
from na_core.data.pairs import pairs
from na_core.data.scenes import Scene, scene_folders
from na_core.evaluation import suites
from na_core.evaluation.evaluate import SUITES, main, spread
from na_core.evaluation.methods import Checkpoint, Copy, ProxyOnly
from na_core.evaluation.metrics import BEST_PSNR
from na_core.evaluation.suites import measure_video, photograph, reconstruct, scene_pairs
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.model.presets import build_pipeline
from na_core.scene import Frame

Picture = NDArray[np.uint8]
Results = dict[str, dict[str, dict[str, float]]]


class Oracle:
    """Knows the truth."""

    name = identity = "oracle"

    def __init__(self, scene: Scene) -> None:
        self._truths = [(pair.frame, pair.truth) for pair in scene_pairs(scene)]

    def render(
        self, frames: Sequence[Frame], photos: Mapping[str, Picture], width: int, height: int
    ) -> list[Picture]:
        return [next(truth for known, truth in self._truths if known == frame) for frame in frames]


@pytest.fixture
def scene(painted_scenes: Path) -> Scene:
    folder = scene_folders(painted_scenes)[0]
    return Scene(folder, load_labels(folder))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoints") / "small"
    build_pipeline("guided", "tiny").save_pretrained(folder)
    return folder


def results_of(file: Path) -> Results:
    found: Results = json.loads(file.read_text())["suites"]
    return found


class TestVideo:
    def test_the_truth_scores_the_best_of_everything(self, scene: Scene) -> None:
        scores = measure_video(Oracle(scene), scene)
        assert scores["image_psnr"] == scores["object_psnr"] == scores["unchanged_psnr"] == BEST_PSNR
        assert scores["object_ssim"] == pytest.approx(1.0)
        assert scores["sharpness"] == pytest.approx(1.0)
        assert scores["pairs"] == len(pairs(scene))

    def test_the_proxy_knows_more_than_the_copy(self, scene: Scene) -> None:
        copy, proxy = measure_video(Copy(), scene), measure_video(ProxyOnly(), scene)
        assert copy["object_psnr"] < proxy["object_psnr"] < BEST_PSNR
        assert copy["image_psnr"] < proxy["image_psnr"]

    def test_a_copy_leaves_unchanged_pixels_alone(self, scene: Scene) -> None:
        """Painted scenes have no shadows: outside all boxes nothing differs while the camera stands."""
        assert measure_video(Copy(), scene)["unchanged_psnr"] == BEST_PSNR

    def test_without_a_still_camera_nothing_counts_as_unchanged(
        self, make_scene: Callable[..., Path], tmp_path: Path
    ) -> None:
        cameras = [camera_of_photo(77, 64, 64, camera_height=h, pitch=0.35) for h in (1.5, 1.8)]
        box = box_matrix((0, 4, 0.4), (0.6, 0.6, 0.8))
        folder = make_scene(tmp_path / "s", cameras, [[box]] * 2, 64, 64)
        scores = measure_video(Copy(), Scene(folder, load_labels(folder)))
        assert "unchanged_psnr" not in scores
        assert "object_psnr" in scores

    def test_objects_are_averaged_and_not_pooled(
        self, make_scene: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One object right and one wrong: the mean of their PSNRs, whatever their sizes."""
        camera = camera_of_photo(77, 64, 64, camera_height=1.5, pitch=0.35)
        small, large = box_matrix((-1, 5, 0.2), (0.3, 0.3, 0.4)), box_matrix((0.6, 4, 0.5), (1, 1, 1))
        folder = make_scene(tmp_path / "s", [camera] * 2, [[small, large]] * 2, 64, 64)
        found = Scene(folder, load_labels(folder))

        class HalfRight(Oracle):
            def render(self, *arguments: Any) -> list[Picture]:
                picture = super().render(*arguments)[0].copy()
                x0, y0, x1, y1 = (round(v * 64) for v in found.labels.frames[0].boxes_2d[0])
                patch = picture[y0:y1, x0:x1]
                picture[y0:y1, x0:x1] = np.where(patch > 127, patch - 20, patch + 20)
                return [picture]

        scores = measure_video(HalfRight(found), found)
        wrong = 2 * scores["object_psnr"] - BEST_PSNR
        exact = 20 * math.log10(255 / 20)
        assert exact <= wrong < exact + 3  # the grown box holds some right pixels around the wrong ones

    def test_a_limit_spreads_over_the_pairs(self, scene: Scene) -> None:
        every = [(p.source, p.target) for p in scene_pairs(scene)]
        assert every == pairs(scene)
        assert [(p.source, p.target) for p in scene_pairs(scene, 2)] == [every[0], every[len(every) // 2]]

    def test_a_scene_without_usable_pairs_scores_nothing(
        self, make_scene: Callable[..., Path], tmp_path: Path
    ) -> None:
        camera = camera_of_photo(77, 64, 64, camera_height=1.5, pitch=0.35)
        folder = make_scene(tmp_path / "s", [camera], [[box_matrix((0, 4, 0.4), (0.6, 0.6, 0.8))]], 64, 64)
        assert measure_video(Copy(), Scene(folder, load_labels(folder))) == {}


class TestVae:
    def test_photographs_are_real_colour_squares(self) -> None:
        found = [photograph(name) for name in suites.PHOTOGRAPHS]
        assert all(p.shape == (256, 256, 3) and p.std() > 20 for p in found)

    @pytest.mark.parametrize("size", [(64, 64), (50, 70), (3, 9)])
    def test_any_size_comes_back(self, size: tuple[int, int], checkpoint: Path) -> None:
        pipeline: NeuralAssetsPipeline = Checkpoint(checkpoint).pipeline
        picture = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
        assert reconstruct(pipeline, picture).shape == (*size, 3)


class TestResults:
    def test_the_form_of_the_file(self, painted_scenes: Path, checkpoint: Path, tmp_path: Path) -> None:
        file = main([checkpoint], ["all"], painted_scenes, None, tmp_path / "out", preset="standard")
        assert file == tmp_path / "out" / "results.json"
        text = json.loads(file.read_text())
        assert set(text) == {"suites"}
        results = results_of(file)
        assert set(results) == set(SUITES)
        assert list(results["video"]) == ["copy", "proxy", "small"]
        for scores in results["video"].values():
            assert set(scores) == {
                *("image_psnr", "object_psnr", "object_ssim", "unchanged_psnr"),
                *("sharpness", "scenes", "pairs"),
            }
            assert scores["scenes"] == 2
            assert scores["pairs"] == 12
        assert set(results["vae"]["small"]) == {"image_psnr", "photograph_psnr", "scenes"}
        assert 3 < results["vae"]["small"]["photograph_psnr"] < 30
        # One step of an untrained pipeline is the proxy.
        assert results["video"]["small"]["image_psnr"] == pytest.approx(
            results["video"]["proxy"]["image_psnr"], abs=0.01
        )
        sheet = Image.open(tmp_path / "out" / "sheet.png")
        assert sheet.width > 5 * 200
        assert sheet.height > 2 * 200

    def test_a_scene_counts_once_however_many_pairs_it_has(
        self, painted_scenes: Path, tmp_path: Path
    ) -> None:
        file = main(suites=["video"], scenes=painted_scenes, out=tmp_path, sheet_rows=1)
        each = [measure_video(Copy(), Scene(f, load_labels(f))) for f in scene_folders(painted_scenes)]
        expected = sum(scores["image_psnr"] for scores in each) / 2
        assert results_of(file)["video"]["copy"]["image_psnr"] == pytest.approx(expected)

    def test_metrics_that_do_not_apply_are_absent(
        self, make_scene: Callable[..., Path], tmp_path: Path
    ) -> None:
        cameras = [camera_of_photo(77, 64, 64, camera_height=h, pitch=0.35) for h in (1.5, 1.8)]
        box = box_matrix((0, 4, 0.4), (0.6, 0.6, 0.8))
        make_scene(tmp_path / "test" / "s", cameras, [[box]] * 2, 64, 64)
        file = main(suites=["video"], scenes=tmp_path / "test", out=tmp_path / "out")
        assert "unchanged_psnr" not in results_of(file)["video"]["copy"]

    def test_a_limit_spreads_over_the_scenes(
        self, scene: Scene, painted_scenes: Path, tmp_path: Path
    ) -> None:
        file = main(suites=["video"], scenes=painted_scenes, limit=1, out=tmp_path, pair_limit=2)
        assert results_of(file)["video"]["proxy"]["scenes"] == 1
        assert results_of(file)["video"]["proxy"]["pairs"] == 2
        assert spread([scene] * 5, 2) == [scene] * 2

    def test_the_command_line_calls_it(self) -> None:
        from server.commands import evaluate

        options = set(inspect.signature(evaluate).parameters)
        assert {"checkpoint", "suite", "scenes", "limit", "out"} <= options
        assert {"checkpoints", "suites", "scenes", "limit", "out"} <= set(inspect.signature(main).parameters)


class TestResuming:
    def test_what_is_measured_is_not_measured_again(
        self, painted_scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = main(suites=["video"], scenes=painted_scenes, out=tmp_path).read_text()
        record = tmp_path / "measurements.jsonl"
        lines = record.read_text().splitlines(keepends=True)
        assert len(lines) == 4
        record.write_text("".join(lines[:2]) + lines[2][:30])  # killed while it wrote the third
        rendered = []
        render = ProxyOnly.render
        monkeypatch.setattr(ProxyOnly, "render", lambda *a: rendered.append(1) or render(*a))
        assert main(suites=["video"], scenes=painted_scenes, out=tmp_path, sheet_rows=0).read_text() == first
        assert len(rendered) == 12
        rendered.clear()
        assert main(suites=["video"], scenes=painted_scenes, out=tmp_path, sheet_rows=0).read_text() == first
        assert rendered == []

    def test_another_sampling_is_measured_anew(
        self, painted_scenes: Path, checkpoint: Path, tmp_path: Path
    ) -> None:
        def run(preset: str, seed: int) -> float:
            file = main(
                [checkpoint],
                ["video"],
                painted_scenes,
                1,
                tmp_path,
                preset=preset,
                seed=seed,
                pair_limit=1,
                sheet_rows=0,
            )
            return results_of(file)["video"]["small"]["image_psnr"]

        scores = {run("standard", 0), run("high", 0), run("high", 1)}
        assert len(scores) == 3


class TestErrors:
    def test_an_unknown_suite(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match=r"no suite 'vidio'\. Choose from video"):
            main(suites=["vidio"], out=tmp_path)

    def test_no_scenes(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="neural-assets dataset render"):
            main(scenes=tmp_path, out=tmp_path)

    def test_two_methods_of_one_name(self, painted_scenes: Path, checkpoint: Path, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="Two methods are called 'small'"):
            main([checkpoint, checkpoint], ["video"], painted_scenes, None, tmp_path)

    def test_a_missing_checkpoint(self, painted_scenes: Path, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="no checkpoint"):
            main([tmp_path / "none"], ["video"], painted_scenes, None, tmp_path)
