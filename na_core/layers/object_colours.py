"""The colours of objects on small canvases: what a point takes whose own colour no photo shows."""

from dataclasses import dataclass

import torch
from torch import Tensor

from na_core.raster.fill import push_pull
from na_core.raster.pixels import active

CANVAS = 32
"""Side in cells of the canvas on which an object's colours are averaged."""


@dataclass(frozen=True)
class ObjectColours:
    """Colours of K objects in each of M photos, around their pixels there.

    Attributes:
        colours: (M * K, 3, C, C) float32 in [0, 1], filled from the object's own; 0.5 grey of one without.
        place: (M, K, 3) float32: left and top of the canvas in the photo's pixels, and cells per pixel.
    """

    colours: Tensor
    place: Tensor


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
    filled = push_pull(means, (canvas[:, 3:] > 0).float())
    return ObjectColours(filled, place[:-1].view(photos, objects, 3))


def _span(number: Tensor, at: Tensor, count: int, size: int) -> tuple[Tensor, Tensor]:
    """Return the first position of each number's pixels, (count,), and how many positions they span."""
    first = torch.full((count,), size, dtype=at.dtype, device=at.device)
    last = torch.full((count,), -1, dtype=at.dtype, device=at.device)
    first.scatter_reduce_(0, number, at, "amin")
    last.scatter_reduce_(0, number, at, "amax")
    return first, (last + 1 - first).clamp_min(1)
