"""Filling what photos did not show of objects, each from its own colours."""

from __future__ import annotations

import torch
from torch import Tensor

from na_core.model.batched.fill import bilinear, push_pull
from na_core.model.batched.pixels import Pixels, lookup, pixels_of

CANVAS = 32
"""Side in cells of the canvas on which an object's colours are averaged."""

LEVELS = 255 * 16
"""Colours are added up in whole numbers of this fraction: sums on a GPU then do not depend on their order."""


def fill_objects(picture: Tensor, owner: Tensor, usable: Tensor, objects: int) -> None:
    """Fill every object's unusable pixels from its usable ones, in all frames, in place.

    Push-pull per object, that starts at a canvas of :data:`CANVAS` cells of 2, 4, 8, ... pixels around the
    object's pixels instead of at single pixels: of an object of up to 64 pixels nothing is lost. An object
    without a usable pixel becomes 0.5 grey.

    Args:
        picture: (3, B, H, W) in [0, 1], contiguous.
        owner: (B, H, W) int32, the object that a pixel shows, -1 for none.
        usable: (B, H, W) bool, pixels whose colour is their object's.
        objects: of each frame; owners are fewer.
    """
    canvases = _Canvases(owner, objects)
    known, missing = (pixels_of((owner >= 0) & chosen) for chosen in (usable, ~usable))
    counts = (known.take(owner) >= 0) & known.take(usable)
    start, x, y = canvases.places(known, known.take(owner))
    cells = start + y.long().clamp_(0, CANVAS - 1) * CANVAS + x.long().clamp_(0, CANVAS - 1)
    values = torch.empty((len(cells), 4), dtype=torch.int32, device=owner.device)
    for channel in range(3):
        values[:, channel] = known.take(picture[channel]).mul_(LEVELS).round_()
    values[:, 3] = 1
    sums = torch.zeros((len(owner) * objects * CANVAS**2, 4), dtype=torch.int32, device=owner.device)
    sums.index_add_(0, cells, values.mul_(counts[:, None]))
    canvas = sums.view(-1, CANVAS, CANVAS, 4).movedim(-1, 1).float()
    means = canvas[:, :3] / (canvas[:, 3:] * LEVELS).clamp_min(1)
    filled = push_pull(means, (canvas[:, 3:] > 0).float())

    start, x, y = canvases.places(missing, missing.take(owner))
    kept = (missing.take(owner) < 0) | missing.take(usable)
    for channel, values in enumerate(_enlarged(filled, start, x, y)):
        plane = picture[channel]
        missing.put(torch.where(kept, missing.take(plane), values), plane)


class _Canvases:
    """Where the canvas of each object lies in its picture.

    Args:
        owner: (B, H, W) int32, the object that a pixel shows, -1 for none.
        objects: of each picture.
    """

    def __init__(self, owner: Tensor, objects: int) -> None:
        pixels = pixels_of(owner >= 0)
        owned = pixels.take(owner)
        number = (owned + pixels.row * objects).masked_fill_(owned < 0, len(owner) * objects)
        spans = []
        for centre, size in zip(pixels.centre, owner.shape[:0:-1], strict=True):
            found = torch.zeros((len(owner) * objects + 1, size), dtype=torch.bool, device=owner.device)
            found.view(-1).index_fill_(0, number * size + centre.long(), True)
            first = found[:-1].int().argmax(dim=1)
            spans.append((first, size - found[:-1].flip(1).int().argmax(dim=1) - first))
        (left, width), (top, height) = spans
        extent = torch.maximum(width, height).double()
        side = torch.exp2((extent / CANVAS).log2().ceil().clamp_min(1))  # of a cell, in pixels
        self._table = torch.stack([left, top, 1 / side], dim=-1).float().view(len(owner), objects, 3)

    def places(self, pixels: Pixels, owner: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return (P,) thrice: the first cell of each pixel's canvas, and the pixel's place there in cells."""
        look = lookup(self._table, pixels.row, owner)
        x, y = pixels.centre
        left, top, scale = (look(column) for column in range(3))
        start = (owner.clamp_min(0) + pixels.row * self._table.shape[1]) * CANVAS**2
        return start, (x - left) * scale, (y - top) * scale


def _enlarged(canvases: Tensor, start: Tensor, x: Tensor, y: Tensor) -> list[Tensor]:
    """Return three times (P,), canvases (n, 3, C, C) sampled bilinearly at places (P,) in cells."""
    x = (x - 0.5).clamp_(0, CANVAS - 1)
    y = (y - 0.5).clamp_(0, CANVAS - 1)
    left, top = x.floor().clamp_(max=CANVAS - 2), y.floor().clamp_(max=CANVAS - 2)
    corner = start + top.long() * CANVAS + left.long()
    return [bilinear(canvases[:, c].reshape(-1), corner, 1, CANVAS, x - left, y - top) for c in range(3)]
