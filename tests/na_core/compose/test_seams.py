"""Seams are softened where something moved, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from na_core.geometry.seams import soften_seams

Planes = tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.float32], NDArray[np.float32]]


@pytest.fixture
def step() -> Planes:
    """A dark object at the left, moved by 3 pixels, before a bright background that stands still."""
    y, x = np.mgrid[:24, :32].astype(np.float32) + 0.5
    left = x < 12
    picture = np.where(left, 0.2, 0.8)[..., None].repeat(3, axis=-1).astype(np.float32)
    at = np.stack([np.where(left, x + 3, x), y], axis=-1).astype(np.float32)
    return picture, np.where(left, 0, -1).astype(np.int32), at, np.where(left, 3, 0).astype(np.float32)


def test_a_step_becomes_a_slope_on_the_moved_side(step: Planes) -> None:
    picture, owner, at, shift = step
    softened = soften_seams(picture, owner, at, shift)
    assert softened[5, 11] == pytest.approx(0.2 * 0.75 + 0.8 * 0.25)
    np.testing.assert_array_equal(softened[:, 12:], picture[:, 12:])  # the background has not moved
    np.testing.assert_allclose(softened[:, :11], picture[:, :11], atol=1e-6)


@pytest.mark.parametrize("moved", [0.0, 0.05])
def test_what_stands_still_stays_to_the_bit(moved: float, step: Planes) -> None:
    picture, owner, at, shift = step
    np.testing.assert_array_equal(soften_seams(picture, owner, at, np.full_like(shift, moved)), picture)


def test_it_sets_in_gradually(step: Planes) -> None:
    picture, owner, at, shift = step
    slopes = [soften_seams(picture, owner, at, shift / 3 * m)[5, 11, 0] for m in (0, 0.3, 0.6, 1.1, 5)]
    assert slopes == sorted(slopes)
    assert max(np.diff(slopes)) < 0.1


def test_a_fold_within_an_object_is_a_seam(step: Planes) -> None:
    picture, _, at, shift = step
    folded = at.copy()
    folded[:, :12, 0] += 20
    same = np.zeros(picture.shape[:2], np.int32)
    everywhere = np.full_like(shift, 9)
    assert np.abs(soften_seams(picture, same, folded, everywhere) - picture)[:, 11:13].min() > 0.1
    np.testing.assert_allclose(soften_seams(picture, same, at, everywhere), picture, atol=1e-6)


def test_a_value_that_is_everywhere_stays(step: Planes) -> None:
    picture, owner, at, shift = step
    grey = np.full_like(picture, 0.5)
    np.testing.assert_allclose(soften_seams(grey, owner, at, shift + 5), grey, atol=1e-6)
