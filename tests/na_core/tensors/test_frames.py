"""Frames as tensors."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest
import torch

from na_core.scene import Photo, PlacedAsset
from na_core.tensors.frames import frame_batch
from tests.na_core.stage import Stage, random_frame, together


@cache
def several() -> Stage:
    """Return eight frames that share a batch: every kind of change is among them."""
    return together([random_frame(seed, (20, 16)) for seed in range(8)])


def test_assets_point_to_the_box_and_the_photo_that_they_come_from() -> None:
    stage = several()
    batch, views = stage.batch(slots=7), [*stage.views]
    for row, frame in enumerate(stage.frames):
        assert views[batch.photo[row, 0]].sha256 == frame.background.photo.sha256
        assert batch.present[row].sum() == len(frame.assets)
        assert torch.equal(batch.shown[row], batch.present[row])
        for slot, placed in enumerate(frame.assets):
            asset = placed.asset
            view = views[batch.asset_photo[row, slot]]
            assert (view.sha256, view.camera) == (asset.photo.sha256, asset.source_camera)
            assert view.boxes[batch.asset_entry[row, slot]] == asset.source_box
            np.testing.assert_array_equal(batch.source_boxes[row, slot], asset.source_box.world_from_box)
            np.testing.assert_array_equal(batch.boxes[row, slot], placed.box.world_from_box)
            np.testing.assert_allclose(batch.source_rectangles[row, slot], asset.source_box_2d)
            assert batch.quarter_turns[row, slot] == asset.quarter_turns
            camera = batch.source_cameras[row, slot]
            np.testing.assert_array_equal(camera.world_from_camera, asset.source_camera.world_from_camera)


def test_the_boxes_taken_out_of_the_background_are_the_hidden_ones() -> None:
    stage = several()
    batch = stage.batch()
    for row, frame in enumerate(stage.frames):
        hidden = frame.background.hidden_boxes
        assert batch.hidden_boxes[row].sum() == len(hidden)
        for entry, box in enumerate(hidden):
            assert batch.hidden_boxes[row, entry]
            np.testing.assert_array_equal(batch.view_boxes[row, 0, entry], box.world_from_box)


def test_empty_slots_hold_the_identity_and_no_rectangle() -> None:
    batch = several().batch(slots=9)
    empty = ~batch.present
    assert empty.any()
    assert (batch.boxes[empty] == torch.eye(4)).all()
    assert not batch.source_rectangles[empty].any()
    assert (batch.view_boxes[~batch.view_filled] == torch.eye(4)).all()


def test_a_photo_that_may_not_be_used_has_no_rectangle_but_keeps_its_place() -> None:
    batch = several().batch()
    unseen = dataclasses.replace(batch, shown=torch.zeros_like(batch.shown))
    assert not unseen.source_rectangles.any()
    assert torch.equal(unseen.asset_rectangles, batch.asset_rectangles)


def test_shadows_are_as_strong_as_the_frame_says_and_whole_in_empty_slots() -> None:
    (frame,) = random_frame(1, (20, 16), still=True).frames
    weaker = [dataclasses.replace(p, shadow_strength=0.25 * n) for n, p in enumerate(frame.assets)]
    batch = frame_batch([dataclasses.replace(frame, assets=tuple(weaker))], slots=9)
    assert batch.shadow_strength[0].tolist() == [
        *(p.shadow_strength for p in weaker),
        *[1] * (9 - len(weaker)),
    ]


def test_light_is_matched_as_far_as_the_frame_says_where_the_photo_is_another() -> None:
    (frame,) = random_frame(1, (20, 16), still=True).frames
    placed = frame.assets[0]
    guest = dataclasses.replace(placed.asset, photo=Photo("e" * 64))
    again = dataclasses.replace(placed.asset, source_camera=several().frames[1].camera)
    more = [PlacedAsset(guest, placed.box), PlacedAsset(guest, placed.box, match_light=0.5)]
    more.append(PlacedAsset(again, placed.box))  # the background's photo, though with another camera
    batch = frame_batch([dataclasses.replace(frame, assets=(*frame.assets, *more))])
    assert batch.match_light[0].tolist() == [0] * len(frame.assets) + [1, 0.5, 0]


def test_noise_keys_name_assets_whatever_else_is_in_the_frame() -> None:
    (frame,) = random_frame(1, (20, 16), still=True).frames
    assert len(frame.assets) > 1
    again = PlacedAsset(frame.assets[0].asset, frame.assets[1].box)
    fewer = dataclasses.replace(frame, assets=frame.assets[1:])
    more = dataclasses.replace(frame, assets=(*frame.assets, again))

    def keys(of: object) -> list[int]:
        batch = frame_batch([of])
        return batch.noise_keys[0, batch.present[0]].tolist()

    assert keys(fewer) == keys(frame)[1:]
    assert keys(more)[:-1] == keys(frame)
    assert len(set(keys(more))) == len(more.assets)


def test_other_cameras_see_the_same_frames() -> None:
    batch = several().batch()
    seen = batch.seen_by(batch.view_camera[:, 0])
    assert torch.equal(seen.camera.world_from_camera, batch.view_camera.world_from_camera[:, 0])
    assert torch.equal(seen.boxes, batch.boxes)


def test_moving_to_a_device_keeps_everything() -> None:
    batch = several().batch()
    moved = batch.to("cpu")
    assert torch.equal(moved.boxes, batch.boxes)
    assert torch.equal(moved.camera.intrinsics, batch.camera.intrinsics)


def test_an_asset_whose_photo_another_camera_took_has_a_view_of_its_own() -> None:
    (frame,) = random_frame(1, (20, 16), still=True).frames
    first, *others = frame.assets
    camera = dataclasses.replace(first.asset.source_camera, fx=9.0)
    other = dataclasses.replace(first, asset=dataclasses.replace(first.asset, source_camera=camera))
    frame = dataclasses.replace(frame, assets=(other, *others))
    batch = frame_batch([frame])
    assert batch.asset_photo[0].tolist() == [1] + [0] * len(others)
    assert batch.source_cameras.intrinsics[0, :, 0].tolist() == [9.0] + [frame.camera.fx] * len(others)


def test_errors_say_what_is_wrong() -> None:
    stage = several()
    with pytest.raises(ValueError, match="no frames"):
        frame_batch([])
    with pytest.raises(ValueError, match="slots"):
        stage.batch(slots=1)
