"""From frames to the numbers that the network sees: poses, box-map channels, proxy, encoder pictures.

Everything here is numpy on one frame; the pipeline and the trainer stack the results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from na_core.geometry.boxes import pose_numbers, relabelled
from na_core.geometry.camera import camera_from_world, relative_pose_numbers
from na_core.geometry.photo_views import PhotoView
from na_core.geometry.proxy import Plate, Proxy, proxy_picture
from na_core.geometry.relief import Relief
from na_core.scene import Background, Box, Camera, Frame

BOX_MAP_CHANNELS = 11
"""Coverage, local xyz and inverse depth of both hits, and the proxy's validity."""

GREY = 0.5
"""What replaces pixels that an encoder picture hides (paper reference, section 1)."""

POSE_LIMIT = 4.0
"""``guided`` clips image coordinates of corners to [-limit, limit + 1] and relative depth likewise."""


@dataclass(frozen=True)
class Conditions:
    """What one frame gives the network.

    Attributes:
        poses: (N, 12) target poses, or (N, 24) with source poses first.
        background_pose: (12,).
        rectangles: (N, 4) source 2D boxes.
        map_channels: (11, h, w) box map at latent resolution.
        proxy: the proxy picture at picture resolution.
    """

    poses: NDArray[np.float32]
    background_pose: NDArray[np.float32]
    rectangles: NDArray[np.float32]
    map_channels: NDArray[np.float32]
    proxy: Proxy


def padded_frame(frame: Frame, width: int, height: int, padded_width: int, padded_height: int) -> Frame:
    """Return the frame as a larger picture sees it that continues the original to the right and below."""
    camera = frame.camera
    across, down = width / padded_width, height / padded_height
    wider = Camera(
        camera.world_from_camera, camera.fx * across, camera.fy * down, camera.cx * across, camera.cy * down
    )
    return replace(frame, camera=wider)


def scene_scale(background: Background, boxes: Sequence[Box]) -> float:
    """Return the source scene's median box depth in metres: ``guided``'s unit of depth (design, section 4.3).

    Falls back to the frame's own source boxes, then to 1.
    """
    chosen = background.hidden_boxes or tuple(boxes)
    if not chosen:
        return 1.0
    centres = np.stack([box.world_from_box[:3, 3] for box in chosen])
    local = camera_from_world(background.source_camera)
    depth = -(centres @ local[2, :3] + local[2, 3])
    return max(float(np.median(np.abs(depth))), 1e-6)


def conditions(
    frame: Frame,
    pictures: Mapping[str, NDArray[np.float32]],
    width: int,
    height: int,
    *,
    factor: int,
    guided: bool,
    plate: Plate | None = None,
    reliefs: Mapping[PhotoView, Relief] | None = None,
) -> Conditions:
    """Compute a frame's conditions.

    Args:
        frame: what to render.
        pictures: photos by SHA-256, (H, W, 3) float32 in [0, 1].
        width, height: of the picture, multiples of ``factor``.
        factor: pixels per latent.
        guided: relabelled corners, source poses and relative depth; else the paper's raw poses.
        plate: the background's clean plate, if kept.
        reliefs: of photos; see :func:`na_core.geometry.proxy.proxy_picture`.
    """
    proxy = proxy_picture(frame, pictures, width, height, plate, reliefs)
    placed = frame.assets
    background_pose = relative_pose_numbers(frame.background.source_camera, frame.camera)
    if guided:
        scale = scene_scale(frame.background, [p.asset.source_box for p in placed])
        poses = np.zeros((len(placed), 24))
        for number, p in enumerate(placed):
            k = p.asset.quarter_turns
            poses[number, :12] = pose_numbers(p.asset.source_camera, relabelled(p.asset.source_box, k))
            poses[number, 12:] = pose_numbers(frame.camera, relabelled(p.box, k))
        poses = _relative_pose(poses, scale)
        background_pose[9:] = np.clip(background_pose[9:] / scale, -POSE_LIMIT, POSE_LIMIT)
    else:
        scale = 1.0
        matrices = np.array([p.box.world_from_box for p in placed]).reshape(-1, 4, 4)
        poses = pose_numbers(frame.camera, matrices)
    return Conditions(
        poses=poses.astype(np.float32),
        background_pose=background_pose.astype(np.float32),
        rectangles=np.array([p.asset.source_box_2d for p in placed], np.float32).reshape(-1, 4),
        map_channels=_map_channels(frame, proxy, scale, factor),
        proxy=proxy,
    )


def _relative_pose(poses: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    points = poses.reshape(-1, 3).copy()
    points[:, 2] /= scale
    return np.clip(points, -POSE_LIMIT, POSE_LIMIT + 1).reshape(poses.shape)


def _map_channels(frame: Frame, proxy: Proxy, scale: float, factor: int) -> NDArray[np.float32]:
    """Average the box map over latent cells: (11, H / factor, W / factor)."""
    boxes = proxy.boxes
    channels = []
    for index, local, depth in (
        (boxes.index, boxes.local, boxes.depth),
        (boxes.second_index, boxes.second_local, boxes.second_depth),
    ):
        hit = (index >= 0).astype(np.float32)
        turned = _unturn(frame, index, local)
        near = hit * np.minimum(scale / np.maximum(depth, 1e-6), POSE_LIMIT)
        channels += [hit, *np.moveaxis(turned, -1, 0), near]
    channels.append(proxy.validity.astype(np.float32))
    stack = np.stack(channels)
    rows, columns = stack.shape[1] // factor, stack.shape[2] // factor
    cells = stack.reshape(len(stack), rows, factor, columns, factor)
    return cells.mean(axis=(2, 4), dtype=np.float32)


def _unturn(frame: Frame, index: NDArray[np.int32], local: NDArray[np.float32]) -> NDArray[np.float32]:
    """Express local coordinates in each asset's relabelled frame."""
    turns = np.array([placed.asset.quarter_turns for placed in frame.assets] + [0])[index]
    x, y, z = np.moveaxis(local, -1, 0)
    turned_x = np.choose(turns, [x, y, -x, -y])
    turned_y = np.choose(turns, [y, -x, -y, x])
    return np.stack([turned_x, turned_y, z], axis=-1)


def object_picture(
    picture: NDArray[np.float32], rectangles: Sequence[Sequence[float]]
) -> NDArray[np.float32]:
    """Return a photo (H, W, 3) with everything outside the union of the 2D boxes painted grey."""
    out = np.full_like(picture, GREY)
    for rows, columns in _pixels(picture, rectangles):
        out[rows, columns] = picture[rows, columns]
    return out


def background_picture(
    picture: NDArray[np.float32], rectangles: Sequence[Sequence[float]]
) -> NDArray[np.float32]:
    """Return a photo (H, W, 3) with all object 2D boxes painted grey."""
    out = picture.copy()
    for rows, columns in _pixels(picture, rectangles):
        out[rows, columns] = GREY
    return out


def _pixels(picture: NDArray[np.float32], rectangles: Sequence[Sequence[float]]) -> list[tuple[slice, slice]]:
    """Return each rectangle's half-open pixel rows and columns; edges are round(box * size)."""
    height, width = picture.shape[:2]
    return [
        (slice(round(y0 * height), round(y1 * height)), slice(round(x0 * width), round(x1 * width)))
        for x0, y0, x1, y1 in rectangles
    ]
