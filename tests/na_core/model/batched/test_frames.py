"""Frames as tensors."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch

from na_core.model.batched.frames import frame_batch
from na_core.scene import Frame

Stage = Any  # of conftest


def test_assets_point_to_the_box_and_the_photo_that_they_come_from(several: Stage) -> None:
    batch = several.batch(slots=7)
    names = list(several.photos)
    for row, frame in enumerate(several.frames):
        assert names[batch.photo[row, 0]] == frame.background.photo.sha256
        assert batch.present[row].sum() == len(frame.assets)
        for slot, placed in enumerate(frame.assets):
            asset = placed.asset
            assert names[batch.photo[row, batch.asset_view[row, slot]]] == asset.photo.sha256
            np.testing.assert_array_equal(batch.source_boxes[row, slot], asset.source_box.world_from_box)
            np.testing.assert_array_equal(batch.boxes[row, slot], placed.box.world_from_box)
            np.testing.assert_allclose(batch.source_rectangles[row, slot], asset.source_box_2d)
            camera = batch.source_cameras[row, slot]
            np.testing.assert_array_equal(camera.world_from_camera, asset.source_camera.world_from_camera)


def test_boxes_that_no_asset_comes_from_are_not_linked(several: Stage) -> None:
    batch = several.batch()
    for row, frame in enumerate(several.frames):
        sources = {placed.asset.source_box for placed in frame.assets}
        for entry, box in enumerate(frame.background.hidden_boxes):
            assert batch.hidden[row, entry]
            assert batch.linked[row, 0, entry] == (box in sources)


def test_moving_to_a_device_keeps_everything(several: Stage) -> None:
    batch = several.batch()
    moved = batch.to("cpu")
    assert torch.equal(moved.boxes, batch.boxes)
    assert torch.equal(moved.camera.intrinsics, batch.camera.intrinsics)


def test_errors_say_what_is_wrong(several: Stage) -> None:
    pictures = torch.zeros((1, 4, 4, 3), dtype=torch.uint8)
    with pytest.raises(ValueError, match="no frames"):
        frame_batch([], {}, pictures)
    with pytest.raises(KeyError):
        frame_batch(several.frames, {}, pictures)
    with pytest.raises(ValueError, match="slots"):
        several.batch(slots=1)


def test_a_photo_has_one_camera(several: Stage) -> None:
    frame = next(frame for frame in several.frames if frame.assets)
    placed = frame.assets[0]
    wrong = dataclasses.replace(placed.asset.source_camera, fx=9.0)
    asset = dataclasses.replace(placed.asset, source_camera=wrong, photo=frame.background.photo)
    broken = Frame(frame.camera, (dataclasses.replace(placed, asset=asset),), frame.background)
    with pytest.raises(ValueError, match="another camera"):
        dataclasses.replace(several, frames=(broken,)).batch()
