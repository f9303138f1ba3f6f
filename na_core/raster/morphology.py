"""Regions that grow."""

import torch
import torch.nn.functional as F
from torch import Tensor

from na_core.cancellation import poll


def widened(weight: Tensor, radius: int) -> Tensor:
    """Grow weights (..., H, W) by so many pixels: the maximum over a square window."""
    weight = F.pad(weight, (radius, radius, radius, radius))
    for axis in (-2, -1):
        reach = 1
        while reach <= 2 * radius:  # maxima of maxima: the reach doubles
            poll()
            step = min(reach, 2 * radius + 1 - reach)
            length = weight.shape[axis] - step
            weight = torch.maximum(weight.narrow(axis, 0, length), weight.narrow(axis, step, length))
            reach += step
    return weight
