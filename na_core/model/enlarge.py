"""What the decoder made, at the size of the output."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def at_output_size(decoded: Tensor, scale: float, width: int, height: int) -> Tensor:
    """Return what was decoded at the size of the output: bicubic, or the mean over a larger pixel.

    Args:
        decoded: (B, C, h, w), whose upper left corner is the output's.
        scale: its pixels per pixel of the output.
        width, height: of the output.

    Returns:
        (B, C, height, width).
    """
    if scale == 1:
        return decoded[..., :height, :width]
    rows, columns = decoded.shape[-2:]
    mode = "bicubic"
    if scale > 1:
        kernel = round(scale) // 2 * 2 + 1
        decoded = F.avg_pool2d(decoded, kernel, 1, kernel // 2, count_include_pad=False)
        mode = "bilinear"
    x, y = (
        ((torch.arange(size, dtype=torch.float64) + 0.5) * (2 * scale / side) - 1).float().to(decoded.device)
        for size, side in ((width, columns), (height, rows))
    )
    grid = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).expand(len(decoded), -1, -1, -1)
    return F.grid_sample(decoded, grid, mode=mode, padding_mode="border", align_corners=False)
