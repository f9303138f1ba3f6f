"""Film > Transparent: the assets alone, without what is behind them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ..scene.srgb import linear_from_srgb, srgb_from_linear
from .colour import LINEAR_OF_SRGB, working_from_rec709
from .passes import ALPHA

NEEDED = ("alpha", "plate", "shadow")
"""Passes that it takes, of :data:`na_core.scene.PASS_NAMES`."""

FAINTEST = 1 / 512
"""Alpha below which a pixel shows nothing of an asset."""


def assets_alone(pixels: NDArray[np.uint8], passes: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return RGBA float32 (H, W, 4) in the file's working space, colours times alpha, as Blender keeps them.

    A pixel is its assets' colour over the background's, mixed in sRGB by alpha; that is undone.

    Args:
        pixels: (H, W, 3) uint8 sRGB, the frame.
        passes: :data:`NEEDED`, by Blender's names.
    """
    height, width = pixels.shape[:2]
    alpha = np.zeros((height, width, 1), np.float32)
    for name, values in passes.items():
        if name.startswith(ALPHA):
            alpha += values
    alpha = np.where(alpha < FAINTEST, 0, alpha).clip(0, 1)
    behind = srgb_from_linear((passes["Plate"] * passes["Shadow"]).clip(0, 1))
    mixed = pixels / np.float32(255) - (1 - alpha) * behind
    own = np.divide(mixed, alpha, out=np.zeros_like(mixed), where=alpha > 0).clip(0, 1)
    linear = linear_from_srgb(own)
    exact = (alpha == 1)[..., 0]
    linear[exact] = LINEAR_OF_SRGB[pixels[exact]]
    result = np.empty((height, width, 4), np.float32)
    result[..., :3] = (linear @ working_from_rec709().T) * alpha
    result[..., 3] = alpha[..., 0]
    return result
