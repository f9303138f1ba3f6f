"""2D boxes of detections: how much they overlap, and which are one and the same object's."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

OVERLAP = 0.6
"""IoU of 2D boxes from which the less sure one is the same object."""


def overlaps(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return the intersection over union (K, M) of rectangles (K, 4) and (M, 4): x0, y0, x1, y1."""
    a = np.asarray(first, dtype=np.float64).reshape(-1, 1, 4)
    b = np.asarray(second, dtype=np.float64).reshape(1, -1, 4)
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=-1)
    areas = [np.prod(np.maximum(of[..., 2:] - of[..., :2], 0), axis=-1) for of in (a, b)]
    return np.asarray(shared / np.maximum(areas[0] + areas[1] - shared, 1e-12))


def distinct(rectangles: NDArray[np.float64]) -> list[int]:
    """Return the numbers of rectangles (K, 4), the surest first, that no surer kept one overlaps much."""
    table = overlaps(rectangles, rectangles)
    kept: list[int] = []
    for number in range(len(rectangles)):
        if not (table[number, kept] > OVERLAP).any():
            kept.append(number)
    return kept
