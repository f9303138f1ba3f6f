"""Validation measures held-out pairs with the bench's metrics, and changes nothing that trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from na_core.data.labels import Edit
from na_core.data.scenes import scenes
from na_core.evaluation.learned import LearnedMetrics
from na_core.evaluation.scoring import score
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.model.presets import build_pipeline
from na_core.training.errors import TrainingError
from na_core.training.run_log import RunLog
from na_core.training.tables import ValidationConfig
from na_core.training.validation import REPORTED, Validation, held_out_pairs
from tests.na_core.training.conftest import equal, weights


@pytest.fixture
def log(tmp_path: Path) -> RunLog:
    return RunLog(tmp_path, 0)


def test_the_scores_are_the_benchs(painted_scenes: Path, tmp_path: Path, log: RunLog) -> None:
    validation = Validation(
        ValidationConfig(scenes=painted_scenes, every=1, pairs=3),
        build_pipeline("guided", "tiny"),
        tmp_path / "s",
    )
    found = validation(5, log)["validation"]
    assert found.keys() == {"model", "copy", "proxy"}
    copies = []
    for scene, pair in held_out_pairs(list(scenes(painted_scenes)), 3):
        source, truth = (scene.picture(i) for i in (pair.source, pair.target))
        copies.append(score("video", scene, pair, source, source, truth, LearnedMetrics()))
    for name in REPORTED[:2]:
        assert found["copy"][name] == pytest.approx(np.mean([scores[name] for scores in copies]))
    # Untrained, one step of the tiny model returns the proxy.
    assert found["model"]["object_psnr"] == pytest.approx(found["proxy"]["object_psnr"], abs=0.05)
    assert found["proxy"]["object_psnr"] > found["copy"]["object_psnr"]
    with Image.open(tmp_path / "s" / "step-00000005.png") as sheet:
        assert sheet.height > sheet.width / 4  # a row for each pair


def test_it_leaves_weights_modes_and_random_numbers_alone(
    painted_scenes: Path, tmp_path: Path, log: RunLog
) -> None:
    pipeline = build_pipeline("guided", "tiny")
    pipeline.unet.train()
    before = weights(pipeline.unet, pipeline.encoder)
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    Validation(ValidationConfig(scenes=painted_scenes, every=1, pairs=1), pipeline, tmp_path / "s")(1, log)
    assert torch.equal(torch.rand(3), expected)
    assert equal(weights(pipeline.unet, pipeline.encoder), before)
    assert pipeline.unet.training
    assert not pipeline.encoder.training


def test_it_sees_new_weights(painted_scenes: Path, tmp_path: Path, log: RunLog) -> None:
    pipeline = build_pipeline("guided", "tiny")
    config = ValidationConfig(scenes=painted_scenes, every=1, pairs=1, sheet_pairs=0)
    validation = Validation(config, pipeline, tmp_path / "s")
    first = validation(1, log)["validation"]["model"]
    with torch.no_grad():
        pipeline.unet.conv_out.bias.fill_(1.0)
    assert validation(2, log)["validation"]["model"] != first
    assert not (tmp_path / "s").exists()


class TestWhichPairs:
    def test_spread_over_scenes_and_always_the_same(self, painted_scenes: Path) -> None:
        found = list(scenes(painted_scenes))
        held = held_out_pairs(found, 4)
        assert [scene.name for scene, _ in held] == ["00000000"] * 2 + ["00000001"] * 2
        assert len({(scene.name, pair) for scene, pair in held}) == 4
        assert held == held_out_pairs(found, 4)
        assert len(held_out_pairs(found, 1)) == 1
        assert len(held_out_pairs(found, 100)) == 12

    def test_edits_are_among_them(self, make_scene: Callable[..., Path], tmp_path: Path) -> None:
        camera = camera_of_photo(77, 64, 64, camera_height=1.5, pitch=0.35)
        first, second = (box_matrix((x, 4, 0.4), (0.6, 0.6, 0.8)) for x in (-0.7, 0.7))
        edit = Edit("translate", 0, 1, None, 0)
        folder = make_scene(
            tmp_path / "s" / "a", [camera] * 2, [[first, None], [second, None]], 64, 64, edits=[edit]
        )
        ((_, pair),) = held_out_pairs(list(scenes(folder)), 1)
        assert pair.edit == edit

    def test_none_at_all(self, make_scene: Callable[..., Path], tmp_path: Path) -> None:
        camera = camera_of_photo(77, 64, 64, camera_height=1.5, pitch=0.35)
        make_scene(tmp_path / "s" / "a", [camera], [[box_matrix((0, 4, 0.4), (0.6, 0.6, 0.8))]], 64, 64)
        config = ValidationConfig(scenes=tmp_path / "s", every=1)
        with pytest.raises(TrainingError, match="no scene has a pair to validate on"):
            Validation(config, build_pipeline("guided", "tiny"), tmp_path / "x")
