"""Softened seams of many pictures; see :mod:`na_core.geometry.seams`."""

from __future__ import annotations

import torch
from torch import Tensor

from na_core.geometry.seams import SEAM, STILL, WEIGHTS
from na_core.model.batched.pixels import pixels_of, span


def soften_seams(picture: Tensor, owner: Tensor, x: Tensor, y: Tensor, shift: Tensor) -> Tensor:
    """Return pictures (3, B, H, W) whose pixels on seams are means of their neighbourhood.

    Args:
        picture: (3, B, H, W).
        owner: (B, H, W) what a pixel shows.
        x, y: (B, H, W), the photo's pixel that it shows.
        shift: (B, H, W) pixels by which that is somewhere else in the photo.
    """
    seams = span(owner) > 0
    for at in (x, y):
        seams |= span(at) > SEAM
    weight = (shift - STILL).clamp(0, 1) * seams
    pixels = pixels_of(weight > 0)
    share = pixels.take(weight)
    _, height, width = weight.shape
    down, across = pixels.at // width % height, pixels.at % width
    frame = pixels.row * (height * width)
    flat, softened = picture.flatten(1), picture.clone()
    mean = torch.zeros((3, len(share)), device=picture.device)
    for row, one in enumerate(WEIGHTS, start=-1):
        for column, other in enumerate(WEIGHTS, start=-1):
            place = (down + row).clamp(0, height - 1) * width + (across + column).clamp(0, width - 1)
            mean += one * other * flat.index_select(1, frame + place)
    own = flat.index_select(1, pixels.at)
    softened.flatten(1).index_copy_(1, pixels.at, own + share * (mean - own))
    return softened
