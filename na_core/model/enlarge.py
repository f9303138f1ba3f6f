"""What the decoder made, at the size of the output."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

ROUNDING = 1e-9
"""By how much the size is larger, so that rounding down loses no pixel."""


def at_output_size(decoded: Tensor, scale: float, width: int, height: int) -> Tensor:
    """Return what was decoded at the size of the output: bicubic, or the mean over a larger pixel.

    Args:
        decoded: (B, C, h, w), whose upper left corner is the output's.
        scale: its pixels per pixel of the output.
        width, height: of the output.

    Returns:
        (B, C, height, width).
    """
    if scale != 1:
        factor = (1 + ROUNDING) / scale
        decoded = F.interpolate(decoded, scale_factor=factor, mode="bicubic", antialias=True)
    return decoded[..., :height, :width]
