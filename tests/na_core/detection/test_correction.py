"""Putting a detected box right pays: pictures come closer to the photo, and to what the scene shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from na_core.data.pairs import edit_pairs, frame_message
from na_core.data.scenes import Scene, scenes
from na_core.evaluation.evaluate import BENCH
from na_core.evaluation.metrics import psnr
from na_core.geometry.boxes import bounds_2d, box_matrix, source_quarter_turns
from na_core.model.checkpoints import load_checkpoint
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.scene import Box, Frame, Sampling

WRONG = box_matrix((0.12, 0.1, 0.08), (1.25, 0.8, 1.2), 0.3)
"""What a detector got wrong, in the box's own frame: place, dimensions and yaw."""


@pytest.fixture(scope="module")
def pipeline() -> NeuralAssetsPipeline:
    pipeline = load_checkpoint("mini")
    pipeline.register_to_config(plate_texture=False)  # it takes seconds a photo, and plays no part here
    return pipeline


@pytest.fixture(scope="module")
def moved_scenes() -> list[Scene]:
    return [scene for scene in scenes(BENCH) if scene.labels.clip == "translate"][:3]


def as_detected(frame: Frame) -> Frame:
    """Return a frame all of whose boxes are wrong, where the photo shows them and where they stand now."""

    def wrong(box: Box) -> Box:
        return Box(box.world_from_box @ WRONG)

    placed = []
    for item in frame.assets:
        source = wrong(item.asset.source_box)
        camera = item.asset.source_camera
        asset = replace(
            item.asset,
            source_box=source,
            source_box_2d=bounds_2d(camera, source),
            quarter_turns=source_quarter_turns(source, camera),
        )
        placed.append(replace(item, asset=asset, box=wrong(item.box)))
    hidden = tuple(wrong(box) for box in frame.background.hidden_boxes)
    return replace(frame, assets=tuple(placed), background=replace(frame.background, hidden_boxes=hidden))


def test_in_the_source_pose_the_picture_is_at_least_as_close_to_the_photo(
    pipeline: NeuralAssetsPipeline, moved_scenes: list[Scene]
) -> None:
    for scene in moved_scenes:
        frame, numbers = frame_message(scene, edit_pairs(scene)[0])
        photos = {sha256: scene.picture(number) for sha256, number in numbers.items()}
        unmoved = replace(
            frame,
            camera=frame.background.source_camera,
            assets=tuple(replace(item, box=item.asset.source_box) for item in frame.assets),
        )
        photo = photos[frame.background.photo.sha256]
        detected, corrected = pipeline([as_detected(unmoved), unmoved], photos, Sampling()).images
        assert psnr(corrected, photo) >= psnr(detected, photo)


def test_moved_objects_come_closer_to_where_they_really_are(
    pipeline: NeuralAssetsPipeline, moved_scenes: list[Scene]
) -> None:
    gains = []
    for scene in moved_scenes:
        pair = edit_pairs(scene)[0]
        frame, numbers = frame_message(scene, pair)
        photos = {sha256: scene.picture(number) for sha256, number in numbers.items()}
        truth = scene.picture(pair.target)
        detected, corrected = pipeline([as_detected(frame), frame], photos, Sampling()).images
        gains.append(psnr(corrected, truth) - psnr(detected, truth))
    assert np.mean(gains) > 0.5
