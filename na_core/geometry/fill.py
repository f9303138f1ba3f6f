"""Filling holes smoothly from their surroundings (push-pull), and bilinear sampling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def push_pull(picture: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fill pixels of weight 0 with a smooth interpolation of the others.

    Push-pull over an image pyramid (Gortler et al., "The Lumigraph", 1996, section 3.4). Pixels of weight 1
    are returned unchanged; a picture without any weight becomes 0.5 grey.

    Args:
        picture: (H, W, C).
        weight: (H, W) in [0, 1].
    """
    if min(weight.shape) <= 1:
        total = float(weight.sum())
        mean = (picture * weight[..., None]).sum(axis=(0, 1)) / total if total > 0 else np.float32(0.5)
        blend = weight[..., None]
        return (picture * blend + (1 - blend) * mean).astype(np.float32)
    coarse, coarse_weight = _pull(picture, weight)
    filled = push_pull(coarse, coarse_weight)
    blend = weight[..., None]
    return picture * blend + (1 - blend) * _enlarge(filled, *weight.shape)


def _pull(
    picture: NDArray[np.float32], weight: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Halve a picture: weighted mean over 2 x 2 pixels, weight saturating at 1."""
    rows, columns = weight.shape
    pad = ((0, rows % 2), (0, columns % 2))
    w = np.pad(weight, pad)
    p = np.pad(picture, (*pad, (0, 0))) * w[..., None]
    h2, w2 = w.shape[0] // 2, w.shape[1] // 2
    total = w.reshape(h2, 2, w2, 2).sum(axis=(1, 3))
    mean = p.reshape(h2, 2, w2, 2, -1).sum(axis=(1, 3)) / np.maximum(total, 1e-6)[..., None]
    return mean.astype(np.float32), np.minimum(total, 1.0).astype(np.float32)


def _enlarge(picture: NDArray[np.float32], rows: int, columns: int) -> NDArray[np.float32]:
    """Double a picture bilinearly and cut it to (rows, columns)."""
    for axis, size in ((0, rows), (1, columns)):
        positions = (np.arange(size) + 0.5) / 2 - 0.5
        low = np.floor(positions).astype(int)
        fraction = (positions - low).astype(np.float32)
        last = picture.shape[axis] - 1
        before = np.take(picture, np.clip(low, 0, last), axis=axis)
        after = np.take(picture, np.clip(low + 1, 0, last), axis=axis)
        shape = [1, 1, 1]
        shape[axis] = size
        fraction = fraction.reshape(shape)
        picture = before * (1 - fraction) + after * fraction
    return picture


SUBPIXEL = 1024
"""Sampling positions are rounded to this fraction of a pixel, as a graphics card does with a coarser one."""


def sample_bilinear(picture: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Sample a picture (H, W, C) at image points (..., 2) in [0, 1]; points outside take the edge.

    Positions are rounded to 1 / :data:`SUBPIXEL` of a pixel, so that a point which went through float32
    box coordinates and back to where it came from returns its pixel exactly.
    """
    rows, columns = picture.shape[:2]
    x = np.clip(np.rint((points[..., 0] * columns - 0.5) * SUBPIXEL) / SUBPIXEL, 0, columns - 1)
    y = np.clip(np.rint((points[..., 1] * rows - 0.5) * SUBPIXEL) / SUBPIXEL, 0, rows - 1)
    x0 = np.minimum(x.astype(np.intp), max(columns - 2, 0))
    y0 = np.minimum(y.astype(np.intp), max(rows - 2, 0))
    x1, y1 = np.minimum(x0 + 1, columns - 1), np.minimum(y0 + 1, rows - 1)
    fx = (x - x0).astype(np.float32)[..., None]
    fy = (y - y0).astype(np.float32)[..., None]
    top = picture[y0, x0] * (1 - fx) + picture[y0, x1] * fx
    bottom = picture[y1, x0] * (1 - fx) + picture[y1, x1] * fx
    return (top * (1 - fy) + bottom * fy).astype(np.float32)
