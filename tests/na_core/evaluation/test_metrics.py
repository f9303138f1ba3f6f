"""Metrics against values that are known beforehand."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from na_core.evaluation.metrics import (
    MAX_PSNR,
    grown,
    psnr,
    sharpness,
    squared_error,
    ssim,
    touched,
    window,
)

Picture = NDArray[np.uint8]

sizes = st.tuples(st.integers(16, 70), st.integers(16, 70))


def textured(seed: int, size: tuple[int, int]) -> Picture:
    """Return a picture whose detail is neither white noise nor smooth."""
    noise = np.random.default_rng(seed).normal(0, 1, (*size, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 0.6)
    return np.clip(128 + smooth * 40, 0, 255).astype(np.uint8)


def ratio(result: Picture, truth: Picture) -> float:
    found = sharpness(result, truth)
    assert found is not None
    return found


@pytest.fixture
def truth() -> Picture:
    smooth = np.linspace(60, 190, 48)[:, None, None] + np.linspace(-30, 30, 64)[None, :, None]
    noise = np.random.default_rng(0).normal(0, 12, (48, 64, 3))
    return np.clip(smooth + noise, 0, 255).astype(np.uint8)


class TestPsnr:
    @pytest.mark.parametrize("error", [1, 2, 10, 50])
    def test_a_constant_error(self, error: int, truth: Picture) -> None:
        grey = np.full_like(truth, 100)
        assert psnr(grey + np.uint8(error), grey) == pytest.approx(20 * math.log10(255 / error))

    def test_gaussian_noise(self) -> None:
        grey = np.full((256, 256, 3), 128, np.uint8)
        noisy = np.rint(grey + np.random.default_rng(1).normal(0, 10, grey.shape)).astype(np.uint8)
        expected = 10 * math.log10(255**2 / (100 + 1 / 12))  # rounding adds a twelfth
        assert psnr(noisy, grey) == pytest.approx(expected, abs=0.05)

    def test_identical_pictures_score_the_best_and_not_infinity(self, truth: Picture) -> None:
        assert psnr(truth, truth) == MAX_PSNR
        almost = truth.copy()
        almost[0, 0, 0] ^= 1
        assert psnr(almost, truth) == MAX_PSNR

    def test_only_the_region_counts(self, truth: Picture) -> None:
        result = truth.copy()
        result[:10] = 255 - result[:10]
        region = np.ones(truth.shape[:2], bool)
        region[:10] = False
        assert psnr(result, truth, region) == MAX_PSNR
        assert psnr(result, truth, ~region) < psnr(result, truth) < MAX_PSNR

    def test_nothing_to_compare(self, truth: Picture) -> None:
        with pytest.raises(ValueError, match="at least one pixel"):
            psnr(truth, truth, np.zeros(truth.shape[:2], bool))

    def test_different_sizes(self, truth: Picture) -> None:
        for metric in (psnr, ssim, sharpness):
            with pytest.raises(ValueError, match="different sizes"):
                metric(truth[:-1], truth)


class TestSsim:
    def test_identical_pictures(self, truth: Picture) -> None:
        assert ssim(truth, truth) == pytest.approx(1.0)

    def test_brightness_hurts_less_than_structure(self, truth: Picture) -> None:
        brighter = np.clip(truth.astype(int) + 15, 0, 255).astype(np.uint8)
        shuffled = np.random.default_rng(2).permutation(truth.reshape(-1, 3)).reshape(truth.shape)
        assert ssim(shuffled, truth) < 0.2 < 0.9 < ssim(brighter, truth) < 1

    def test_constant_pictures_have_the_luminance_term_alone(self) -> None:
        first, second = (np.full((16, 16, 3), value, np.uint8) for value in (100, 150))
        c1 = (0.01 * 255) ** 2
        expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
        assert ssim(first, second) == pytest.approx(expected)

    @pytest.mark.parametrize("size", [(1, 1), (3, 40), (10, 10), (11, 11)])
    def test_small_crops_are_enlarged(self, size: tuple[int, int], truth: Picture) -> None:
        crop = truth[: size[0], : size[1]]
        assert ssim(crop, crop) == pytest.approx(1.0)


class TestSharpness:
    @given(seed=st.integers(0, 2**16), size=sizes)
    def test_the_truth_is_as_sharp_as_itself(self, seed: int, size: tuple[int, int]) -> None:
        truth = textured(seed, size)
        assert sharpness(truth, truth) == 1

    @given(seed=st.integers(0, 2**16), size=sizes, sigma=st.floats(0.7, 4))
    def test_a_blurred_result_has_less(self, seed: int, size: tuple[int, int], sigma: float) -> None:
        truth = textured(seed, size)
        blurred = cv2.GaussianBlur(truth, (0, 0), sigma)
        assert ratio(blurred, truth) < 0.5

    @given(seed=st.integers(0, 2**16), size=sizes, sigma=st.floats(15, 40))
    def test_a_noisy_result_has_more(self, seed: int, size: tuple[int, int], sigma: float) -> None:
        truth = textured(seed, size)
        noise = np.random.default_rng(seed + 1).normal(0, sigma, truth.shape)
        noisy = np.clip(np.rint(truth + noise), 0, 255).astype(np.uint8)
        assert ratio(noisy, truth) > 1

    @given(seed=st.integers(0, 2**16), size=sizes)
    def test_half_the_contrast_has_a_quarter_of_the_power(self, seed: int, size: tuple[int, int]) -> None:
        truth = textured(seed, size)
        assert ratio(truth // 2, truth) == pytest.approx(0.25, rel=0.05)

    def test_only_fine_waves_count(self) -> None:
        """Waves of 3 pixels lie in the band, waves of 8 below it."""
        x = np.arange(64)
        coarse, fine = (np.sin(2 * np.pi * x / period)[None, :, None] for period in (8, 3))
        flat = np.full((64, 64, 3), 128.0)
        truth, coarser, finer = (
            np.rint(flat + wave).astype(np.uint8) for wave in (30 * fine, 30 * fine + 60 * coarse, 60 * fine)
        )
        assert ratio(coarser, truth) == pytest.approx(1, abs=0.01)
        assert ratio(finer, truth) == pytest.approx(4, rel=0.01)

    def test_flat_crops_are_harmless(self, truth: Picture) -> None:
        flat = np.full((40, 40, 3), 99, np.uint8)
        rounding = np.random.default_rng(0).integers(0, 2, flat.shape).astype(np.uint8)
        assert sharpness(flat, flat + np.uint8(20)) == 1
        assert 1 < ratio(flat + rounding, flat) < 3
        assert 0 < ratio(flat, truth[:40, :40]) < 0.1

    def test_small_crops_have_none(self, truth: Picture) -> None:
        assert sharpness(truth[:15], truth[:15]) is None
        assert sharpness(truth[:, :15], truth[:, :15]) is None
        assert sharpness(truth[:16, :16], truth[:16, :16]) == 1


class TestRegions:
    def test_grown_about_the_centre_and_clipped(self) -> None:
        assert grown((0.4, 0.2, 0.6, 0.8)) == pytest.approx((0.39, 0.17, 0.61, 0.83))
        assert grown((0.0, 0.5, 1.0, 1.0)) == pytest.approx((0.0, 0.475, 1.0, 1.0))

    def test_a_window_holds_every_pixel_that_is_touched(self) -> None:
        assert window((0.1, 0.25, 0.51, 0.75), 10, 8) == (slice(2, 6), slice(1, 6))

    def test_labels_on_pixel_edges_are_exact(self) -> None:
        for width in (64, 100, 256, 333):
            for left in range(0, width, 7):
                right = min(left + 5, width)
                found = window((left / width, 0, right / width, 1), width, 4)
                assert found == (slice(0, 4), slice(left, right))

    def test_an_empty_rectangle_touches_nothing(self) -> None:
        assert not touched([(0, 0, 0, 0), (0.5, 0.2, 0.5, 0.9)], 6, 4).any()

    def test_several_touch_their_union(self) -> None:
        region = touched([(0, 0, 0.5, 0.5), (0.25, 0.25, 0.75, 1)], 4, 4)
        expected = np.array([[1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 0]], bool)
        np.testing.assert_array_equal(region, expected)

    @given(seed=st.integers(0, 2**16), level=st.integers(1, 100))
    def test_a_region_and_the_rest_make_the_whole(self, seed: int, level: int) -> None:
        random = np.random.default_rng(seed)
        truth = random.integers(0, 156, (12, 9, 3)).astype(np.uint8)
        result = truth + random.integers(0, level + 1, truth.shape).astype(np.uint8)
        region = random.random((12, 9)) < 0.5
        share = region.mean()
        if 0 < share < 1:
            inside, rest = squared_error(result, truth, region), squared_error(result, truth, ~region)
            assert squared_error(result, truth) == pytest.approx(share * inside + (1 - share) * rest)
