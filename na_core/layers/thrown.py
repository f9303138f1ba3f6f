"""Shadow layers in the form that frames look them up in."""

from dataclasses import dataclass

import torch
from torch import Tensor

from na_core.raster.canvas import Canvas
from na_core.raster.pixels import active

DARKEST = -4.0
"""Logarithm below which no shadow is darker: beyond, the photo's bytes are too few to take it out."""

BITS = 31
"""Objects that one number tells apart; of more, some share a bit."""


@dataclass(frozen=True)
class ShadowTable:
    """The shadows in M photos of K boxes each.

    Attributes:
        planes: three times (M * H * W,) float16, logarithm of each channel, from :data:`DARKEST` to 0: 0
            where no box throws a shadow.
        owner: (M * H * W,) int16, the box that throws it, -1 for none.
        near: (M * H * W,) int32, the bits (see :meth:`bit`) of the owners of a pixel and of the pixels to the
            right of it, below it, and both: whose shadow shows between the four.
        bounds: (M, K, 4) float64: left, top, right and bottom in pixels of where a box's shadow shows; all
            zero where it shows nowhere.
    """

    planes: tuple[Tensor, Tensor, Tensor]
    owner: Tensor
    near: Tensor
    bounds: Tensor

    @staticmethod
    def bit(entry: Tensor) -> Tensor:
        """Return the bits int32 of boxes by number."""
        return torch.ones_like(entry, dtype=torch.int32) << (entry % BITS).int()


def shadow_table(shadow: Tensor, shadow_owner: Tensor, canvas: Canvas, objects: int) -> ShadowTable:
    """Prepare the shadows of photos; see :class:`na_core.layers.layers.Layers`.

    Args:
        shadow: (M, H, W, 3) float16.
        shadow_owner: (M, H, W) int16.
        canvas: on which the photos lie.
        objects: boxes of a photo at most, K.
    """
    owner = canvas.within(shadow_owner, -1)
    dark = shadow.clamp(DARKEST, 0) * (owner >= 0)[..., None]
    red, green, blue = (plane.flatten() for plane in dark.unbind(-1))
    near = torch.where(owner >= 0, ShadowTable.bit(owner), 0)
    for axis in (1, 2):
        size = near.shape[axis]
        beside = torch.cat([near.narrow(axis, 1, size - 1), near.narrow(axis, size - 1, 1)], dim=axis)
        near = near | beside
    return ShadowTable((red, green, blue), owner.flatten(), near.flatten(), _bounds(owner, objects))


def _bounds(owner: Tensor, objects: int) -> Tensor:
    """Return where the pixels of each object lie, (M, K, 4) float64; see :class:`ShadowTable`."""
    photos, height, width = owner.shape
    at = active(owner.flatten() >= 0)
    owned = owner.flatten()[at].long()
    last = photos * objects
    number = torch.where(owned < 0, last, at // (height * width) * objects + owned)  # of no object: one more
    column, row = (at % width).double(), (at // width % height).double()
    low = torch.full((2, last + 1), torch.inf, dtype=torch.float64, device=owner.device)
    high = torch.full_like(low, -torch.inf)
    for axis, position in enumerate((column, row)):
        low[axis].scatter_reduce_(0, number, position, "amin")
        high[axis].scatter_reduce_(0, number, position + 1, "amax")
    return torch.cat([low, high])[:, :last].t().view(photos, objects, 4).nan_to_num(posinf=0.0, neginf=0.0)
