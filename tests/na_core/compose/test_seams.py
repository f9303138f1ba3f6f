"""Seams are softened where something moved, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from na_core.compose.seams import SEAM, STILL, soften_seams


@dataclass(frozen=True)
class Planes:
    """One picture (3, H, W), and of its pixels the owner, the photo's pixel shown, and the shift (H, W)."""

    picture: Tensor
    owner: Tensor
    x: Tensor
    y: Tensor
    shift: Tensor

    @property
    def softened(self) -> Tensor:
        (found,) = softened_together([self])
        return found


def softened_together(planes: Sequence[Planes]) -> list[Tensor]:
    picture = torch.stack([of.picture for of in planes], dim=1)
    before = picture.clone()
    others = (torch.stack([getattr(of, name) for of in planes]) for name in ("owner", "x", "y", "shift"))
    found = soften_seams(picture, *others)
    assert torch.equal(picture, before)
    return list(found.unbind(1))


@pytest.fixture
def step() -> Planes:
    """A dark object at the left, moved by 3 pixels, before a bright background that stands still."""
    y, x = torch.meshgrid(torch.arange(24) + 0.5, torch.arange(32) + 0.5, indexing="ij")
    left = x < 12
    return Planes(
        torch.where(left, 0.2, 0.8).expand(3, -1, -1).contiguous(),
        torch.where(left, 0, -1).int(),
        torch.where(left, x + 3, x),
        y,
        torch.where(left, 3.0, 0.0),
    )


def random_planes(seed: int, height: int, width: int) -> Planes:
    rng = np.random.default_rng(seed)
    shift = np.where(rng.random((height, width)) < 0.3, np.inf, rng.random((height, width)) * 2)
    return Planes(
        torch.from_numpy(rng.random((3, height, width), dtype=np.float32)),
        torch.from_numpy(rng.integers(-1, 2, (height, width)).astype(np.int32)),
        *torch.from_numpy((rng.random((2, height, width)) * 12).astype(np.float32)),
        torch.from_numpy(shift.astype(np.float32)),
    )


def test_a_step_becomes_a_slope_on_the_moved_side(step: Planes) -> None:
    softened = step.softened
    np.testing.assert_allclose(softened[:, 5, 11], 0.2 * 0.75 + 0.8 * 0.25, atol=1e-6)
    assert torch.equal(softened[..., 12:], step.picture[..., 12:])  # the background has not moved
    torch.testing.assert_close(softened[..., :11], step.picture[..., :11], rtol=0, atol=1e-6)


@pytest.mark.parametrize("moved", [0.0, 0.05])
def test_what_stands_still_stays_to_the_bit(moved: float, step: Planes) -> None:
    still = replace(step, shift=torch.full_like(step.shift, moved))
    assert torch.equal(still.softened, step.picture)


def test_it_sets_in_gradually(step: Planes) -> None:
    slopes = [
        float(replace(step, shift=step.shift / 3 * moved).softened[0, 5, 11])
        for moved in (0, 0.3, 0.6, 1.1, 5)
    ]
    assert slopes == sorted(slopes)
    assert max(np.diff(slopes)) < 0.1


def test_a_fold_within_an_object_is_a_seam(step: Planes) -> None:
    moved = replace(step, owner=torch.zeros_like(step.owner), shift=torch.full_like(step.shift, 9))
    folded = replace(moved, x=torch.where(step.owner == 0, step.x + 20, step.x))
    assert (folded.softened - step.picture).abs()[..., 11:13].min() > 0.1
    torch.testing.assert_close(moved.softened, step.picture, rtol=0, atol=1e-6)


def test_a_value_that_is_everywhere_stays(step: Planes) -> None:
    grey = replace(step, picture=torch.full_like(step.picture, 0.5), shift=step.shift + 5)
    torch.testing.assert_close(grey.softened, grey.picture, rtol=0, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), width=st.integers(1, 9), height=st.integers(1, 9))
def test_a_pixel_on_a_seam_goes_to_the_mean_of_its_neighbourhood_as_far_as_it_has_moved(
    seed: int, width: int, height: int
) -> None:
    planes = random_planes(seed, height, width)
    softened = planes.softened
    for row in range(height):
        for column in range(width):
            rows = [min(max(row + step, 0), height - 1) for step in (-1, 0, 1)]
            columns = [min(max(column + step, 0), width - 1) for step in (-1, 0, 1)]
            beside = np.ix_(rows, columns)
            spans = [float(np.ptp(of.numpy()[beside])) for of in (planes.owner, planes.x, planes.y)]
            seam = spans[0] > 0 or max(spans[1:]) > SEAM
            weight = min(max(float(planes.shift[row, column]) - STILL, 0), 1) * seam
            weights = np.outer([1, 2, 1], [1, 2, 1]) / 16
            own, around = planes.picture[:, row, column].numpy(), planes.picture.numpy()[:, *beside]
            expected = own + weight * ((around * weights).sum((1, 2)) - own)
            np.testing.assert_allclose(softened[:, row, column], expected, atol=1e-6)


def test_pictures_of_a_batch_do_not_mix() -> None:
    several = [random_planes(seed, 11, 13) for seed in range(3)]
    for planes, softened in zip(several, softened_together(several), strict=True):
        assert torch.equal(softened, planes.softened)


@pytest.mark.usefixtures("every_pixel")
def test_where_lists_do_not_pay_the_picture_is_the_same(step: Planes) -> None:
    softened = step.softened
    np.testing.assert_allclose(softened[:, 5, 11], 0.2 * 0.75 + 0.8 * 0.25, atol=1e-6)
    assert torch.equal(softened[..., 12:], step.picture[..., 12:])
