"""Motion between two pictures, and pictures sampled along it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray


@dataclass(frozen=True)
class Flow:
    """Motion from one frame to another.

    Attributes:
        displacement: (H, W, 2) in pixels, x right and y down; 0 where not visible.
        visible: (H, W) bool, True where the point is seen in both frames.
    """

    displacement: NDArray[np.float32]
    visible: NDArray[np.bool_]


def sample_bilinear(picture: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Sample a picture (H, W, C) at image points (..., 2) in [0, 1]; points outside take the edge."""
    planes = torch.from_numpy(picture).double().permute(2, 0, 1)[None]
    grid = torch.from_numpy(2 * points - 1).view(1, -1, 1, 2)
    sampled = F.grid_sample(planes, grid, padding_mode="border", align_corners=False)[0, :, :, 0]
    return sampled.T.float().numpy().reshape(*points.shape[:-1], picture.shape[-1])
