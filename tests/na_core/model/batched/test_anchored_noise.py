"""The surfaces that noise sticks to are the same in training as in rendering."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from na_core.geometry.boxmap import box_map
from na_core.model.anchored_noise import batch_addresses, frame_addresses
from na_core.model.batched.boxmap import box_map as batched_box_map

WIDTH, HEIGHT = 80, 64


@pytest.mark.parametrize("seed", range(6))
def test_pixels_show_the_same_texels(seed: int, make_frame: Callable[[int], Any]) -> None:
    stage = make_frame(seed)
    frame = stage.frames[0]
    boxes = box_map(frame.camera, [p.box.world_from_box for p in frame.assets], WIDTH, HEIGHT)
    one = frame_addresses(frame, boxes, WIDTH, HEIGHT)[0].numpy()
    frames = stage.batch()
    hits = batched_box_map(frames.camera, frames.turned_boxes, frames.present, WIDTH, HEIGHT)
    other = batch_addresses(frames, hits)[0].numpy()
    shown = boxes.index[::2, ::2]
    # The backdrop's texels have the same numbers, an asset's have other names: as many, and alike in shape.
    behind = shown < 0
    assert (one == other)[behind].mean() > 0.97  # rounding at the edges of texels
    for number, placed in enumerate(frame.assets):
        hit = shown == number
        if hit.sum() < 30 or placed.asset.quarter_turns % 2:
            continue
        many = [len(np.unique(found[hit])) for found in (one, other)]
        assert abs(many[0] - many[1]) <= 2 + 0.05 * many[0]
