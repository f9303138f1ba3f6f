"""Batched conditions are numpy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.geometry.boxes import bounds_2d
from na_core.model import conditioning as one_by_one
from na_core.model.batched.augment import drop_proxies
from na_core.model.batched.conditioning import background_pictures, conditions, object_pictures
from na_core.model.batched.proxy import proxy_pictures

Stage = Any  # of conftest
WIDTH, HEIGHT, FACTOR = 80, 64, 8


@pytest.mark.parametrize("guided", [True, False])
def test_a_batch(guided: bool, several: Stage) -> None:
    found = conditions(several.batch(slots=8), factor=FACTOR, guided=guided)
    for row, frame in enumerate(several.frames):
        expected = one_by_one.conditions(frame, several.pictures, WIDTH, HEIGHT, factor=FACTOR, guided=guided)
        count = len(frame.assets)
        assert found.filled[row].tolist() == [True] * count + [False] * (8 - count)
        np.testing.assert_allclose(found.poses[row, :count], expected.poses, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(found.rectangles[row, :count], expected.rectangles)
        np.testing.assert_allclose(found.background_poses[row], expected.background_pose, atol=1e-6)
        assert not found.poses[row, count:].any()
        assert not found.rectangles[row, count:].any()
        difference = np.abs(found.map_channels[row].numpy() - expected.map_channels)
        assert (difference > 1e-3).mean() < 0.005  # cells with a pixel on an outline


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_frames(seed: int, make_frame: Callable[..., Stage]) -> None:
    stage = make_frame(seed)
    found = conditions(stage.batch(), factor=FACTOR, guided=True)
    frame = stage.frames[0]
    expected = one_by_one.conditions(frame, stage.pictures, WIDTH, HEIGHT, factor=FACTOR, guided=True)
    np.testing.assert_allclose(found.poses[0, : len(frame.assets)], expected.poses, rtol=1e-5, atol=1e-5)
    difference = np.abs(found.map_channels[0].numpy() - expected.map_channels)
    assert difference.mean() < 1e-3


def test_a_given_proxy_is_used(several: Stage) -> None:
    batch = several.batch()
    dropped = drop_proxies(proxy_pictures(batch), torch.Generator().manual_seed(0), 1.0)
    found = conditions(batch, factor=FACTOR, guided=True, proxy=dropped)
    whole = conditions(batch, factor=FACTOR, guided=True)
    assert not found.map_channels[:, 10].any()
    assert torch.equal(found.map_channels[:, :10], whole.map_channels[:, :10])
    assert (found.proxy.picture == 0.5).all()


def test_mixed_precision_does_not_touch_them(several: Stage) -> None:
    batch = several.batch()
    plain = conditions(batch, factor=FACTOR, guided=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = conditions(batch, factor=FACTOR, guided=True)
    assert torch.equal(mixed.map_channels, plain.map_channels)
    assert torch.equal(mixed.poses, plain.poses)
    assert torch.equal(mixed.proxy.picture, plain.proxy.picture)


def test_encoder_pictures(several: Stage) -> None:
    batch = several.batch()
    objects, backgrounds = object_pictures(batch), background_pictures(batch)
    for row, frame in enumerate(several.frames):
        behind = frame.background
        hidden = [bounds_2d(behind.source_camera, box) for box in behind.hidden_boxes]
        picture = several.pictures[behind.photo.sha256]
        expected = one_by_one.background_picture(picture, hidden)
        np.testing.assert_allclose(backgrounds[row].permute(1, 2, 0), expected, atol=1e-7)
        for view, photo in enumerate(frame.photos()):
            shown = [placed.asset.source_box_2d for placed in frame.assets if placed.asset.photo == photo]
            expected = one_by_one.object_picture(several.pictures[photo.sha256], shown)
            np.testing.assert_allclose(objects[row, view].permute(1, 2, 0), expected, atol=1e-7)
