"""How bright, and of what colour, photos and their objects are: what tells of their light."""

import torch
from torch import Tensor

from na_core.raster.colour import linear_from_srgb

SIDE = 512
"""Samples along the longer side of a photo, at most."""

LEAST = 32
"""Samples of an object below which nothing is said of it."""

DARK = 0.005
"""Of linear light, added to it before its logarithm is taken."""


def photo_tones(picture: Tensor, foreground: Tensor, owner: Tensor, objects: int) -> Tensor:
    """Return natural logarithms of colours in linear light (M, 1 + K, 3) float32: the photo's, each object's.

    The photo's is the mean of its pixels' logarithms, whatever they show; an object's the logarithm of its
    mean light, NaN for one that the photo hardly shows. So each is the same whichever boxes are known.

    Args:
        picture: (M, H, W, 3) uint8 sRGB, the photos.
        foreground: (M, H, W, 3) uint8 sRGB, the objects' colours.
        owner: (M, H, W), the object that a pixel shows, -1 for none.
        objects: of each photo, K.
    """
    step = -(-max(owner.shape[1:]) // SIDE)
    few = (slice(None), slice(step // 2, None, step), slice(step // 2, None, step))
    picture, foreground, owner = (values[few] for values in (picture, foreground, owner))
    light = linear_from_srgb(torch.arange(256, device=owner.device) / 255).double()
    tones = torch.full((len(owner), 1 + objects, 3), torch.nan, dtype=torch.float64, device=owner.device)
    levels = _levels(picture, torch.zeros_like(owner), 1)[:, 0]
    tones[:, 0] = levels @ (light + DARK).log() / levels.sum(-1).clamp_min(1)
    if objects:
        levels = _levels(foreground, owner, objects)
        counts = levels.sum(-1)
        means = (levels @ light / counts.clamp_min(1) + DARK).log()
        tones[:, 1:] = means.masked_fill(counts < LEAST, torch.nan)
    return tones.float()


def _levels(pictures: Tensor, owner: Tensor, objects: int) -> Tensor:
    """Count the pixels of each object, channel and level: (M, K, 3, 256) float64; of owners below 0 none."""
    photos = len(pictures)
    number = torch.arange(photos, device=owner.device)[:, None, None] * objects + owner
    number = torch.where(owner < 0, photos * objects, number)[..., None] * 3
    number = (number + torch.arange(3, device=owner.device)) * 256 + pictures
    counts = torch.zeros((photos * objects + 1) * 3 * 256, dtype=torch.float64, device=owner.device)
    counts.index_add_(0, number.flatten().long(), torch.ones_like(number, dtype=torch.float64).flatten())
    return counts[: photos * objects * 3 * 256].view(photos, objects, 3, 256)
