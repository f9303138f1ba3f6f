"""Plates: photos without their hidden objects, the strips around them and their shadows, holes filled."""

import numpy as np
import torch
from torch import Tensor

from na_core.cancellation import poll
from na_core.layers.plate_texture import textured
from na_core.raster.colour import linear_from_srgb, srgb_from_linear
from na_core.raster.fill import push_pull
from na_core.raster.morphology import widened
from na_core.raster.pixels import BoxTable

PLATE_MARGIN = 0.012
"""Width of the strip around an object that leaves with it, in units of the picture's longer side."""

FAINTEST_SHADOW = 1 / 512
"""Absolute logarithm of a ratio of light below which a pixel is in no shadow."""

DEEP_SHADOW = -0.7
"""Logarithm of a ratio of light below which noise is all that comes back: nothing is copied from there."""

RIM_SHADOW, RIM_WIDTH = -1.0, 2.5
"""Logarithm from which a shadow at the rim of an object is the object's own dark edge; how far that reaches,
in widths of the strip around it."""


def strip_radius(width: int, height: int) -> int:
    """Return the strip's width in pixels of a photo of that size."""
    return max(1, round(PLATE_MARGIN * max(width, height)))


def plates(
    pictures: Tensor,
    cover: Tensor,
    hidden: Tensor,
    texture: bool,
    shadow: Tensor | None = None,
    guess: Tensor | None = None,
    ground: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Take hidden objects, the strips around them and shadows out of photos and fill the holes.

    A plate is made in the source view, once per photo, so that a still camera sees the same background in
    every frame. Where there is neither a hole nor a shadow it has the photo's bytes.

    Args:
        pictures: (M, H, W, 3) uint8 sRGB.
        cover: (M, H, W), the object that each pixel may show, -1 for none.
        hidden: (M, K) bool, the objects to take out.
        texture: holes get the photo's own texture, see :mod:`na_core.layers.plate_texture`; else they are
            smooth.
        shadow: (M, H, W, 3), natural logarithm of the photo over its plate in linear light, outside objects;
            negative is darker. It is taken out first: holes are filled from what is in the light. Holes do
            not look at it.
        guess: (M, H, W, 3) float sRGB in [0, 1], the plate's colours without their texture; counts in holes.
        ground: (M, 3, 3) homographies, see :func:`na_core.raster.ground.image_from_ground_below`: texture
            then keeps the ground's perspective.

    Returns:
        (M, H, W, 3) uint8 plates, and (M, H, W) bool where they are the photos themselves.
    """
    photos, height, width = cover.shape
    rows = torch.arange(photos, device=cover.device)[:, None, None]
    hides = BoxTable(hidden[..., None], rows, cover.long())[0] & (cover >= 0)
    known = widened(hides.float(), strip_radius(width, height)) == 0
    real, sound = known, torch.ones_like(known)
    if shadow is not None:
        shaded = (shadow.abs() > FAINTEST_SHADOW).any(dim=-1)
        depth = shadow.mean(dim=-1)
        sound = depth > DEEP_SHADOW
        known = known & ~dark_rims(hides, depth)
        real = known & ~shaded
        pictures = _without_shadow(pictures, shadow, known & shaded)
    if texture:
        return _textured(pictures, known, sound, guess, ground), real
    planes = pictures.permute(0, 3, 1, 2).float() / 255
    weight = known[:, None].float()
    if guess is None:
        filled = push_pull(planes, weight)
    else:
        colours = guess.permute(0, 3, 1, 2).float()
        nothing = torch.zeros((photos, 3, 1, 1), device=planes.device)
        all_hole = ~known.flatten(1).any(dim=1)[:, None, None, None]
        # What the photo's own colours are off by at the rim of a hole fades into it.
        filled = colours + torch.where(all_hole, nothing, push_pull(planes - colours, weight))
    made = (filled.movedim(1, -1).clamp(0, 1) * 255).round().to(torch.uint8)
    return torch.where(known[..., None], pictures, made), real


def dark_rims(shows: Tensor, depth: Tensor) -> Tensor:
    """Return the pixels (M, H, W) bool beside objects where all that is seen is their own dark edge.

    Args:
        shows: (M, H, W) bool, pixels of objects.
        depth: (M, H, W), mean logarithm of the photo over its plate.
    """
    height, width = shows.shape[1:]
    near = widened(shows.float(), round(RIM_WIDTH * strip_radius(width, height))) > 0
    return near & ~shows & (depth < RIM_SHADOW)


def _without_shadow(pictures: Tensor, shadow: Tensor, where: Tensor) -> Tensor:
    """Return photos (M, H, W, 3) uint8 divided by their shadows in linear light where (M, H, W) asked for."""
    poll()
    lit = pictures.clone()
    light = linear_from_srgb(pictures[where].float() / 255) * (-shadow[where].float()).exp()
    lit[where] = (srgb_from_linear(light) * 255).round().to(torch.uint8)
    return lit


def _textured(
    pictures: Tensor, known: Tensor, sound: Tensor, guess: Tensor | None, ground: Tensor | None
) -> Tensor:
    """Return plates (M, H, W, 3) uint8 with texture, one photo after the other."""
    made = []
    for number, picture in enumerate(pictures.cpu().numpy()):
        poll()
        colours = None if guess is None else guess[number].float().cpu().numpy()
        plane = None if ground is None else ground[number].double().cpu().numpy()
        stays, copied = (mask[number].cpu().numpy() for mask in (known, sound))
        made.append(textured(picture, stays, copied, colours, plane))
    return torch.from_numpy(np.stack(made)).to(pictures.device)
