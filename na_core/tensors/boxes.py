"""Batches of boxes: corners, 2D bounds, poses and the source-relative relabelling."""

import torch
import torch.nn.functional as F
from torch import Tensor

from na_core.geometry.boxes import POSE_CORNERS
from na_core.tensors.cameras import Cameras, affine_inverse, camera_from_world, project_local

NEAR = 1e-3
"""Metres before the camera at which the edges of a box are clipped."""


def box_corners(matrices: Tensor) -> Tensor:
    """Return the corners (..., 8, 3) of boxes (..., 4, 4), in the frame that the matrices map to."""
    number = torch.arange(8, device=matrices.device)
    bits = torch.stack([number // 4, number // 2 % 2, number % 2], dim=-1)
    unit = bits.to(matrices.dtype) - 0.5
    return unit @ matrices[..., :3, :3].transpose(-1, -2) + matrices[..., None, :3, 3]


def boxes_in_camera(cameras: Cameras, boxes: Tensor) -> Tensor:
    """Return ``camera_from_box`` (..., N, 4, 4) of cameras (...,) and world boxes (..., N, 4, 4)."""
    return camera_from_world(cameras)[..., None, :, :] @ boxes


def bounds_2d(cameras: Cameras, boxes: Tensor) -> Tensor:
    """Return the 2D bounds (x0, y0, x1, y1) of boxes, clipped to the picture.

    Edges are clipped at the camera plane. Boxes behind the camera or outside the picture get (0, 0, 0, 0).

    Args:
        cameras: (...,).
        boxes: (..., N, 4, 4).

    Returns:
        (..., N, 4).
    """
    local = box_corners(boxes_in_camera(cameras, boxes))
    start, end = _edges(local)
    before, a, b = (-points[..., 2] - NEAR for points in (local, start, end))
    crosses = a * b < 0
    share = torch.where(crosses, a / torch.where(crosses, a - b, 1.0), 0.0)
    points = torch.cat([local, start + (end - start) * share[..., None]], dim=-2)
    counts = torch.cat([before > 0, crosses], dim=-1)[..., None]
    each = Cameras(cameras.world_from_camera[..., None, :, :], cameras.intrinsics[..., None, :])
    projected = project_local(each, points)[..., :2]
    low = torch.where(counts, projected, torch.inf).amin(dim=-2).clamp(0, 1)
    high = torch.where(counts, projected, -torch.inf).amax(dim=-2).clamp(0, 1)
    shown = (high > low).all(dim=-1, keepdim=True)
    return torch.cat([low, high], dim=-1) * shown


def pose_numbers(cameras: Cameras, boxes: Tensor) -> Tensor:
    """Return the paper's poses (..., N, 12): x, y and depth of p0, p1, p2, p4.

    x and y in image units, unclipped; depth in metres.

    Args:
        cameras: (...,).
        boxes: (..., N, 4, 4).
    """
    corners = box_corners(boxes_in_camera(cameras, boxes))
    corners = torch.stack([corners[..., number, :] for number in POSE_CORNERS], dim=-2)
    each = Cameras(cameras.world_from_camera[..., None, :, :], cameras.intrinsics[..., None, :])
    return project_local(each, corners).flatten(-2)


def relabelled(boxes: Tensor, turns: Tensor) -> Tensor:
    """Return boxes (..., 4, 4) with their corners renumbered by (...,) quarter turns about local +Z."""
    turns = turns[..., None] % 4
    cosine = (turns == 0).to(boxes.dtype) - (turns == 2).to(boxes.dtype)
    sine = (turns == 1).to(boxes.dtype) - (turns == 3).to(boxes.dtype)
    x, y, z, at = boxes.unbind(-1)
    return torch.stack([cosine * x + sine * y, cosine * y - sine * x, z, at], dim=-1)


def front_scores(boxes: Tensor, cameras: Cameras) -> Tensor:
    """Return how squarely each labelling k of boxes turns their front to a camera, horizontally.

    Args:
        boxes: (..., 4, 4) source boxes.
        cameras: (...,) the cameras that saw them.

    Returns:
        (..., 4): the lengths, in metres, of the way to the camera along each front.
    """
    up = F.normalize(boxes[..., :3, 2], dim=-1)
    to_camera = cameras.world_from_camera[..., :3, 3] - boxes[..., :3, 3]
    to_camera = to_camera - up * (to_camera * up).sum(-1, keepdim=True)
    x, y = (F.normalize(boxes[..., :3, axis], dim=-1) for axis in (0, 1))
    fronts = torch.stack([-y, x, y, -x], dim=-2)
    return (fronts * to_camera[..., None, :]).sum(-1)


def source_quarter_turns(boxes: Tensor, cameras: Cameras) -> Tensor:
    """Return the k (...,) that turns each box's front most nearly to the camera that saw it."""
    return front_scores(boxes, cameras).argmax(dim=-1)


def moved_along(boxes: Tensor, old: Tensor, new: Tensor) -> Tensor:
    """Return boxes @ inverse(old) @ new, all (..., 4, 4); where ``old`` is flat, the boxes as they are."""
    inverse, volume = affine_inverse(old)
    return torch.where((volume == 0)[..., None, None], boxes, boxes @ inverse @ new)


def _edges(corners: Tensor) -> tuple[Tensor, Tensor]:
    """Return the ends of the 12 edges between corners (..., 8, 3), each (..., 12, 3)."""
    cube = corners.unflatten(-2, (2, 2, 2))
    pairs = [cube.unbind(axis) for axis in (-4, -3, -2)]
    start, end = ([pair[side].flatten(-3, -2) for pair in pairs] for side in (0, 1))
    return torch.cat(start, dim=-2), torch.cat(end, dim=-2)
