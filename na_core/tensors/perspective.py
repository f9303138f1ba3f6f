"""What cameras say of places in their pictures, batched (Jin et al., "Perspective Fields", 2023)."""

import torch
from torch import Tensor


def perspective_at(places: Tensor, focal: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    """Return tilt and latitude in radians: how what is upright leans there, clockwise from the picture's up,
    and how far above the horizon one looks.

    :func:`na_core.detection.perspective.perspective_fields` says the same of one camera.

    Args:
        places: (2, ...), x and y (down) from pictures' middles, in units of their longer sides.
        focal: (...) lengths in the same units.
        up: (3, ...) the world's up in the cameras' frames: right, up and back.
    """
    x, y = places
    right, upward, back = up
    tilt = torch.atan2(focal * right + x * back, focal * upward - y * back)
    height = (right * x - upward * y) / focal - back
    return tilt, torch.asin(height / (1 + (x.square() + y.square()) / focal.square()).sqrt())
