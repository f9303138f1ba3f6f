"""Filling holes smoothly from their surroundings in many pictures at once, and bilinear sampling."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from na_core.geometry.fill import SUBPIXEL


def push_pull(pictures: Tensor, weights: Tensor) -> Tensor:
    """Fill pixels of weight 0 with a smooth interpolation of the others.

    :func:`na_core.geometry.fill.push_pull` of every picture. Pixels of weight 1 are returned unchanged; a
    picture without any weight becomes 0.5 grey.

    Args:
        pictures: (B, C, H, W).
        weights: (B, 1, H, W) in [0, 1].

    Returns:
        (B, C, H, W).
    """
    rows, columns = weights.shape[-2:]
    if min(rows, columns) <= 1:
        total = weights.sum(dim=(2, 3), keepdim=True)
        mean = (pictures * weights).sum(dim=(2, 3), keepdim=True) / total.clamp_min(1e-12)
        filling = torch.where(total > 0, mean, 0.5).expand_as(pictures)
    else:
        coarse = F.interpolate(
            push_pull(*_pull(pictures, weights)), scale_factor=2, mode="bilinear", align_corners=False
        )
        filling = coarse[..., :rows, :columns]
    return filling.lerp(pictures, weights)


def _pull(pictures: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Halve pictures: weighted means over 2 x 2 pixels, weights saturating at 1."""
    rows, columns = weights.shape[-2:]
    stack = torch.cat([pictures * weights, weights], dim=1)
    if rows % 2 or columns % 2:
        stack = F.pad(stack, (0, columns % 2, 0, rows % 2))
    sums = F.avg_pool2d(stack, 2, divisor_override=1)
    total = sums[:, -1:]
    return sums[:, :-1] / total.clamp_min(1e-6), total.clamp_max(1.0)


def sample_bytes(pictures: Tensor, photo: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Sample pictures bilinearly; positions outside take the edge.

    Positions are rounded to 1 / :data:`na_core.geometry.fill.SUBPIXEL` of a pixel, so that a point which went
    through box coordinates and back to where it came from returns its pixel exactly.

    Args:
        pictures: (M, H, W, 3) uint8.
        photo: (P,) int64, which of them.
        x, y: (P,) pixels; the first pixel's centre is at 0.5.

    Returns:
        (3, P) float32 in [0, 1].
    """
    rows, columns = pictures.shape[1:3]
    flat = pictures.reshape(-1, 3)
    corner, right, below, share_x, share_y = _cell(x, y, rows, columns)
    corner = corner + photo * (rows * columns)

    def tap(step: int) -> Tensor:
        planes = torch.empty((3, len(corner)), device=corner.device)
        return planes.copy_(flat.index_select(0, corner + step if step else corner).t())

    top = tap(0).lerp_(tap(right), share_x)
    bottom = tap(below).lerp_(tap(below + right), share_x)
    return top.lerp_(bottom, share_y).div_(255)


def sample_planes(pictures: Tensor, row: Tensor, x: Tensor, y: Tensor) -> list[Tensor]:
    """Sample float pictures bilinearly, as :func:`sample_bytes` does.

    Args:
        pictures: (B, C, H, W).
        row: (P,) int64, which of them.
        x, y: (P,) pixels.

    Returns:
        Each channel, (P,).
    """
    rows, columns = pictures.shape[2:]
    corner, right, below, share_x, share_y = _cell(x, y, rows, columns)
    corner = corner + row * (rows * columns)
    return [
        bilinear(pictures[:, channel].reshape(-1), corner, right, below, share_x, share_y)
        for channel in range(pictures.shape[1])
    ]


def bilinear(
    flat: Tensor, corner: Tensor, right: int, below: int, share_x: Tensor, share_y: Tensor
) -> Tensor:
    """Return (P,) values between four cells of a flat plane.

    Args:
        flat: (n,).
        corner: (P,) int64, the upper left cells.
        right, below: how much further the cells beside and below are.
        share_x, share_y: (P,) in [0, 1], how far to go there.
    """
    top = flat.index_select(0, corner).lerp_(flat.index_select(0, corner + right), share_x)
    bottom = flat.index_select(0, corner + below)
    bottom.lerp_(flat.index_select(0, corner + (below + right)), share_x)
    return top.lerp_(bottom, share_y)


def _cell(x: Tensor, y: Tensor, rows: int, columns: int) -> tuple[Tensor, int, int, Tensor, Tensor]:
    """Return where the four pixels around positions lie in a flat picture, and the positions between them."""
    x = ((x - 0.5) * SUBPIXEL).round_().div_(SUBPIXEL).clamp_(0, columns - 1)
    y = ((y - 0.5) * SUBPIXEL).round_().div_(SUBPIXEL).clamp_(0, rows - 1)
    left = x.floor().clamp_(max=max(columns - 2, 0))
    top = y.floor().clamp_(max=max(rows - 2, 0))
    corner = top.long() * columns + left.long()
    return corner, min(1, columns - 1), columns * min(1, rows - 1), x - left, y - top
