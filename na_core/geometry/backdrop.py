"""The surface that background pixels are assumed to lie on: the ground plane inside a dome.

Near the camera the background is the ground that the objects stand on; where that is further away than
:data:`DOME_FACTOR` times the farthest object, or above the horizon, it is a sphere around the source camera.
The surface is continuous; for a distant dome it amounts to rotation alone (design, section 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from na_core.geometry.boxes import box_corners
from na_core.geometry.camera import pixel_centres, rays
from na_core.scene import Background, Camera

DOME_FACTOR = 2.5
"""Radius of the dome in units of the distance of the farthest hidden box."""

DEFAULT_RADIUS = 50.0
"""Radius in metres when no box tells the scale."""


@dataclass(frozen=True)
class Backdrop:
    """Ground height (metres), dome centre (3,) and radius (metres)."""

    ground: float
    centre: NDArray[np.float64]
    radius: float


def backdrop(background: Background) -> Backdrop:
    """Derive the backdrop from the hidden boxes: the ground is the median height of their undersides."""
    centre = background.source_camera.world_from_camera[:3, 3]
    if not background.hidden_boxes:
        return Backdrop(0.0, centre, DEFAULT_RADIUS)
    corners = box_corners(np.stack([box.world_from_box for box in background.hidden_boxes]))
    ground = float(np.median(corners[..., 2].min(axis=-1)))
    farthest = float(np.linalg.norm(corners - centre, axis=-1).max())
    return Backdrop(ground, centre, max(DOME_FACTOR * farthest, 1e-3))


def backdrop_points(surface: Backdrop, camera: Camera, width: int, height: int) -> NDArray[np.float64]:
    """Return the world points (H, W, 3) where the rays through pixel centres meet the backdrop.

    Finite for every camera: one outside the dome, or under the ground, sees its own distance instead.
    """
    origin = camera.world_from_camera[:3, 3]
    direction = rays(camera, pixel_centres(width, height))
    to_centre = origin - surface.centre
    a = (direction**2).sum(axis=-1)
    b = direction @ to_centre
    c = float(to_centre @ to_centre) - surface.radius**2
    root = np.sqrt(np.maximum(b * b - a * c, 0.0))
    dome = (-b + root) / a
    dome = np.where(dome > 1e-6, dome, surface.radius)
    drop = surface.ground - origin[2]
    down = direction[..., 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        ground = np.where(drop * down > 0, drop / down, np.inf)
    return origin + np.minimum(ground, dome)[..., None] * direction
