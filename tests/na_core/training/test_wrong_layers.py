"""What did not move is the photo, however wrong its boxes; objects are in wrong boxes as in right ones."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from na_core.compose.compose import compose
from na_core.layers.take_apart import take_apart
from na_core.tensors.frames import FrameBatch
from na_core.tensors.views import views_as_tensors
from na_core.training.frame_augmentation import jitter_boxes
from na_core.training.wrong_layers import wrong_layers
from tests.na_core.stage import Stage, random_frame, together

WIDTH, HEIGHT = 80, 64


def jittered(frames: FrameBatch) -> FrameBatch:
    return jitter_boxes(frames, torch.Generator().manual_seed(0), 1.0)


def pictures(stage: Stage, frames: FrameBatch) -> Tensor:
    return stage.layers.picture[frames.photo[:, 0]].movedim(-1, 1) / 255


@pytest.mark.parametrize("rounded", [False, True])
def test_what_stood_still_is_the_photo(rounded: bool) -> None:
    stage = together([random_frame(seed, still=True, rounded=rounded) for seed in (0, 2, 3, 5)])
    right = stage.batch()
    passes = compose(*wrong_layers(stage.layers, right, jittered(right)), WIDTH, HEIGHT)
    assert passes.validity.float().mean() > 0.99
    assert (passes.proxy - pictures(stage, right)).abs().amax(1).gt(0.01).float().mean() < 0.01


def test_what_moves_moves_in_its_wrong_box() -> None:
    stage = together([random_frame(seed, rounded=True) for seed in range(8)])
    right = stage.batch()
    wrong = jittered(right)
    passes = compose(*wrong_layers(stage.layers, right, wrong), WIDTH, HEIGHT)
    before = stage.passes()
    shown, were = passes.index >= 0, before.index >= 0
    assert 0.8 < float(shown.sum() / were.sum()) < 1.25
    assert not torch.equal(passes.proxy, before.proxy)


def test_boxes_that_objects_fill_are_filled_again() -> None:
    stage = together([random_frame(seed) for seed in (0, 2, 3, 5)])
    right = stage.batch()
    wrong = jittered(right)
    found, frames = wrong_layers(stage.layers, right, wrong)
    boxes = wrong.view_boxes.flatten(0, 1)
    views = list(stage.views)
    errors = []
    for row, (number, matrices) in enumerate(zip(right.photo.flatten().tolist(), boxes, strict=True)):
        view = views[number]
        tensors = views_as_tensors([view], stage.layers.picture[number : number + 1])
        expected = take_apart(replace(tensors, boxes=matrices[None, : tensors.boxes.shape[1]]))
        both = (found.owner[row] == expected.owner[0]) & (expected.owner[0] >= 0)
        one, other = found.surfaces, expected.surfaces
        errors += [one.near[row][both] - other.near[0][both], one.far[row][both] - other.far[0][both]]
    error = torch.cat(errors).abs()
    assert len(error) / 2 > 0.8 * int((found.owner >= 0).sum())
    assert error.lt(1e-3).float().mean() > 0.99  # depths are rounded, which is much of the way at a corner
    assert error.max() < 0.02
    assert frames.photo.shape == right.photo.shape


def test_right_boxes_change_nothing() -> None:
    stage = together([random_frame(seed, rounded=True) for seed in range(8)])
    right = stage.batch()
    found, frames = wrong_layers(stage.layers, right, right)
    used = right.view_filled.any(dim=-1).flatten()  # a view that a frame lacks has no boxes
    some, expected = found[used], stage.layers[right.photo.flatten()[used]]
    assert torch.equal(some.owner, expected.owner)
    assert torch.equal(some.cover, expected.cover)
    torch.testing.assert_close(some.surfaces.near, expected.surfaces.near, atol=1e-3, rtol=0)
    torch.testing.assert_close(some.surfaces.far, expected.surfaces.far, atol=1e-3, rtol=0)
    passes, before = compose(found, frames, WIDTH, HEIGHT), stage.passes()
    assert (passes.proxy - before.proxy).abs().amax(1).gt(0.02).float().mean() < 0.005
