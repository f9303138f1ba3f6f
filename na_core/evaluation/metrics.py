"""Metrics between a result and the truth, as pure functions of 8-bit pictures (H, W, 3)."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from na_core.scene import Picture, Rectangle

Region = NDArray[np.bool_]

MAX_PSNR = 60.0
"""Decibels at which PSNR stops: less error than rounding to 8 bits makes counts as none."""

SSIM_WINDOW = 11
"""Pixels of the Gaussian window; smaller crops are enlarged to it."""

OBJECT_GROWTH = 0.1
"""By how much of its size an object's 2D box is grown, in all, before its crop is taken."""

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in luma (ITU-R BT.601)."""

SHARPNESS_BAND = (0.25, 0.5)
"""Radii of the band of fine detail, in cycles per pixel: half the Nyquist radius and the Nyquist radius."""

ROUNDING_POWER = 1 / 12
"""Variance, in squared 8-bit levels, of the noise that rounding to whole levels makes."""

MIN_CROP_SIDE = 16
"""Pixels a side below which a crop holds too few waves of the band to have a sharpness."""


def squared_error(result: Picture, truth: Picture, region: Region | None = None) -> float:
    """Return the mean squared error in squared 8-bit levels.

    Args:
        result, truth: (H, W, 3).
        region: (H, W), the pixels that count; None for all.

    Raises:
        ValueError: the sizes differ, or no pixel counts.
    """
    _check(result, truth)
    error = (result.astype(np.float64) - truth.astype(np.float64)) ** 2
    counted = error if region is None else error[region]
    if not counted.size:
        raise ValueError("an error needs at least one pixel")
    return float(counted.mean())


def psnr(result: Picture, truth: Picture, region: Region | None = None) -> float:
    """Return the peak signal-to-noise ratio in decibels, at most :data:`MAX_PSNR`.

    Arguments and errors are those of :func:`squared_error`.
    """
    mean = squared_error(result, truth, region)
    return MAX_PSNR if mean == 0 else min(MAX_PSNR, 10 * math.log10(255**2 / mean))


def ssim(result: Picture, truth: Picture) -> float:
    """Return the structural similarity in [-1, 1] (Wang et al. 2004: Gaussian window, sigma 1.5).

    Raises:
        ValueError: the sizes differ.
    """
    from skimage.metrics import structural_similarity

    _check(result, truth)
    return float(
        structural_similarity(
            *(_at_least(picture, SSIM_WINDOW) for picture in (result, truth)),
            channel_axis=-1,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
    )


def sharpness(result: Picture, truth: Picture) -> float | None:
    """Return the power of the result's fine detail over the truth's: 1 is right, less is blurred, more noisy.

    Fine detail is the radial power spectrum of luma in :data:`SHARPNESS_BAND`. Both powers get that of 8-bit
    rounding noise added, so where the truth is flat a flat result is right and nothing is divided by zero.

    Returns:
        The ratio, or None for pictures of less than :data:`MIN_CROP_SIDE` pixels a side.

    Raises:
        ValueError: the sizes differ.
    """
    _check(result, truth)
    if min(truth.shape[:2]) < MIN_CROP_SIDE:
        return None
    return _fine_detail(result) / _fine_detail(truth)


def _fine_detail(picture: Picture) -> float:
    """Return the mean power per frequency in the band, in squared levels, with that of rounding noise."""
    luma = picture.astype(np.float64) @ np.array(LUMA)
    rows, columns = luma.shape
    # A Hann window: without it the picture's borders, which do not meet, would count as detail.
    window = np.outer(np.hanning(rows + 2)[1:-1], np.hanning(columns + 2)[1:-1])
    mean = (luma * window).sum() / window.sum()
    power = np.abs(np.fft.fft2((luma - mean) * window)) ** 2 / (window**2).sum()
    radius = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns)[None, :])
    low, high = SHARPNESS_BAND
    return float(power[(radius >= low) & (radius <= high)].mean()) + ROUNDING_POWER


def grown(rectangle: Rectangle, growth: float = OBJECT_GROWTH) -> tuple[float, float, float, float]:
    """Return a rectangle (x0, y0, x1, y1) with both sides longer by a share, about its centre, in [0, 1]."""
    x0, y0, x1, y1 = rectangle
    dx, dy = (x1 - x0) * growth / 2, (y1 - y0) * growth / 2
    return max(0.0, x0 - dx), max(0.0, y0 - dy), min(1.0, x1 + dx), min(1.0, y1 + dy)


def window(rectangle: Rectangle, width: int, height: int) -> tuple[slice, slice]:
    """Return the rows and columns of the pixels that a rectangle touches: none if it is empty."""
    x0, y0, x1, y1 = rectangle
    if x1 <= x0 or y1 <= y0:
        return slice(0, 0), slice(0, 0)
    # Rectangles come from pixel edges: rounding first keeps 0.1 * 10 / 10 on its edge.
    left, top = (math.floor(round(v, 6)) for v in (x0 * width, y0 * height))
    right, bottom = (math.ceil(round(v, 6)) for v in (x1 * width, y1 * height))
    return slice(max(0, top), min(height, bottom)), slice(max(0, left), min(width, right))


def touched(rectangles: Sequence[Rectangle], width: int, height: int) -> Region:
    """Return the (height, width) pixels that any of the rectangles touches."""
    region = np.zeros((height, width), bool)
    for rectangle in rectangles:
        region[window(rectangle, width, height)] = True
    return region


def _check(result: Picture, truth: Picture) -> None:
    if result.shape != truth.shape:
        raise ValueError(f"pictures of different sizes: {result.shape} and {truth.shape}")


def _at_least(picture: Picture, side: int) -> Picture:
    """Return the picture, enlarged bicubically where a side is shorter than ``side`` pixels."""
    rows, columns = picture.shape[:2]
    size = (max(columns, side), max(rows, side))
    if size == (columns, rows):
        return picture
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
