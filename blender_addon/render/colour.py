"""sRGB pixels of the decoder to the scene-linear floats of a render result."""

from __future__ import annotations

import numpy as np
from mathutils import Color
from numpy.typing import NDArray

from ..scene.srgb import linear_from_srgb

_CODES = np.arange(256, dtype=np.float64) / 255.0
LINEAR_OF_SRGB: NDArray[np.float32] = linear_from_srgb(_CODES).astype(np.float32)
"""Linear value of each of the 256 codes, by the exact piecewise formula."""


def scene_linear(pixels: NDArray[np.uint8], matrix: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Return RGBA float32 (H, W, 4) in the file's working space, alpha 1, of sRGB uint8 (H, W, 3).

    Args:
        pixels: of a picture.
        matrix: :func:`working_from_rec709`, which a thread other than Blender's must not ask for.
    """
    result = np.ones((*pixels.shape[:2], 4), dtype=np.float32)
    linear = LINEAR_OF_SRGB[pixels]
    if matrix is None:
        matrix = working_from_rec709()
    if not np.allclose(matrix, np.eye(3), atol=1e-5):
        linear = linear @ matrix.T
    result[..., :3] = linear
    return result


def working_from_rec709() -> NDArray[np.float32]:
    """Return the (3, 3) matrix into the working space, which is per file from Blender 5.0 on."""
    primaries = [Color(rgb).from_srgb_to_scene_linear() for rgb in ((1, 0, 0), (0, 1, 0), (0, 0, 1))]
    return np.array([(colour.r, colour.g, colour.b) for colour in primaries], dtype=np.float32).T


def resized(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return the picture at another size by repeating pixels: previews come smaller than the frame."""
    if pixels.shape[:2] == (height, width):
        return pixels
    rows = np.arange(height) * pixels.shape[0] // height
    columns = np.arange(width) * pixels.shape[1] // width
    return pixels[rows[:, None], columns[None, :]]
