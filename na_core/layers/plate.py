"""Plates: photos without their hidden objects and the strips around them, holes filled."""

import numpy as np
import torch
from torch import Tensor

from na_core.layers.plate_texture import textured
from na_core.raster.fill import push_pull
from na_core.raster.morphology import widened
from na_core.raster.pixels import BoxTable

PLATE_MARGIN = 0.012
"""Width of the strip around an object that leaves with it, in units of the picture's longer side."""


def strip_radius(width: int, height: int) -> int:
    """Return the strip's width in pixels of a photo of that size."""
    return max(1, round(PLATE_MARGIN * max(width, height)))


def plates(pictures: Tensor, cover: Tensor, hidden: Tensor, texture: bool) -> tuple[Tensor, Tensor]:
    """Take hidden objects and the strips around them out of photos and fill the holes.

    A plate is made in the source view, once per photo, so that a still camera sees the same background in
    every frame.

    Args:
        pictures: (M, H, W, 3) uint8.
        cover: (M, H, W), the object that each pixel may show, -1 for none.
        hidden: (M, K) bool, the objects to take out.
        texture: holes get the photo's own texture, see :mod:`na_core.layers.plate_texture`; else they are
            smooth.

    Returns:
        (M, H, W, 3) uint8 plates, and (M, H, W) bool where they are the photos themselves.
    """
    photos, height, width = cover.shape
    rows = torch.arange(photos, device=cover.device)[:, None, None]
    hides = BoxTable(hidden[..., None], rows, cover.long())[0] & (cover >= 0)
    real = widened(hides.float(), strip_radius(width, height)) == 0
    planes = pictures.permute(0, 3, 1, 2).float() / 255
    filled = push_pull(planes, real[:, None].float()).movedim(1, -1)
    if texture:
        each = zip(filled.cpu().numpy(), real.cpu().numpy(), strict=True)
        filled = torch.from_numpy(np.stack([textured(*plate) for plate in each])).to(pictures.device)
    made = (filled.clamp(0, 1) * 255).round().to(torch.uint8)
    return torch.where(real[..., None], pictures, made), real
