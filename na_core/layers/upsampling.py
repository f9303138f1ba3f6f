"""From the working size to the photo's own: values that follow the photo's edges."""

import cv2
import numpy as np
from numpy.typing import NDArray

from na_core.cancellation import poll
from na_core.raster.colour import LUMINANCE

RADIUS = 2
"""Pixels of the smaller picture around each within which values depend linearly on the photo."""

EPSILON = 0.002
"""Variance of the photo's logarithmic brightness below which it says nothing of the values."""


def guided(values: NDArray[np.float32], picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return values at a photo's size, with edges where the photo has them.

    A guided filter whose coefficients are enlarged (He and Sun, "Fast Guided Filter", 2015). Its guide is the
    logarithm of the photo's brightness, in which a shadow is the same step on any ground.

    Args:
        values: (h, w, C), at any size of the photo's shape.
        picture: (H, W, 3) sRGB.

    Returns:
        (H, W, C) float32.
    """
    poll()
    height, width = picture.shape[:2]
    rows, columns = values.shape[:2]
    guide = _brightness(picture)
    small = cv2.resize(guide, (columns, rows), interpolation=cv2.INTER_AREA)[..., None]
    mean, mean_values = _mean(small), _mean(values)
    variance = _mean(small * small) - mean * mean
    slope = (_mean(small * values) - mean * mean_values) / (variance + EPSILON)
    offset = mean_values - slope * mean
    slope, offset = (enlarged(_mean(each), width, height) for each in (slope, offset))
    # Edges are the photo's, but values are never beyond those around: what is black is not all shadow.
    window = np.ones((2 * RADIUS + 1,) * 2, np.uint8)
    low, high = (
        enlarged(extreme(values, window).reshape(values.shape), width, height)
        for extreme in (cv2.erode, cv2.dilate)
    )
    slope *= guide[..., None]  # in place: of a large photo each array is large
    slope += offset
    return np.clip(slope, low, high, out=slope)


def enlarged(values: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Return values (h, w, C) at another size, (height, width, C), without edges of their own."""
    poll()
    resized = cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR)
    return resized.reshape(height, width, values.shape[2])


def _brightness(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    light = (np.arange(256, dtype=np.float32) / 255) ** 2.2
    brightness = cv2.transform(cv2.LUT(picture, light), np.array([LUMINANCE], np.float32))
    brightness += 0.01
    return np.log(brightness, out=brightness)


def _mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    side = 2 * RADIUS + 1
    return cv2.blur(values, (side, side), borderType=cv2.BORDER_REFLECT).reshape(values.shape)
