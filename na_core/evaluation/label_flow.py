"""Exact flow between two frames from their labels: depth, index masks and boxes.

It follows the true surfaces, not boxes alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from na_core.data.scenes import Scene
from na_core.geometry.camera import pixel_centres, project_points, rays
from na_core.scene import Box, Camera

DEPTH_TOLERANCE = 0.01
"""Share of its depth by which a point may differ from what the other frame shows there, and be that point."""


@dataclass(frozen=True)
class Flow:
    """Motion from one frame to another.

    Attributes:
        displacement: (H, W, 2) in pixels, x right and y down; 0 where not visible.
        visible: (H, W) bool, True where the point is seen in both frames.
    """

    displacement: NDArray[np.float32]
    visible: NDArray[np.bool_]


@dataclass(frozen=True)
class LabelledView:
    """What a frame's labels say of its pixels.

    Attributes:
        camera: that took it.
        boxes: of each object, None where it is absent.
        mask: (H, W), 0 for the background and n for object n - 1.
        depth: (H, W) metres along the viewing direction, infinite where unknown.
    """

    camera: Camera
    boxes: Sequence[Box | None]
    mask: NDArray[np.uint8]
    depth: NDArray[np.float32]


def labelled_view(scene: Scene, frame: int) -> LabelledView | None:
    """Return a frame's view, or None where its depth was left out.

    Raises:
        OSError: its mask or depth cannot be read.
    """
    depth = scene.depth(frame)
    if depth is None:
        return None
    labels = scene.labels.frames[frame]
    return LabelledView(labels.camera, labels.boxes, scene.mask(frame), depth)


def label_flow(first: LabelledView, second: LabelledView) -> Flow:
    """Return where every pixel of the first view is found in the second.

    A pixel's centre is unprojected by its depth, moved as its object's box moves, and projected. It is
    visible where it falls inside the second view, on the same object, at the depth that is seen there.
    """
    height, width = first.mask.shape
    known = np.isfinite(first.depth)
    centres = pixel_centres(width, height)
    depth = np.where(known, first.depth, 1.0)[..., None]
    world = first.camera.world_from_camera[:3, 3] + rays(first.camera, centres) * depth
    for number, (before, after) in enumerate(zip(first.boxes, second.boxes, strict=True), start=1):
        own = first.mask == number
        if before is None or after is None:
            known &= ~own
            continue
        motion = after.world_from_box @ np.linalg.inv(before.world_from_box)
        world[own] = world[own] @ motion[:3, :3].T + motion[:3, 3]
    projected = project_points(second.camera, world)
    at, depth_there = projected[..., :2], projected[..., 2]
    visible = known & (depth_there > 0) & (at >= 0).all(axis=-1) & (at < 1).all(axis=-1)
    nearest = np.floor(np.where(visible[..., None], at, 0) * (width, height)).astype(np.intp)
    visible &= second.mask[nearest[..., 1], nearest[..., 0]] == first.mask
    # The inverse of depth is linear over the picture of a plane: interpolating it is exact on slanted ground.
    inverse = sample_bilinear((1 / second.depth)[..., None], at)[..., 0]
    visible &= np.abs(inverse * depth_there - 1) <= DEPTH_TOLERANCE
    displacement = np.where(visible[..., None], (at - centres) * (width, height), 0.0)
    return Flow(displacement.astype(np.float32), visible)


def sample_bilinear(picture: NDArray[np.float32], points: NDArray[np.float64]) -> NDArray[np.float32]:
    """Sample a picture (H, W, C) at image points (..., 2) in [0, 1]; points outside take the edge."""
    planes = torch.from_numpy(picture).double().permute(2, 0, 1)[None]
    grid = torch.from_numpy(2 * points - 1).view(1, -1, 1, 2)
    sampled = F.grid_sample(planes, grid, padding_mode="border", align_corners=False)[0, :, :, 0]
    return sampled.T.float().numpy().reshape(*points.shape[:-1], picture.shape[-1])
