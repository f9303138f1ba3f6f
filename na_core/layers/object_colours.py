"""Objects on small canvases: colours for points whose own no photo shows, and how far objects may reach."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from na_core.raster.fill import push_pull
from na_core.raster.pixels import active

CANVAS = 32
"""Side in cells of the canvas on which an object's colours are averaged."""


DIRECTIONS = 32
"""In which an object's hull is as wide as the object."""

CORNER = 0.75
"""Cells from a cell's middle, and pixels from a pixel's, beyond which nothing of it is."""


@dataclass(frozen=True)
class ObjectColours:
    """Colours of K objects in each of M photos, around their pixels there.

    Attributes:
        colours: (M * K, 3, C, C) float32 in [0, 1], filled from the object's own; 0.5 grey of one without.
        extent: (M * K, D) float32, how far the object reaches in each of :data:`DIRECTIONS` directions, in
            cells from the middle of the upper left one; -infinity for one without pixels.
        place: (M, K, 3) float32: left and top of the canvas in the photo's pixels, and cells per pixel.
    """

    colours: Tensor
    extent: Tensor
    place: Tensor

    def may_hide(self, number: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Tell whether objects may go on at places (P,) that something else hides: in their convex hulls.

        Args:
            number: (P,) int64, the photo's times K plus the object's.
            x, y: (P,) float32, in the photo's pixels.
        """
        left, top, scale = self.place.view(-1, 3)[number].unbind(-1)
        column, row = (x - left) * scale - 0.5, (y - top) * scale - 0.5
        margin = CORNER * (1 + scale)
        return (_along(column, row) <= self.extent[number] + margin[:, None]).all(dim=-1)


def object_colours(pictures: Tensor, owner: Tensor, objects: int) -> ObjectColours:
    """Average every object's colours on a canvas over its pixels, and fill what it does not show.

    Args:
        pictures: (M, H, W, 3) uint8.
        owner: (M, H, W), the object that a pixel shows, -1 for none.
        objects: boxes of each photo, K.
    """
    photos, height, width = owner.shape
    at = active(owner.flatten() >= 0)
    photo, row, column = at // (height * width), at // width % height, at % width
    owned = owner.flatten()[at].long()
    number = torch.where(owned < 0, photos * objects, photo * objects + owned)  # of no object: one more
    left, across = _span(number, column, photos * objects + 1, width)
    top, down = _span(number, row, photos * objects + 1, height)
    side = torch.maximum(across, down).float() / CANVAS  # of a cell, in pixels
    place = torch.stack([left.float(), top.float(), 1 / side], dim=-1)

    x = ((column + 0.5 - left[number]) / side[number]).long().clamp_(0, CANVAS - 1)
    y = ((row + 0.5 - top[number]) / side[number]).long().clamp_(0, CANVAS - 1)
    values = torch.ones((len(at), 4), dtype=torch.int32, device=owner.device)
    values[:, :3] = pictures.reshape(-1, 3)[at].int()
    sums = torch.zeros(((photos * objects + 1) * CANVAS**2, 4), dtype=torch.int32, device=owner.device)
    sums.index_add_(0, (number * CANVAS + y) * CANVAS + x, values)
    canvas = sums.view(-1, CANVAS, CANVAS, 4)[:-1].movedim(-1, 1).float()
    means = canvas[:, :3] / (canvas[:, 3:] * 255).clamp_min(1)
    shown = canvas[:, 3] > 0
    filled = push_pull(means, shown[:, None].float())
    return ObjectColours(filled, _extent(shown), place[:-1].view(photos, objects, 3))


def _along(column: Tensor, row: Tensor) -> Tensor:
    """Return how far positions (...) lie in each direction, (..., D)."""
    angles = torch.arange(DIRECTIONS, device=column.device) * (2 * math.pi / DIRECTIONS)
    return column[..., None] * angles.cos() + row[..., None] * angles.sin()


def _extent(shown: Tensor) -> Tensor:
    """Return how far cells (n, C, C) reach in each direction, (n, D); -infinity if there are none."""
    cells = torch.arange(CANVAS, dtype=torch.float32, device=shown.device)
    along = _along(cells.expand(CANVAS, -1), cells[:, None].expand(-1, CANVAS))
    return torch.where(shown[..., None], along, -torch.inf).amax(dim=(1, 2))


def _span(number: Tensor, at: Tensor, count: int, size: int) -> tuple[Tensor, Tensor]:
    """Return the first position of each number's pixels, (count,), and how many positions they span."""
    first = torch.full((count,), size, dtype=at.dtype, device=at.device)
    last = torch.full((count,), -1, dtype=at.dtype, device=at.device)
    first.scatter_reduce_(0, number, at, "amin")
    last.scatter_reduce_(0, number, at, "amax")
    return first, (last + 1 - first).clamp_min(1)
