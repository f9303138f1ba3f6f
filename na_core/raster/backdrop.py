"""The surface that background pixels are assumed to lie on: the ground plane inside a dome.

Near the camera the background is the ground that the objects stand on; where that is further away than
:data:`DOME_FACTOR` times the farthest object, or above the horizon, it is a sphere around the source camera.
The surface is continuous; for a distant dome it amounts to rotation alone (design, section 5.2).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from na_core.tensors.boxes import box_corners
from na_core.tensors.cameras import Cameras, camera_from_pixel, camera_from_world

DOME_FACTOR = 2.5
"""Radius of the dome in units of the distance of the farthest hidden box."""

DEFAULT_RADIUS = 50.0
"""Radius in metres when no box tells the scale."""


@dataclass(frozen=True)
class Backdrops:
    """Ground heights (B,) and dome radii (B,) in metres, float64; source cameras are the domes' centres."""

    ground: Tensor
    radius: Tensor


def backdrops(source: Cameras, boxes: Tensor, hidden: Tensor) -> Backdrops:
    """Derive backdrops from the hidden boxes: the ground is the median height of their undersides.

    Args:
        source: (B,) cameras of the backgrounds' photos.
        boxes: (B, K, 4, 4).
        hidden: (B, K) bool, which of them count.
    """
    corners = box_corners(boxes)
    centre = source.world_from_camera[:, None, None, :3, 3]
    ground = masked_median(corners[..., 2].amin(-1), hidden, 0.0)
    distance = (corners - centre).norm(dim=-1).amax(-1)
    farthest = torch.where(hidden, distance, 0.0).amax(-1)
    radius = (DOME_FACTOR * farthest).clamp_min(1e-3)
    return Backdrops(ground, torch.where(hidden.any(-1), radius, DEFAULT_RADIUS))


def masked_median(values: Tensor, counts: Tensor, default: float) -> Tensor:
    """Return the median (B,) of the values (B, K) that count; ``default`` where none does.

    Of an even number, the mean of the middle two.
    """
    ordered = torch.where(counts, values, torch.inf).sort(dim=-1).values
    number = counts.sum(-1, keepdim=True)
    low, high = ((number - 1) // 2).clamp_min(0), number // 2 * (number > 0)
    middle = (ordered.gather(-1, low) + ordered.gather(-1, high.clamp_max(values.shape[-1] - 1))) / 2
    return torch.where(number > 0, middle, default)[:, 0]


def backdrop_points(
    surfaces: Backdrops, source: Cameras, cameras: Cameras, width: int, height: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the points where the rays through pixel centres meet the backdrops.

    Finite for every camera: one outside the dome, or under the ground, sees its own distance instead.

    Args:
        surfaces: of B frames.
        source: (B,) cameras at the domes' centres.
        cameras: (B,) that look.
        width, height: in pixels.

    Returns:
        x, y and z in the *source cameras'* frames, each (B, H, W) float32: a camera that has not moved then
        loses nothing to rounding, wherever it stands in the world.
    """
    columns = torch.arange(width, dtype=torch.float32, device=cameras.intrinsics.device)
    rows = torch.arange(height, dtype=torch.float32, device=cameras.intrinsics.device)[:, None]
    source_from_camera = camera_from_world(source) @ cameras.world_from_camera
    rays = camera_from_pixel(cameras, width, height)
    in_source = source_from_camera[:, :3, :3] @ rays
    up = cameras.world_from_camera[:, 2:3, :3] @ rays
    affine = torch.cat([in_source, up], dim=1).float()[..., None, None]
    x, y, z, down = (affine[:, i, 0] * columns + (affine[:, i, 1] * rows + affine[:, i, 2]) for i in range(4))
    at = source_from_camera[:, :3, 3]
    at_x, at_y, at_z = at.float()[..., None, None].unbind(1)
    a = x * x + y * y + z * z
    b = x * at_x + y * at_y + z * at_z
    c = (at.square().sum(-1) - surfaces.radius.square()).float()[:, None, None]
    root = (b * b - a * c).clamp_min_(0).sqrt_()
    dome = (root - b) / a
    radius = surfaces.radius.float()[:, None, None]
    dome = torch.where(dome > 1e-6, dome, radius)
    drop = (surfaces.ground - cameras.world_from_camera[:, 2, 3]).float()[:, None, None]
    ground = drop / down
    ground = torch.where(drop * down > 0, ground, torch.inf)
    t = torch.minimum(ground, dome)
    return at_x + t * x, at_y + t * y, at_z + t * z
