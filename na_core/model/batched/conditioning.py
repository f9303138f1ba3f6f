"""From many frames to the numbers that the network sees; see :mod:`na_core.model.conditioning`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from na_core.model.batched.backdrop import masked_median
from na_core.model.batched.boxes import bounds_2d, pose_numbers
from na_core.model.batched.cameras import Cameras, camera_from_world, relative_pose_numbers
from na_core.model.batched.frames import FrameBatch
from na_core.model.batched.proxy import Proxy, proxy_pictures
from na_core.model.conditioning import BOX_MAP_CHANNELS, GREY, POSE_LIMIT


@dataclass(frozen=True)
class Conditions:
    """What B frames give the network; slots without an asset are zero.

    Attributes:
        poses: (B, N, 12) float32 target poses, or (B, N, 24) with source poses first; source poses of assets
            that are not shown are zero.
        background_poses: (B, 12) float32.
        rectangles: (B, N, 4) float32 source 2D boxes.
        filled: (B, N) bool, slots that hold an asset.
        map_channels: (B, 11, h, w) float32 box maps at latent resolution.
        proxy: the proxies at picture resolution.
    """

    poses: Tensor
    background_poses: Tensor
    rectangles: Tensor
    filled: Tensor
    map_channels: Tensor
    proxy: Proxy


@torch.no_grad()
def conditions(frames: FrameBatch, *, factor: int, guided: bool, proxy: Proxy | None = None) -> Conditions:
    """Compute frames' conditions.

    Args:
        frames: whose pictures' sides are multiples of ``factor``.
        factor: pixels per latent.
        guided: relabelled corners, source poses and relative depth; else the paper's raw poses.
        proxy: of the frames, if it is not as :func:`proxy_pictures` makes it.
    """
    if proxy is None:
        proxy = proxy_pictures(frames)
    poses, background_poses, scale = frame_poses(frames, guided)
    return Conditions(
        poses=poses,
        background_poses=background_poses,
        rectangles=frames.source_rectangles.float(),
        filled=frames.present,
        map_channels=_map_channels(frames, proxy, scale.float(), factor),
        proxy=proxy,
    )


def frame_poses(frames: FrameBatch, guided: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Return the poses of frames and their backgrounds, see :class:`Conditions`, and their unit of depth.

    Args:
        frames: B.
        guided: relabelled corners, source poses and relative depth; else the paper's raw poses.

    Returns:
        (B, N, 12 or 24) and (B, 12) float32, and (B,) metres.
    """
    background_poses = relative_pose_numbers(frames.view_camera[:, 0], frames.camera)
    if guided:
        scale = scene_scale(frames)
        poses = torch.cat([_source_poses(frames), _target_poses(frames)], dim=-1)
        points = poses.unflatten(-1, (8, 3))
        depth = points[..., 2:] / scale[:, None, None, None]
        poses = torch.cat([points[..., :2], depth], dim=-1).clamp(-POSE_LIMIT, POSE_LIMIT + 1).flatten(-2)
        poses[..., :12] *= frames.shown[..., None]
        step = (background_poses[:, 9:] / scale[:, None]).clamp(-POSE_LIMIT, POSE_LIMIT)
        background_poses = torch.cat([background_poses[:, :9], step], dim=-1)
    else:
        scale = torch.ones_like(background_poses[:, 0])
        poses = pose_numbers(frames.camera, frames.boxes)
    return (poses * frames.present[..., None]).float(), background_poses.float(), scale


def scene_scale(frames: FrameBatch) -> Tensor:
    """Return (B,) the source scenes' median box depths in metres: ``guided``'s unit of depth.

    Falls back to the frames' own source boxes, then to 1.
    """
    camera = frames.view_camera[:, 0]
    hidden = frames.hidden & frames.view_filled[:, 0]
    own = masked_median(_depths(camera, frames.source_boxes), frames.present, 1.0)
    taken_out = masked_median(_depths(camera, frames.view_boxes[:, 0]), hidden, 1.0)
    return torch.where(hidden.any(-1), taken_out, own).clamp_min(1e-6)


def object_pictures(frames: FrameBatch) -> Tensor:
    """Return every view with everything outside its assets' 2D boxes painted grey: (B, V, 3, H, W) float32.

    Assets that are not shown stay grey where they meet others.
    """
    views = torch.arange(frames.photo.shape[1], device=frames.photo.device)
    here = (frames.asset_view[:, None] == views[:, None]) & frames.present[:, None]  # (B, V, N)
    rectangles = frames.view_rectangles[frames.rows, frames.asset_view, frames.asset_entry]
    width, height = frames.size
    kept = _union(rectangles[:, None].expand(*here.shape, 4), here & frames.shown[:, None], width, height)
    masked = _union(rectangles[:, None].expand(*here.shape, 4), here & ~frames.shown[:, None], width, height)
    return _greyed(frames, frames.photo, kept & ~masked)


def background_pictures(frames: FrameBatch) -> Tensor:
    """Return the backgrounds' photos, (B, 3, H, W) float32, with all hidden boxes' 2D bounds painted grey."""
    width, height = frames.size
    bounds = bounds_2d(frames.view_camera[:, 0], frames.view_boxes[:, 0])
    hidden = _union(bounds, frames.hidden & frames.view_filled[:, 0], width, height)
    return _greyed(frames, frames.photo[:, 0], ~hidden)


def _greyed(frames: FrameBatch, photo: Tensor, kept: Tensor) -> Tensor:
    """Return pictures (...,) as (..., 3, H, W) in [0, 1], grey where not kept (..., H, W)."""
    pictures = frames.pictures[photo].movedim(-1, -3).float() / 255
    return torch.where(kept[..., None, :, :], pictures, GREY)


def _union(rectangles: Tensor, counts: Tensor, width: int, height: int) -> Tensor:
    """Return the pixels (..., H, W) of a union of rectangles (..., R, 4); edges are round(box * size)."""
    x0, y0, x1, y1 = rectangles[..., None].unbind(-2)
    column = torch.arange(width, device=rectangles.device)
    row = torch.arange(height, device=rectangles.device)
    columns = (column >= (x0 * width).round()) & (column < (x1 * width).round())
    rows = (row >= (y0 * height).round()) & (row < (y1 * height).round()) & counts[..., None]
    # Zeros and ones: exact in every precision.
    return rows.float().transpose(-1, -2) @ columns.float() > 0


def _depths(camera: Cameras, boxes: Tensor) -> Tensor:
    local = camera_from_world(camera)
    return ((boxes[..., :3, 3] * local[:, None, 2, :3]).sum(-1) + local[:, None, 2, 3]).abs()


def _source_poses(frames: FrameBatch) -> Tensor:
    return pose_numbers(frames.source_cameras, frames.turned_source_boxes[..., None, :, :])[..., 0, :]


def _target_poses(frames: FrameBatch) -> Tensor:
    return pose_numbers(frames.camera, frames.turned_boxes)


def _map_channels(frames: FrameBatch, proxy: Proxy, scale: Tensor, factor: int) -> Tensor:
    """Average the box maps over latent cells: (B, 11, H / factor, W / factor)."""
    boxes = proxy.boxes
    channels = torch.zeros((BOX_MAP_CHANNELS, *proxy.validity.shape), device=scale.device)
    for first, index, hits in ((0, boxes.index, boxes.nearest), (5, boxes.second_index, boxes.second)):
        channels[first] = index >= 0
        near = scale.index_select(0, hits.pixels.row) / hits.depth.clamp_min(1e-6)
        missed = hits.box < 0
        for plane, values in enumerate((*hits.local, near.clamp_max_(POSE_LIMIT)), start=first + 1):
            hits.pixels.put(values.masked_fill(missed, 0), channels[plane])
    channels[-1] = proxy.validity
    return F.avg_pool2d(channels, factor).transpose(0, 1)
