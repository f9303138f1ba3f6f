"""The render border: which part of the full picture a border render shows."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray


def border_cut(
    picture: NDArray[np.float32], render: bpy.types.RenderSettings, columns: int, rows: int
) -> NDArray[np.float32]:
    """Return the part (rows, columns, C) of a full picture, top row first, that the border leaves.

    Blender multiplies and truncates in float32 and measures from the bottom; the size comes from the pass, so
    a border that is rounded otherwise can shift the cut by a pixel but never break it.
    """
    height, width = picture.shape[:2]
    if (rows, columns) == (height, width):
        return picture
    left = int(np.float32(render.border_min_x) * np.float32(width))
    bottom = int(np.float32(render.border_min_y) * np.float32(height))
    left = max(0, min(left, width - columns))
    top = max(0, min(height - bottom - rows, height - rows))
    return picture[top : top + rows, left : left + columns]
