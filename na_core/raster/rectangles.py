"""2D boxes as bounds: how far objects may reach in their photos."""

import torch
from torch import Tensor

from na_core.raster.pixels import BoxTable

RECTANGLE_MARGIN = 0.006
"""How far an object may reach outside its 2D box, in image units: soft edges and rounding."""

UNBOUNDED = 1e6
"""An image coordinate that nothing reaches."""


def limits(rectangles: Tensor, known: Tensor, width: int, height: int) -> Tensor:
    """Return how far objects may reach in their photos: (..., 4) float32 x0, y0, x1, y1 in pixels.

    An unknown or empty rectangle bounds nothing, nor does a side on the picture's border: the object may go
    on where the photo ends.

    Args:
        rectangles: (..., 4) in image coordinates.
        known: (...,) bool.
        width, height: of the photos in pixels.
    """
    low, high = rectangles[..., :2] - RECTANGLE_MARGIN, rectangles[..., 2:] + RECTANGLE_MARGIN
    bounds = known & (rectangles[..., 2:] > rectangles[..., :2]).all(dim=-1)
    low = torch.where((low <= 0) | ~bounds[..., None], -UNBOUNDED, low)
    high = torch.where((high >= 1) | ~bounds[..., None], UNBOUNDED, high)
    x0, y0, x1, y1 = torch.cat([low, high], dim=-1).unbind(-1)
    return torch.stack([x0 * width, y0 * height, x1 * width, y1 * height], dim=-1).float()


def within(bounds: BoxTable, x: Tensor, y: Tensor) -> Tensor:
    """Tell which pixels (P,) lie in their bounds, see :func:`limits`."""
    return (x >= bounds[0]) & (x <= bounds[2]) & (y >= bounds[1]) & (y <= bounds[3])
