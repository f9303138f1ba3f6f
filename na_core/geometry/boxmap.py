"""The box map: which box, where on it and how far, for every pixel; exact, without a mesh.

One rasteriser intersects every pixel's ray with every box. Conditioning channels, the proxy picture, the
noise anchor and exact flow all come from it (design, section 4.1).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from na_core.geometry.boxes import bounds_2d
from na_core.geometry.camera import pixel_centres, rays
from na_core.scene import Box, Camera

DEGENERATE_VOLUME = 1e-12
"""Boxes of a smaller volume (cubic metres) are flat or empty and are never hit."""

EDGE = 1e-5
"""How near to an edge, in local coordinates, a hit belongs to both faces: local coordinates are float32."""


@dataclass(frozen=True)
class BoxMap:
    """Nearest and second hit of every pixel's ray.

    Attributes:
        index, second_index: (H, W) int32, the box that is hit, -1 for none. The second hit is the next
            *other* box along the ray.
        local, second_local: (H, W, 3) float32, the hit in box coordinates scaled to [-1, 1]; 0 without a hit.
        depth, second_depth: (H, W) float32, metres along the viewing direction; infinite without a hit.
    """

    index: NDArray[np.int32]
    local: NDArray[np.float32]
    depth: NDArray[np.float32]
    second_index: NDArray[np.int32]
    second_local: NDArray[np.float32]
    second_depth: NDArray[np.float32]


def box_map(camera: Camera, boxes: Sequence[ArrayLike], width: int, height: int) -> BoxMap:
    """Intersect the rays through all pixel centres with all boxes.

    A ray hits a box where it enters it; from a camera inside a box it hits the inside of the far face.

    Args:
        camera: the camera.
        boxes: N ``world_from_box`` matrices (4, 4). Flat boxes are legal and never hit.
        width, height: of the map in pixels.
    """
    shape = (height, width)
    index = np.full(shape, -1, np.int32)
    local = np.zeros((*shape, 3), np.float32)
    depth = np.full(shape, np.inf, np.float32)
    result = BoxMap(index, local, depth, index.copy(), local.copy(), depth.copy())
    image_points = pixel_centres(width, height)
    origin = camera.world_from_camera[:3, 3]

    for number, matrix in enumerate(boxes):
        world_from_box = np.asarray(matrix, dtype=np.float64)
        if abs(np.linalg.det(world_from_box[:3, :3])) < DEGENERATE_VOLUME:
            continue
        window = _window(camera, Box(world_from_box), width, height)
        if window is None:
            continue
        box_from_world = np.linalg.inv(world_from_box)
        start = box_from_world[:3, :3] @ origin + box_from_world[:3, 3]
        direction = rays(camera, image_points[window]) @ box_from_world[:3, :3].T
        hit_depth, hit = _enter_cube(start, direction)
        _insert(result, window, number, hit_depth, hit)
    return result


def seen_from(camera: Camera, world_from_box: ArrayLike, local: ArrayLike) -> NDArray[np.bool_]:
    """Tell which surface points a ray from the camera would hit, were the box alone.

    Outside the box these are the faces turned to the camera; from inside, all of them. This is the box map's
    own rule, so every point of a camera's box map is seen from that camera.

    Args:
        camera: who looks.
        world_from_box: (4, 4); a flat box shows nothing.
        local: (n, 3) points on the surface of [-1, 1]^3.
    """
    matrix = np.asarray(world_from_box, dtype=np.float64)
    point = np.asarray(local, dtype=np.float64)
    if abs(np.linalg.det(matrix[:3, :3])) < DEGENERATE_VOLUME:
        return np.zeros(len(point), bool)
    at = 2 * (np.linalg.inv(matrix) @ np.append(camera.world_from_camera[:3, 3], 1.0))[:3]
    if (np.abs(at) <= 1).all():
        return np.ones(len(point), bool)
    # A point on an edge belongs to both faces and is seen if one of them is.
    on_face = np.abs(point) >= np.abs(point).max(axis=1, keepdims=True) - EDGE
    return (on_face & (np.sign(point) * at > 1)).any(axis=1)


def _window(camera: Camera, box: Box, width: int, height: int) -> tuple[slice, slice] | None:
    """Return the rows and columns that a box's projection can touch, or None."""
    x0, y0, x1, y1 = bounds_2d(camera, box)
    if x1 <= x0 or y1 <= y0:
        return None
    columns = slice(max(0, math.floor(x0 * width)), min(width, math.ceil(x1 * width)))
    rows = slice(max(0, math.floor(y0 * height)), min(height, math.ceil(y1 * height)))
    return rows, columns


def _enter_cube(
    start: NDArray[np.float64], direction: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Slab test against [-1/2, 1/2]^3.

    Args:
        start: (3,) ray origin in box coordinates.
        direction: (h, w, 3) ray directions in box coordinates.

    Returns:
        (h, w) ray parameter of the hit, infinite for a miss, and (h, w, 3) the hit.
    """
    safe = np.where(np.abs(direction) < 1e-15, np.copysign(1e-15, direction), direction)
    a = (-0.5 - start) / safe
    b = (0.5 - start) / safe
    enter = np.minimum(a, b).max(axis=-1)
    leave = np.maximum(a, b).min(axis=-1)
    hits = (enter <= leave) & (leave > 1e-9)
    parameter = np.where(hits, np.where(enter > 1e-9, enter, leave), np.inf)
    point = start + np.where(hits, parameter, 0.0)[..., None] * direction
    return parameter, np.clip(point, -0.5, 0.5)


def _insert(
    into: BoxMap,
    window: tuple[slice, slice],
    number: int,
    hit_depth: NDArray[np.floating],
    hit: NDArray[np.float64],
) -> None:
    """Sort one box's hits into the map, in place."""
    hit_depth = hit_depth.astype(np.float32)  # as stored: of two equal boxes the first is nearer everywhere
    depth, local, index = into.depth[window], into.local[window], into.index[window]
    second_depth = into.second_depth[window]
    nearer = hit_depth < depth
    between = ~nearer & (hit_depth < second_depth)
    second_depth[nearer] = depth[nearer]
    into.second_local[window][nearer] = local[nearer]
    into.second_index[window][nearer] = index[nearer]
    depth[nearer] = hit_depth[nearer]
    local[nearer] = 2 * hit[nearer]
    index[nearer] = number
    second_depth[between] = hit_depth[between]
    into.second_local[window][between] = 2 * hit[between]
    into.second_index[window][between] = number
