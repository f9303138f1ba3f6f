"""Filling holes from their surroundings."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from na_core.raster.fill import push_pull

Sides = st.integers(1, 40)
Seeds = st.integers(0, 2**32 - 1)


def holed(seed: int, rows: int, columns: int, share: float) -> tuple[Tensor, Tensor]:
    """Return a picture (1, 3, H, W) and weights (1, 1, H, W) of which a share is 1 and the rest 0."""
    random = torch.Generator().manual_seed(seed)
    picture = torch.rand((1, 3, rows, columns), generator=random)
    return picture, (torch.rand((1, 1, rows, columns), generator=random) < share).float()


@settings(max_examples=20, deadline=None)
@given(seed=Seeds, rows=Sides, columns=Sides, share=st.sampled_from([0.0, 0.05, 0.4, 1.0]))
def test_known_pixels_are_kept_to_the_bit(seed: int, rows: int, columns: int, share: float) -> None:
    picture, weight = holed(seed, rows, columns, share)
    filled = push_pull(picture, weight)
    assert filled.shape == picture.shape
    assert torch.isfinite(filled).all()
    known = weight.expand_as(picture) == 1
    assert torch.equal(filled[known], picture[known])


@settings(max_examples=20, deadline=None)
@given(seed=Seeds, rows=Sides, columns=Sides)
def test_a_constant_stays_constant(seed: int, rows: int, columns: int) -> None:
    picture, weight = holed(seed, rows, columns, 0.3)
    weight[..., 0, 0] = 1
    filled = push_pull(torch.where(weight > 0, 0.3, picture), weight)
    torch.testing.assert_close(filled, torch.full_like(filled, 0.3), rtol=0, atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(seed=Seeds, rows=Sides, columns=Sides)
def test_nothing_known_is_grey(seed: int, rows: int, columns: int) -> None:
    picture, weight = holed(seed, rows, columns, 0)
    assert (push_pull(picture, weight) == 0.5).all()


@settings(max_examples=10, deadline=None)
@given(seed=Seeds, rows=Sides, columns=Sides)
def test_the_filling_lies_between_the_darkest_and_the_brightest(seed: int, rows: int, columns: int) -> None:
    picture, weight = holed(seed, rows, columns, 0.1)
    weight[..., -1, -1] = 1
    filled, known = push_pull(picture, weight), picture[weight.expand_as(picture) == 1]
    assert filled.min() >= known.min() - 1e-6
    assert filled.max() <= known.max() + 1e-6


@settings(max_examples=10, deadline=None)
@given(seed=Seeds, rows=Sides, columns=Sides)
def test_the_hidden_content_of_a_hole_does_not_matter(seed: int, rows: int, columns: int) -> None:
    picture, weight = holed(seed, rows, columns, 0.5)
    assert torch.equal(push_pull(picture, weight), push_pull(picture * weight, weight))


def test_a_hole_between_dark_and_bright_is_a_ramp() -> None:
    picture, weight = torch.zeros((1, 1, 32, 32)), torch.zeros((1, 1, 32, 32))
    picture[..., 24:] = 1
    weight[..., :8] = weight[..., 24:] = 1
    row = push_pull(picture, weight)[0, 0, 16]
    assert (row.diff() > -0.05).all()
    assert 0.3 < row[16] < 0.7


@pytest.mark.parametrize("size", [(1, 7), (16, 16), (17, 31)])
def test_pictures_of_a_batch_do_not_mix(size: tuple[int, int]) -> None:
    pairs = [holed(seed, *size, share) for seed, share in enumerate((0.1, 0.9, 0.0))]
    pictures, weights = (torch.cat(of) for of in zip(*pairs, strict=True))
    for picture, pair in zip(push_pull(pictures, weights), pairs, strict=True):
        np.testing.assert_allclose(picture, push_pull(*pair)[0], atol=1e-6)
