"""Tiles: parts of a picture of the size that a network knows, which overlap and are blended."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

OVERLAP = 0.25
"""Share of a tile's side that it has in common with the next."""


def tiles(height: int, width: int, side: int, multiple: int) -> Iterator[tuple[slice, slice]]:
    """Yield rows and columns of tiles that cover a picture.

    Args:
        height, width: of the picture, multiples of ``multiple``.
        side: of a tile at most, a multiple of it, too.
        multiple: that starts and sizes are of.
    """
    for top in _starts(height, side, multiple):
        for left in _starts(width, side, multiple):
            yield slice(top, min(top + side, height)), slice(left, min(left + side, width))


def window(rows: slice, columns: slice, height: int, width: int) -> NDArray[np.float32]:
    """Return how much each pixel (h, w) of a tile counts: less towards sides that it shares with others."""
    down, across = (_ramp(part, whole) for part, whole in ((rows, height), (columns, width)))
    found: NDArray[np.float32] = np.outer(down, across).astype(np.float32)
    return found


def _starts(whole: int, side: int, multiple: int) -> list[int]:
    if whole <= side:
        return [0]
    step = max(multiple, int(side * (1 - OVERLAP)) // multiple * multiple)
    starts = list(range(0, whole - side, step))
    return [*starts, (whole - side) // multiple * multiple]


def _ramp(part: slice, whole: int) -> NDArray[np.float64]:
    count = part.stop - part.start
    length = max(1.0, count * OVERLAP)
    at = np.arange(count) + 0.5
    before = np.clip(at / length, 1e-3, 1) if part.start > 0 else np.ones(count)
    after = np.clip((count - at) / length, 1e-3, 1) if part.stop < whole else np.ones(count)
    return np.minimum(before, after)
