"""Values at the photo's size: edges where the photo has them, and nothing beyond what was said."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.layers.upsampling import enlarged, guided

SIDE, TIMES = 32, 8


def photo_of(factor: np.ndarray, ground: float = 0.4) -> np.ndarray:
    """Return an evenly lit grey ground, darkened by factors (H, W) of linear light, (H, W, 3) sRGB."""
    level = np.rint(255 * (ground * factor) ** (1 / 2.2)).astype(np.uint8)
    return np.repeat(level[..., None], 3, axis=-1)


def half_shadow() -> tuple[np.ndarray, np.ndarray]:
    """Return the factors of a slanting shadow with a hard edge, and its logarithm at a small size."""
    row, column = np.mgrid[: SIDE * TIMES, : SIDE * TIMES]
    factor = np.where(column + 0.5 * row > 180, 0.5, 1.0)
    small = cv2.resize(np.log(factor).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return factor, cv2.blur(small, (3, 3))[..., None].repeat(3, axis=-1)


def test_a_shadows_edge_is_the_photos() -> None:
    factor, small = half_shadow()
    found, plain = guided(small, photo_of(factor)), enlarged(small, SIDE * TIMES, SIDE * TIMES)
    errors = [np.abs(each - np.log(factor)[..., None]).mean() for each in (found, plain)]
    assert errors[0] < 0.75 * errors[1]
    away = (
        cv2.dilate((np.abs(cv2.Sobel(factor, cv2.CV_64F, 1, 0)) > 0).astype(np.uint8), np.ones((49, 49))) == 0
    )
    np.testing.assert_allclose(found[away], np.log(factor)[away][:, None].repeat(3, 1), atol=0.05)


def test_what_is_black_by_itself_is_no_darker_shadow() -> None:
    factor, small = np.ones((SIDE * TIMES,) * 2), np.full((SIDE, SIDE, 3), -0.1, np.float32)
    small[:, SIDE // 2 :] = -0.2
    photo = photo_of(factor)
    photo[:, SIDE * TIMES // 2 :] = 2
    assert guided(small, photo).min() >= -0.2 - 1e-6


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 40), st.integers(1, 40), st.integers(1, 9))
def test_values_stay_between_those_around(seed: int, height: int, width: int, times: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(height, width, 3)).astype(np.float32)
    photo = rng.integers(0, 256, (times * height, times * width, 3), dtype=np.uint8)
    found = guided(values, photo)
    assert found.shape == photo.shape and np.isfinite(found).all()
    assert found.min() >= values.min() - 1e-5 and found.max() <= values.max() + 1e-5


@pytest.mark.parametrize("level", [0, 128, 255])
def test_on_a_flat_photo_they_are_smooth(level: int) -> None:
    values = np.linspace(-1, 0, SIDE, dtype=np.float32)[:, None, None].repeat(SIDE, 1).repeat(3, 2)
    found = guided(values, np.full((SIDE * 4, SIDE * 4, 3), level, np.uint8))
    np.testing.assert_allclose(found, enlarged(values, SIDE * 4, SIDE * 4), atol=0.12)
