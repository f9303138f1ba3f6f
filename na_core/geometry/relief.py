"""Reliefs: which object each pixel of a photo shows and how far away it is; and marching rays into them.

A relief makes of a photo and its boxes a scene that can be looked at from elsewhere. What the photo did not
see of an object is bounded by its box and by the photo's other pixels: where the photo looks past the object
there is none of it (the visual hull of one view; Laurentini 1994).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from na_core.geometry.boxes import box_corners
from na_core.geometry.camera import project_points
from na_core.scene import Box, Camera

STEPS = 24
"""Samples along a ray through a box."""

THICKNESS = 0.08
"""How far behind the seen surface a point still counts as seen, in units of the box's extent in depth."""

SLACK = 1e-3
"""How far before the surface, in units of the box's extent in depth, it is met: depths are rounded."""

EMPTY, UNKNOWN, HULL, SURFACE = 0, 1, 2, 3


@dataclass(frozen=True)
class Relief:
    """What a photo shows.

    Attributes:
        owner: (H, W) int32, the object that a pixel shows, by its place among the photo's boxes; -1 for none.
        depth: (H, W) float32, metres along the viewing direction of what it shows of that object; infinite
            where it shows none.
        cover: (H, W) int32, the object that a pixel may show, though perhaps it does not: what is taken out
            of the background when the object leaves. Where there is an owner, the owner.
    """

    owner: NDArray[np.int32]
    depth: NDArray[np.float32]
    cover: NDArray[np.int32]


@dataclass(frozen=True)
class Marched:
    """Where n rays meet an object.

    Attributes:
        kind: (n,) int8: nothing of the object (:data:`EMPTY`); a place that the photo cannot tell of, behind
            another object or beyond the photo's border (:data:`UNKNOWN`); inside its hull, where the photo
            did not see it (:data:`HULL`); the surface that the photo saw (:data:`SURFACE`).
        local: (n, 3) float64, where, in the box's coordinates in [-1, 1].
        at: (n, 2) float64, image point of the photo that shows that place.
        behind: (n,) float64, how far it lies behind the seen surface, in units of the box's extent in depth;
            infinite where nothing is found.
    """

    kind: NDArray[np.int8]
    local: NDArray[np.float64]
    at: NDArray[np.float64]
    behind: NDArray[np.float64]


def through_box(
    camera: Camera, world_from_box: NDArray[np.float64], local: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where rays enter and leave a box, each (n, 3) in its coordinates in [-1, 1].

    Args:
        camera: that the rays start from.
        world_from_box: (4, 4), not flat.
        local: (n, 3), the rays' hits on the box as the box map has them.
    """
    origin = 2 * (np.linalg.inv(world_from_box) @ np.append(camera.world_from_camera[:3, 3], 1.0))[:3]
    hit = local.astype(np.float64)
    if (np.abs(origin) <= 1).all():
        return np.broadcast_to(origin, hit.shape), hit
    direction = hit - origin
    direction = np.where(np.abs(direction) < 1e-12, np.copysign(1e-12, direction), direction)
    leave = ((np.sign(direction) - hit) / direction).min(axis=1, keepdims=True)
    return hit, np.clip(hit + np.maximum(leave, 0) * direction, -1, 1)


def march(
    relief: Relief,
    number: int,
    camera: Camera,
    box: Box,
    enter: NDArray[np.float64],
    leave: NDArray[np.float64],
) -> Marched:
    """Find where rays first meet an object.

    Args:
        relief: of the photo that shows the object.
        number: of the object in the relief.
        camera: that took the photo.
        box: the object's in the photo.
        enter, leave: (n, 3), where the rays enter and leave the box, in its coordinates in [-1, 1].
    """
    matrix = box.world_from_box
    corners = project_points(camera, box_corners(matrix))
    extent = max(float(np.ptp(corners[:, 2])), 1e-9)
    ends = [project_points(camera, p / 2 @ matrix[:3, :3].T + matrix[:3, 3]) for p in (enter, leave)]
    # Image point times depth, and depth, are linear along the ray.
    start, stop = (np.concatenate([p[:, :2] * p[:, 2:], p[:, 2:]], axis=1) for p in ends)
    share = np.arange(STEPS + 1) / STEPS
    kind, gap = _look(relief, number, start, stop, share, SLACK * extent)
    solid = kind == HULL
    first = solid.argmax(axis=1)
    rows = np.arange(len(start))
    found = solid[rows, first]
    before = np.maximum(first - 1, 0)
    # The photo saw the surface that the ray crosses from the front.
    crossed = found & (first > 0) & np.isfinite(gap[rows, before]) & (gap[rows, before] < 0)
    near, far = np.where(crossed, gap[rows, before], -1.0), np.where(crossed, gap[rows, first], 1.0)
    part = np.where(crossed, near / (near - far), 1.0)
    at_share = share[before] + part * (share[first] - share[before])
    behind = np.where(crossed, 0.0, gap[rows, first] / extent)
    seen = found & (behind <= THICKNESS)
    unknown = (kind == UNKNOWN).any(axis=1)
    outcome = np.select([seen, found, unknown], [SURFACE, HULL, UNKNOWN], EMPTY).astype(np.int8)
    at_share = np.where(found, at_share, 0.0)[:, None]
    point = start + at_share * (stop - start)
    at = point[:, :2] / _positive(point[:, 2:])
    return Marched(outcome, enter + at_share * (leave - enter), at, np.where(found, behind, np.inf))


def _look(
    relief: Relief,
    number: int,
    start: NDArray[np.float64],
    stop: NDArray[np.float64],
    share: NDArray[np.float64],
    slack: float,
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Look samples up: what they are, and how far they lie behind the object's seen surface, both (n, S).

    The distance is infinite where the photo shows none of the object. They are met ``slack`` metres early.
    """
    rows, columns = relief.owner.shape
    x, y, depth = (start[:, i, None] + share * (stop[:, i, None] - start[:, i, None]) for i in range(3))
    divisor = _positive(depth)
    x, y = x / divisor * columns, y / divisor * rows
    inside = (x >= -0.01) & (x <= columns + 0.01) & (y >= -0.01) & (y <= rows + 0.01)
    column = np.clip(x, 0, columns - 1).astype(np.intp)
    row = np.clip(y, 0, rows - 1).astype(np.intp)
    owner, seen = relief.owner[row, column], relief.depth[row, column]
    own = (owner == number) & (depth > 0)
    gap = np.where(own & inside, depth - seen + slack, np.inf).astype(np.float32)
    kind = np.where(own & inside & (gap >= 0), HULL, EMPTY)
    hidden = np.where(inside, (owner >= 0) & ~own & (depth > seen), own)
    return np.where(hidden, UNKNOWN, kind).astype(np.int8), gap


def _positive(depth: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(depth, 1e-9)
