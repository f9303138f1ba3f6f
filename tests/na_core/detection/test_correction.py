"""Putting a detected box right pays: pictures come closer to the photo, and to what the scene shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from na_core.data.pairs import Pair, edit_pairs, frame_message
from na_core.data.scenes import Scene, scenes
from na_core.evaluation.evaluate import BENCH
from na_core.evaluation.metrics import psnr
from na_core.geometry.boxes import bounds_2d, box_matrix, source_quarter_turns
from na_core.model.checkpoints import load_checkpoint
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.scene import Box, Frame, Picture, Sampling

WRONG = box_matrix((0.12, 0.1, 0.08), (1.25, 0.8, 1.2), 0.3)
"""What a detector got wrong, in the box's own frame: place, dimensions and yaw."""

SIDE = 128
"""Pixels of the pictures, half of the bench's: boxes are judged here, not detail."""

SAMPLING = Sampling(width=SIDE, height=SIDE)


@pytest.fixture(scope="module")
def pipeline() -> NeuralAssetsPipeline:
    loaded = load_checkpoint("mini")
    loaded.register_to_config(plate_texture=False)  # it is slow, and the same whatever the boxes are
    return loaded


@pytest.fixture(scope="module")
def moved_scenes() -> list[Scene]:
    return [scene for scene in scenes(BENCH) if scene.labels.clip == "translate"][:3]


def picture(scene: Scene, number: int) -> Picture:
    """Return a scene's picture at this test's size."""
    return np.asarray(Image.fromarray(scene.picture(number)).resize((SIDE, SIDE), Image.Resampling.BOX))


def asked(scene: Scene) -> tuple[Pair, Frame, dict[str, Picture]]:
    """Return a scene's first edit, its message and the photos that it names."""
    pair = edit_pairs(scene)[0]
    frame, numbers = frame_message(scene, pair)
    return pair, frame, {sha256: picture(scene, number) for sha256, number in numbers.items()}


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
        _, frame, photos = asked(scene)
        unmoved = replace(
            frame,
            camera=frame.background.source_camera,
            assets=tuple(replace(item, box=item.asset.source_box) for item in frame.assets),
        )
        photo = photos[frame.background.photo.sha256]
        detected, corrected = pipeline([as_detected(unmoved), unmoved], photos, SAMPLING).images
        assert psnr(corrected, photo) >= psnr(detected, photo)


def test_moved_objects_come_closer_to_where_they_really_are(
    pipeline: NeuralAssetsPipeline, moved_scenes: list[Scene]
) -> None:
    gains = []
    for scene in moved_scenes:
        pair, frame, photos = asked(scene)
        truth = picture(scene, pair.target)
        detected, corrected = pipeline([as_detected(frame), frame], photos, SAMPLING).images
        gains.append(psnr(corrected, truth) - psnr(detected, truth))
    assert np.mean(gains) > 0.5
