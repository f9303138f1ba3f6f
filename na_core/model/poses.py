"""Pose tokens' numbers: where assets stand in the frame and stood in their photos (paper, section 3.2)."""

import torch
from torch import Tensor

from na_core.raster.backdrop import masked_median
from na_core.tensors.boxes import pose_numbers
from na_core.tensors.cameras import Cameras, camera_from_world, relative_pose_numbers
from na_core.tensors.frames import FrameBatch

POSE_LIMIT = 4.0
"""``guided`` clips image coordinates of corners to [-limit, limit + 1] and relative depth likewise."""


def frame_poses(frames: FrameBatch, guided: bool) -> tuple[Tensor, Tensor]:
    """Return the poses of assets and of backgrounds.

    Args:
        frames: B of them.
        guided: relabelled corners, source poses and relative depth; else the paper's raw poses.

    Returns:
        (B, N, 12) float32 target poses, or (B, N, 24) with source poses first; slots without an asset, and
        source poses of assets that are not shown, are zero. And (B, 12) float32.
    """
    background = relative_pose_numbers(frames.view_camera[:, 0], frames.camera)
    if not guided:
        poses = pose_numbers(frames.camera, frames.boxes) * frames.present[..., None]
        return poses.float(), background.float()
    scale = scene_scale(frames)
    source = pose_numbers(frames.source_cameras, frames.turned_source_boxes[..., None, :, :])[..., 0, :]
    poses = torch.cat([source, pose_numbers(frames.camera, frames.turned_boxes)], dim=-1)
    points = poses.unflatten(-1, (8, 3))
    depth = points[..., 2:] / scale[:, None, None, None]
    poses = torch.cat([points[..., :2], depth], dim=-1).clamp(-POSE_LIMIT, POSE_LIMIT + 1).flatten(-2)
    poses[..., :12] *= frames.shown[..., None]
    step = (background[:, 9:] / scale[:, None]).clamp(-POSE_LIMIT, POSE_LIMIT)
    background = torch.cat([background[:, :9], step], dim=-1)
    return (poses * frames.present[..., None]).float(), background.float()


def scene_scale(frames: FrameBatch) -> Tensor:
    """Return (B,) the source scenes' median box depths in metres: ``guided``'s unit of depth.

    Falls back to the frames' own source boxes, then to 1 (design, section 5.3).
    """
    camera = frames.view_camera[:, 0]
    hidden = frames.hidden_boxes
    own = masked_median(_depths(camera, frames.source_boxes), frames.present, 1.0)
    taken_out = masked_median(_depths(camera, frames.view_boxes[:, 0]), hidden, 1.0)
    return torch.where(hidden.any(-1), taken_out, own).clamp_min(1e-6)


def _depths(camera: Cameras, boxes: Tensor) -> Tensor:
    local = camera_from_world(camera)
    return ((boxes[..., :3, 3] * local[:, None, 2, :3]).sum(-1) + local[:, None, 2, 3]).abs()
