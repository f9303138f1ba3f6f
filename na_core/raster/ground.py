"""The plane that objects stand on, as pictures show it: maps between pixels and its points.

The ground is horizontal. A pixel's ray meets a horizontal plane in one point, so pixels and points of the
plane are mapped onto each other by 3 x 3 matrices (homographies), and so are the pixels of two pictures that
show the same plane.
"""

import torch
from torch import Tensor

from na_core.raster.backdrop import masked_median
from na_core.tensors.boxes import box_corners
from na_core.tensors.cameras import (
    Cameras,
    away_from_zero,
    camera_from_pixel,
    camera_from_world,
    image_from_camera,
)


def ground_heights(boxes: Tensor, hidden: Tensor, filled: Tensor) -> Tensor:
    """Return the height (...,) in metres of the ground in photos: the median of their boxes' undersides.

    Where boxes are taken out of the photo those count, as for the backdrop; else all.

    Args:
        boxes: (..., K, 4, 4).
        hidden: (..., K) bool, those that are taken out.
        filled: (..., K) bool, slots that hold a box.
    """
    hidden = hidden & filled
    counts = torch.where(hidden.any(-1, keepdim=True), hidden, filled)
    heights = masked_median(undersides(boxes).flatten(0, -2), counts.flatten(0, -2), 0.0)
    return heights.view(counts.shape[:-1])


def undersides(boxes: Tensor) -> Tensor:
    """Return the height (...,) of the lowest corners of boxes (..., 4, 4), in metres."""
    return box_corners(boxes)[..., 2].amin(-1)


def ground_from_pixel(cameras: Cameras, ground: Tensor, width: int, height: int) -> Tensor:
    """Return (..., 3, 3) that maps a pixel (column, row, 1) to the ground that its centre shows.

    The ground is given as (x / depth, y / depth, 1 / depth), x and y in the world; the inverse depth is
    negative where the ray meets the plane behind the camera, and 0 where never.

    Args:
        cameras: (...,).
        ground: (...,) heights in metres.
        width, height: of the picture in pixels.
    """
    rays = cameras.world_from_camera[..., :3, :3] @ camera_from_pixel(cameras, width, height)
    at = cameras.world_from_camera[..., :3, 3]
    drop = away_from_zero(ground - at[..., 2], 1e-9)[..., None]
    inverse_depth = rays[..., 2, :] / drop
    x, y = (at[..., axis, None] * inverse_depth + rays[..., axis, :] for axis in range(2))
    return torch.stack([x, y, inverse_depth], dim=-2)


def image_from_ground(cameras: Cameras, ground: Tensor) -> Tensor:
    """Return (..., 3, 3) that maps a point (x, y, 1) of the ground to (x * depth, y * depth, depth).

    x and y are image coordinates then, depth is in metres.

    Args:
        cameras: (...,).
        ground: (...,) heights in metres.
    """
    projection = (image_from_camera(cameras) @ camera_from_world(cameras)[..., :3, :]).unbind(-1)
    x, y, z, one = projection
    return torch.stack([x, y, z * ground[..., None] + one], dim=-1)


def image_from_ground_below(cameras: Cameras, ground: Tensor) -> Tensor:
    """Return (B, 3, 3) as :func:`image_from_ground` does, from the point of the ground below each camera.

    X, Y and depth are in units of the camera's height above the ground, along the world's axes; zeros where
    the camera is not above it.

    Args:
        cameras: (B,).
        ground: (B,) heights in metres.
    """
    height = cameras.world_from_camera[:, 2, 3] - ground
    axes = cameras.world_from_camera[:, :3, :3]
    foot = axes * axes.new_tensor([1.0, 1.0, -1.0])[:, None]  # the ground lies one height below the camera
    found = image_from_camera(cameras) @ foot.mT
    return torch.where((height > 1e-6)[:, None, None], found, 0.0)
