"""Objects that others hide in part: what is cut out of photos, with what is cut out of others in front.

Copy-paste augmentation (Ghiasi et al., "Simple Copy-Paste is a Strong Data Augmentation Method for Instance
Segmentation", 2021), of single objects.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST, LARGEST = 0.5, 1.2
"""Sizes of what is in front, over those that they were cut out with."""

LEAST_KEPT, MOST_KEPT = 0.25, 0.98
"""Shares of what shows of an object that are left to it; where less or more would be left all stays."""


@dataclass(frozen=True)
class CutOut:
    """K parts of photos, and N objects that each of them shows, or fewer.

    Attributes:
        pictures: (K, 3, S, S) in [0, 1].
        shown: (K, N, S, S) in [0, 1], where objects show; zero of what is none.
        rectangles: (K, N, 4) bounds of what shows, x and y (down) of the photo.
    """

    pictures: Tensor
    shown: Tensor
    rectangles: Tensor


def covered(
    cuts: CutOut, squares: Tensor, chosen: Tensor, random: np.random.Generator
) -> tuple[CutOut, Tensor]:
    """Return parts of which each chosen one has the first object of the one before it in front, if that fits.

    It is somewhere there, and of another size. Where it is in front is returned as well, (K,) bool.

    Args:
        cuts: the parts.
        squares: (K, 3), what was cut out: x and y of the middle and side, in the units of rectangles.
        chosen: (K,) bool.
        random: decides where.
    """
    count, device = len(squares), cuts.shown.device
    sizes = torch.from_numpy(random.uniform(SMALLEST, LARGEST, (count, 1, 1))).to(device).float()
    shifts = torch.from_numpy(random.uniform(-1, 1, (count, 2, 1))).to(device).float()
    ways = torch.cat([torch.eye(2, device=device) / sizes, shifts / sizes], dim=2)
    layers = torch.cat([cuts.pictures, cuts.shown[:, :1]], dim=1).roll(1, dims=0)
    grid = F.affine_grid(ways, list(layers.shape), align_corners=False)
    colours, front = F.grid_sample(layers, grid, align_corners=False).split([3, 1], dim=1)
    left = cuts.shown * (1 - front)
    before = cuts.shown.sum(dim=(2, 3))
    kept = torch.where(before > 0, left.sum(dim=(2, 3)) / before.clamp_min(1e-6), 1.0).amin(dim=1)
    used = chosen.to(device) & (kept >= LEAST_KEPT) & (kept <= MOST_KEPT)
    front = front * used[:, None, None, None]
    shown = torch.where(used[:, None, None, None], left, cuts.shown)
    side = squares[:, None, 2:].to(device)
    bounds = _bounds(shown)
    edges = (squares[:, None, :2].to(device) - side / 2).repeat(1, 1, 2) + bounds * side
    moved = used[:, None, None] & (_bounds(cuts.shown) != bounds)
    rectangles = torch.where(moved, edges, cuts.rectangles.to(device))
    return CutOut(cuts.pictures * (1 - front) + colours * front, shown, rectangles), used


def _bounds(shown: Tensor) -> Tensor:
    """Return the bounds (K, N, 4) of what shows, as shares of the side; 1 and 0 of nothing."""
    side = shown.shape[-1]
    place = torch.arange(side, device=shown.device)
    lows, highs = [], []
    for axis in (2, 3):  # across, then down
        there = (shown >= 0.5).any(dim=axis)
        lows.append(torch.where(there, place, side).amin(dim=2))
        highs.append(torch.where(there, place + 1, 0).amax(dim=2))
    return torch.stack([*lows, *highs], dim=2) / side
