"""Seams: where neighbouring pixels of a proxy show what lay apart in the photo.

There a pixel stands for several surfaces, of which it shows one: outlines have steps, and surfaces that fold
behind each other sparkle. The mean of the neighbourhood is nearer to what a camera would see.
"""

import torch
from torch import Tensor

from na_core.raster.pixels import ActivePixels, span

SEAM = 8.0
"""Pixels of the photo that a pixel's eight neighbours span at most, unless it lies on a seam."""

STILL = 0.1
"""Pixels of motion that are none: rounding."""

WEIGHTS = (1 / 4, 1 / 2, 1 / 4)
"""Of the three rows, and of the three columns, that a pixel on a seam is the mean of."""


def soften_seams(picture: Tensor, owner: Tensor, x: Tensor, y: Tensor, shift: Tensor) -> Tensor:
    """Return pictures (3, B, H, W) whose pixels on seams are means of their neighbourhood.

    Args:
        picture: (3, B, H, W).
        owner: (B, H, W) what a pixel shows.
        x, y: (B, H, W), the photo's pixel that it shows.
        shift: (B, H, W) pixels by which that is somewhere else in the photo: what has not moved stays as it
            is, what has moved by less than a pixel in part.
    """
    seams = span(owner) > 0
    for at in (x, y):
        seams |= span(at) > SEAM
    weight = (shift - STILL).clamp(0, 1) * seams
    pixels = ActivePixels.of(weight > 0)
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
