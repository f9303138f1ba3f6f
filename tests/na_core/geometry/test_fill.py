"""Filling holes, and sampling between pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from na_core.geometry.camera import pixel_centres
from na_core.geometry.fill import SUBPIXEL, push_pull, sample_bilinear

SIZES = [(1, 1), (1, 7), (7, 1), (2, 2), (3, 5), (16, 16), (17, 31), (64, 33)]


class TestPushPull:
    @pytest.mark.parametrize("size", SIZES)
    def test_known_pixels_are_kept_to_the_bit(self, size: tuple[int, int], rng: np.random.Generator) -> None:
        picture = rng.random((*size, 3)).astype(np.float32)
        weight = (rng.random(size) < 0.4).astype(np.float32)
        filled = push_pull(picture, weight)
        assert filled.shape == picture.shape
        assert filled.dtype == np.float32
        np.testing.assert_array_equal(filled[weight == 1], picture[weight == 1])

    @pytest.mark.parametrize("size", SIZES)
    def test_a_constant_stays_constant(self, size: tuple[int, int], rng: np.random.Generator) -> None:
        weight = (rng.random(size) < 0.3).astype(np.float32)
        weight[0, 0] = 1
        picture = np.where(weight[..., None] > 0, 0.3, rng.random((*size, 3))).astype(np.float32)
        np.testing.assert_allclose(push_pull(picture, weight), 0.3, atol=1e-6)

    @pytest.mark.parametrize("size", SIZES)
    def test_nothing_known_is_grey(self, size: tuple[int, int], rng: np.random.Generator) -> None:
        picture = rng.random((*size, 3)).astype(np.float32)
        np.testing.assert_array_equal(push_pull(picture, np.zeros(size, np.float32)), 0.5)

    def test_the_filling_lies_between_what_surrounds_it(self, rng: np.random.Generator) -> None:
        picture = rng.uniform(0.2, 0.7, (40, 30, 3)).astype(np.float32)
        weight = np.ones((40, 30), np.float32)
        weight[10:30, 8:20] = 0
        filled = push_pull(picture, weight)
        assert filled.min() >= 0.2 - 1e-6
        assert filled.max() <= 0.7 + 1e-6

    def test_the_hidden_content_of_a_hole_does_not_matter(self, rng: np.random.Generator) -> None:
        weight = (rng.random((20, 20)) < 0.5).astype(np.float32)
        one = rng.random((20, 20, 3)).astype(np.float32)
        other = np.where(weight[..., None] > 0, one, 0).astype(np.float32)
        np.testing.assert_array_equal(push_pull(one, weight), push_pull(other, weight))

    def test_a_hole_between_dark_and_bright_is_a_ramp(self) -> None:
        picture = np.zeros((32, 32, 1), np.float32)
        picture[:, 24:] = 1
        weight = np.zeros((32, 32), np.float32)
        weight[:, :8] = weight[:, 24:] = 1
        row = push_pull(picture, weight)[16, :, 0]
        assert (np.diff(row) > -0.05).all()
        assert 0.3 < row[16] < 0.7


def sampled_slowly(picture: np.ndarray, x: float, y: float) -> np.ndarray:
    """Weigh every pixel of the picture by its two tents."""
    rows, columns = picture.shape[:2]
    u = min(max(round((x * columns - 0.5) * SUBPIXEL) / SUBPIXEL, 0), columns - 1)
    v = min(max(round((y * rows - 0.5) * SUBPIXEL) / SUBPIXEL, 0), rows - 1)
    total = np.zeros(picture.shape[2])
    for j in range(rows):
        for i in range(columns):
            total += picture[j, i] * max(0.0, 1 - abs(i - u)) * max(0.0, 1 - abs(j - v))
    return total


class TestSampling:
    @pytest.mark.parametrize("size", [(1, 1), (1, 5), (5, 1), (4, 6)])
    def test_equals_the_slow_tent(self, size: tuple[int, int], rng: np.random.Generator) -> None:
        picture = rng.random((*size, 2)).astype(np.float32)
        points = rng.uniform(-0.3, 1.3, (40, 2))
        expected = [sampled_slowly(picture, *p) for p in points]
        np.testing.assert_allclose(sample_bilinear(picture, points), expected, atol=1e-6)

    def test_pixel_centres_give_their_pixels_to_the_bit(self, rng: np.random.Generator) -> None:
        picture = rng.random((37, 53, 3)).astype(np.float32)
        picture[rng.random((37, 53)) < 0.3] = 0
        points = pixel_centres(53, 37) + rng.uniform(-1e-6, 1e-6, (37, 53, 2))
        np.testing.assert_array_equal(sample_bilinear(picture, points), picture)

    def test_outside_takes_the_edge(self, rng: np.random.Generator) -> None:
        picture = rng.random((3, 4, 3)).astype(np.float32)
        points = np.array([[-9.0, -9], [9, 9], [1e30, -1e30]])
        expected = [picture[0, 0], picture[2, 3], picture[0, 3]]
        np.testing.assert_array_equal(sample_bilinear(picture, points), expected)

    def test_rounding_is_finer_than_eight_bits(self) -> None:
        # The steepest edge there is: black beside white.
        picture = np.array([[[0.0], [1.0]]], np.float32)
        x = np.linspace(0.25, 0.75, 999)
        sampled = sample_bilinear(picture, np.stack([x, np.full_like(x, 0.5)], -1))[:, 0]
        assert np.abs(sampled - (2 * x - 0.5)).max() < 1 / 255 / 2
        assert math.isclose(sampled[-1], 1)
