"""Filling holes smoothly from their surroundings in many pictures at once."""

import torch
import torch.nn.functional as F
from torch import Tensor


def push_pull(pictures: Tensor, weights: Tensor) -> Tensor:
    """Fill pixels of weight 0 with a smooth interpolation of the others.

    Push-pull over an image pyramid (Gortler et al., "The Lumigraph", 1996, section 3.4). Pixels of weight 1
    are returned unchanged; a picture without any weight becomes 0.5 grey.

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
