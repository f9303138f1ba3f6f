"""Colours of copies that meet: what differs at their seams is spread over them.

Gradient-domain blending (Pérez et al., "Poisson Image Editing", 2003), with less trust in seams where much
differs: an edge that does not go on is left one instead of bleeding.
"""

import torch
from torch import Tensor

from na_core.cancellation import poll

TOLERANCE = 0.08
"""Difference at a seam, in [0, 1], from which it is trusted less."""

ITERATIONS = 120
"""Of conjugate gradients."""


def corrections(
    copied: Tensor, right: Tensor, down: Tensor, free: Tensor, wanted: Tensor, pull: float
) -> Tensor:
    """Return what to add to copied pixels so that they meet: (h, w, 3), 0 where they are not free.

    Args:
        copied: (h, w, 3) in [0, 1]; the photo where it is not free.
        right: (h, w - 1, 3), by how much a pixel should differ from the one to its left.
        down: (h - 1, w, 3), from the one above.
        free: (h, w) bool.
        wanted: (h, w, 3), corrections that are asked for.
        pull: by how much these are asked for, beside 1 for seams.
    """
    weight_right, target_right = _edges(copied[:, 1:] - copied[:, :-1], right, free[:, 1:], free[:, :-1])
    weight_down, target_down = _edges(copied[1:] - copied[:-1], down, free[1:], free[:-1])
    loose = free[..., None].float()

    def scattered(across: Tensor, along: Tensor) -> Tensor:
        total = torch.zeros_like(copied)
        total[:, 1:] += across
        total[:, :-1] -= across
        total[1:] += along
        total[:-1] -= along
        return total

    def applied(values: Tensor) -> Tensor:
        across = weight_right * (values[:, 1:] - values[:, :-1])
        along = weight_down * (values[1:] - values[:-1])
        return (scattered(across, along) + pull * values) * loose

    residual = (scattered(weight_right * target_right, weight_down * target_down) + pull * wanted) * loose
    found = torch.zeros_like(copied)
    diagonal = _diagonal(weight_right, weight_down, copied)
    precise = loose / (diagonal + pull).clamp_min(1e-6)
    direction = precise * residual
    product = (residual * direction).sum()
    for _ in range(ITERATIONS):
        poll()
        if product < 1e-10:
            break
        image = applied(direction)
        step = product / (direction * image).sum().clamp_min(1e-20)
        found += step * direction
        residual -= step * image
        ahead = precise * residual
        before, product = product, (residual * ahead).sum()
        direction = ahead + product / before * direction
    return found


def _edges(steps: Tensor, wanted: Tensor, one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
    """Return weights (h, w, 1) of pairs of pixels and by how much their corrections should differ."""
    target = wanted - steps
    size = target.abs().amax(dim=-1, keepdim=True)
    weight = 1 / (1 + (size / TOLERANCE).square())
    return weight * (one | two)[..., None], target


def _diagonal(right: Tensor, down: Tensor, like: Tensor) -> Tensor:
    total = torch.zeros_like(like[..., :1])
    total[:, 1:] += right
    total[:, :-1] += right
    total[1:] += down
    total[:-1] += down
    return total
