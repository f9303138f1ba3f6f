"""What rasteriser and poses are held against: short, slow and obvious, in double precision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from na_core.geometry.boxes import box_corners
from na_core.geometry.camera import pixel_centres, project_points, rays
from na_core.scene import Camera

Matrix = NDArray[np.float64]
Hit = tuple[float, int, NDArray[np.float64]]

SMALLEST_VOLUME = 1e-12
"""Boxes of a smaller volume (cubic metres) are not hit."""


def slow_hits(
    camera: Camera, boxes: Sequence[Matrix], column: int, row: int, width: int, height: int
) -> list[Hit]:
    """Return (depth, box, local) of the first hit of every box along one pixel's ray, nearest first.

    Face by face: the plane through the face, then the face's own two edge coordinates in [-1, 1].
    """
    x, y = (column + 0.5) / width, (row + 0.5) / height
    rotation, eye = camera.world_from_camera[:3, :3], camera.world_from_camera[:3, 3]
    ray = rotation @ [(x - camera.cx) / camera.fx, -(y - camera.cy) / camera.fy, -1.0]
    hits: list[Hit] = []
    for number, box in enumerate(boxes):
        found: list[Hit] = []
        for axis in range(3):
            u, v = box[:3, (axis + 1) % 3] / 2, box[:3, (axis + 2) % 3] / 2
            normal = np.cross(u, v)
            if abs(normal @ ray) < 1e-15:
                continue
            for side in (-1, 1):
                middle = box[:3, 3] + side * box[:3, axis] / 2
                depth = normal @ (middle - eye) / (normal @ ray)
                if depth <= 0:
                    continue
                across = np.linalg.lstsq(np.stack([u, v], 1), eye + depth * ray - middle, rcond=None)[0]
                if (np.abs(across) <= 1 + 1e-9).all():
                    local = np.zeros(3)
                    local[axis], local[(axis + 1) % 3], local[(axis + 2) % 3] = side, *across
                    found.append((float(depth), number, local))
        if found:
            hits.append(min(found, key=lambda h: h[0]))
    return sorted(hits, key=lambda h: h[0])


@dataclass(frozen=True)
class ReferenceBoxMap:
    """The first two boxes along every pixel's ray, the nearest at [0].

    Attributes:
        index: (2, H, W), -1 for none.
        local: (2, H, W, 3), where it is hit, in box coordinates scaled to [-1, 1]; 0 without a hit.
        depth, leave: (2, H, W), metres along the viewing direction to the hit and to where the ray leaves its
            box; infinite without a hit.
    """

    index: NDArray[np.int64]
    local: NDArray[np.float64]
    depth: NDArray[np.float64]
    leave: NDArray[np.float64]


def reference_box_map(camera: Camera, boxes: Sequence[Matrix], width: int, height: int) -> ReferenceBoxMap:
    """Intersect the rays through all pixel centres with all boxes, slab by slab.

    A ray hits a box where it enters it; from a camera inside a box it hits the inside of the far face.
    """
    direction = rays(camera, pixel_centres(width, height))
    missed = np.full((height, width), np.inf)
    depths, leaves, local = [missed] * 2, [missed] * 2, [np.zeros((height, width, 3))] * 2
    for box in boxes:
        if abs(np.linalg.det(box[:3, :3])) < SMALLEST_VOLUME:
            depths, leaves, local = [*depths, missed], [*leaves, missed], [*local, local[0]]
            continue
        inverse = np.linalg.inv(box)
        start = 2 * (inverse @ camera.world_from_camera[:, 3])[:3]
        way = 2 * direction @ inverse[:3, :3].T
        way = np.where(np.abs(way) < 1e-15, 1e-15, way)
        one, other = (-1 - start) / way, (1 - start) / way
        enter, leave = np.minimum(one, other).max(axis=-1), np.maximum(one, other).min(axis=-1)
        hit = (enter <= leave) & (leave > 1e-9)
        depth = np.where(enter > 1e-9, enter, leave)
        depths.append(np.where(hit, depth, np.inf))
        leaves.append(np.where(hit, leave, np.inf))
        local.append(np.where(hit[..., None], (start + depth[..., None] * way).clip(-1, 1), 0))
    order = np.argsort(depths, axis=0, kind="stable")[:2]  # of equal boxes the first is the nearer
    depth, leave = (np.take_along_axis(np.stack(of), order, axis=0) for of in (depths, leaves))
    index = np.where(np.isfinite(depth), order - 2, -1)
    return ReferenceBoxMap(index, np.take_along_axis(np.stack(local), order[..., None], axis=0), depth, leave)


@dataclass(frozen=True)
class NearestBoxes:
    """The first box along every pixel's ray; see :class:`ReferenceBoxMap`.

    Attributes:
        index: (H, W). local: (H, W, 3). depth, far: (H, W), where the ray enters and leaves the box.
    """

    index: NDArray[np.int64]
    local: NDArray[np.float64]
    depth: NDArray[np.float64]
    far: NDArray[np.float64]


def nearest_boxes(camera: Camera, boxes: Sequence[Matrix], width: int, height: int) -> NearestBoxes:
    """Return the first layer of :func:`reference_box_map`."""
    found = reference_box_map(camera, boxes, width, height)
    return NearestBoxes(found.index[0], found.local[0], found.depth[0], found.leave[0])


def reference_backdrop(
    camera: Camera, centre: NDArray[np.float64], ground: float, radius: float, width: int, height: int
) -> NDArray[np.float64]:
    """Return the world points (H, W, 3) where pixels' rays meet the ground inside a dome.

    A ray that meets neither before the camera ends at the dome's radius.
    """
    origin = camera.world_from_camera[:3, 3]
    direction = rays(camera, pixel_centres(width, height))
    a = (direction**2).sum(axis=-1)
    b = direction @ (origin - centre)
    c = (origin - centre) @ (origin - centre) - radius**2
    dome = (np.sqrt(np.maximum(b * b - a * c, 0)) - b) / a
    dome = np.where(dome > 1e-6, dome, radius)
    drop, down = ground - origin[2], direction[..., 2]
    meets = drop * down > 0
    below = np.where(meets, drop / np.where(meets, down, 1), np.inf)
    return origin + np.minimum(below, dome)[..., None] * direction


def reference_pose(camera: Camera, world_from_box: Matrix) -> NDArray[np.float64]:
    """Return the paper's pose (12,) of a box: x, y and depth of its corners p0, p1, p2 and p4."""
    return project_points(camera, box_corners(world_from_box)[[0, 1, 2, 4]]).ravel()


def reference_relative_pose(source: Camera, target: Camera) -> NDArray[np.float64]:
    """Return the background's pose (12,): the relative rotation row-major, then the translation."""
    pose = np.linalg.inv(target.world_from_camera) @ source.world_from_camera
    return np.concatenate([pose[:3, :3].ravel(), pose[:3, 3]])
