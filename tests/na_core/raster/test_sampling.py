"""Sampling between pixels, of pictures of several sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from na_core.raster.canvas import Canvas
from na_core.raster.sampling import SUBPIXEL, bilinear, sample_bytes

Sides = st.integers(1, 7)
Seeds = st.integers(0, 2**32 - 1)


def sampled_slowly(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    """Weigh every pixel of the picture by its two tents, in [0, 1]."""
    rows, columns = picture.shape[:2]
    u = min(max(round((x - 0.5) * SUBPIXEL) / SUBPIXEL, 0), columns - 1)
    v = min(max(round((y - 0.5) * SUBPIXEL) / SUBPIXEL, 0), rows - 1)
    total = np.zeros(picture.shape[2])
    for j in range(rows):
        for i in range(columns):
            total += picture[j, i] / 255 * max(0.0, 1 - abs(i - u)) * max(0.0, 1 - abs(j - v))
    return total


def sampled(picture: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return (P, 3) of one picture (H, W, 3)."""
    canvas = Canvas(picture.shape[1], picture.shape[0])
    return sample_bytes(picture[None], canvas, torch.zeros_like(x, dtype=torch.int64), x, y).T


@settings(max_examples=25, deadline=None)
@given(seed=Seeds, rows=Sides, columns=Sides)
def test_it_is_the_slow_tent(seed: int, rows: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (rows, columns, 3), dtype=np.uint8)
    x, y = rng.uniform(-0.5, 1.5, (2, 30)).astype(np.float32) * np.array([[columns], [rows]], np.float32)
    expected = [sampled_slowly(picture, *map(float, at)) for at in zip(x, y, strict=True)]
    found = sampled(torch.from_numpy(picture), torch.from_numpy(x), torch.from_numpy(y))
    # In single precision a position now and then is rounded to the other side of a half.
    np.testing.assert_allclose(found, expected, atol=2.1 / SUBPIXEL)


@settings(max_examples=15, deadline=None)
@given(seed=Seeds, sizes=st.lists(st.tuples(Sides, Sides), min_size=2, max_size=4))
def test_pictures_of_several_sizes_are_sampled_as_each_alone(seed: int, sizes: list[tuple[int, int]]) -> None:
    rng = np.random.default_rng(seed)
    pictures = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    rows, columns = (max(of) for of in zip(*sizes, strict=True))
    stack = rng.integers(0, 256, (len(sizes), rows, columns, 3), dtype=np.uint8)  # noise beyond the pictures
    for whole, picture in zip(stack, pictures, strict=True):
        whole[: picture.shape[0], : picture.shape[1]] = picture
    canvas = Canvas(columns, rows, torch.tensor([(w, h) for h, w in sizes], dtype=torch.float32))
    which = torch.from_numpy(rng.integers(0, len(sizes), 60))
    x, y = torch.from_numpy(rng.uniform(-2, 9, (2, 60)).astype(np.float32))
    found = sample_bytes(torch.from_numpy(stack), canvas, which, x, y).T
    for number, picture in enumerate(pictures):
        own = which == number
        assert torch.equal(found[own], sampled(torch.from_numpy(picture), x[own], y[own]))


@settings(max_examples=15, deadline=None)
@given(seed=Seeds, size=st.sampled_from([1, 2, 97, 256, 500]))
def test_a_pixels_own_centre_gives_its_own_bytes(seed: int, size: int) -> None:
    random = torch.Generator().manual_seed(seed)
    photo = torch.randint(0, 256, (3, size, 3), dtype=torch.uint8, generator=random)
    photo[:, ::5] = 0  # black shows the smallest rounding
    nearly = ((torch.arange(size) + 0.5) / size + torch.rand(size, generator=random) * 1e-6 - 5e-7) * size
    found = sampled(photo, nearly, torch.full((size,), 1.5))
    np.testing.assert_array_equal(found, photo[1].numpy().astype(np.float32) / 255)


def test_outside_takes_the_edge() -> None:
    picture = torch.randint(0, 256, (3, 4, 3), dtype=torch.uint8)
    x, y = torch.tensor([[-9.0, -9], [9, 9], [1e30, -1e30]]).T
    expected = torch.stack([picture[0, 0], picture[2, 3], picture[0, 3]]).float() / 255
    assert torch.equal(sampled(picture, x, y), expected)


def test_positions_are_rounded_finer_than_eight_bits_can_tell() -> None:
    # The steepest edge there is: black beside white.
    picture = torch.tensor([[[0] * 3, [255] * 3]], dtype=torch.uint8)
    x = torch.linspace(0.5, 1.5, 999)
    found = sampled(picture, x, torch.full_like(x, 0.5))[:, 0]
    assert (found - (x - 0.5)).abs().max() < 1 / 255 / 2
    assert found[-1] == 1


@pytest.mark.parametrize(
    ("across", "down", "expected"), [(0, 0, 1.0), (1, 0, 2.0), (0.5, 0.5, 4.5), (1, 1, 8.0)]
)
def test_between_four_cells(across: float, down: float, expected: float) -> None:
    cells = torch.tensor([1.0, 2.0, 0.0, 7.0, 8.0, 0.0])
    shares = (torch.tensor([float(share)]) for share in (across, down))
    assert bilinear(cells, torch.tensor([0]), 1, 3, *shares).item() == expected
