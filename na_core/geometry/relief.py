"""Reliefs: which object each pixel of a photo shows and how far away it is; and marching rays into them.

A relief makes of a photo and its boxes a scene that can be looked at from elsewhere. An object fills each of
its pixels' rays from what the photo shows to its far side, which is a guess; where the photo looks past the
object there is none of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from na_core.geometry.boxes import box_corners
from na_core.geometry.camera import project_points
from na_core.geometry.seams import span
from na_core.scene import Box, Camera

STEPS = 16
"""Samples along a ray through a box."""

HALVINGS = 4
"""Of the step between samples in which a ray comes into an object from beside it."""

THICKNESS = 0.02
"""How far behind the seen surface a point still counts as seen, in units of the box's extent in depth."""

SLACK = 1e-3
"""How far before the surface, in units of the box's extent in depth, it is met: depths are rounded."""

RIM = 2
"""Pixels from an object's outline within which its colours are mixed with what is beside it."""

INWARD = sorted(
    ((down, across) for down in range(-RIM, RIM + 1) for across in range(-RIM, RIM + 1)),
    key=lambda step: (step[0] ** 2 + step[1] ** 2, step),
)
"""Steps in pixels (down, across) to where an unmixed colour is looked for, the nearest first."""

EMPTY, UNKNOWN, HULL, SURFACE = 0, 1, 2, 3


@dataclass(frozen=True)
class Relief:
    """What a photo shows.

    Attributes:
        owner: (H, W) int32, the object that a pixel shows, by its place among the photo's boxes; -1 for none.
        depth: (H, W) float32, metres along the viewing direction of what it shows of that object; infinite
            where it shows none.
        far: (H, W) float32, metres to the object's far side, no less than ``depth``; infinite where it shows
            none.
        cover: (H, W) int32, the object that a pixel may show, though perhaps it does not: what is taken out
            of the background when the object leaves. Where there is an owner, the owner.
    """

    owner: NDArray[np.int32]
    depth: NDArray[np.float32]
    far: NDArray[np.float32]
    cover: NDArray[np.int32]


@dataclass(frozen=True)
class Marched:
    """Where n rays meet an object.

    Attributes:
        kind: (n,) int8: nothing of the object (:data:`EMPTY`); a place that the photo cannot tell of, behind
            another object or beyond the photo's border (:data:`UNKNOWN`); its hull, where the photo did not
            see it (:data:`HULL`); the surface that the photo saw (:data:`SURFACE`).
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
    gap, past, hidden = _look(relief, number, start, stop, share, SLACK * extent)
    # A ray meets an object where it crosses the surface that the photo saw, or the far side, or comes in
    # from beside it.
    front, back = np.zeros_like(hidden), np.zeros_like(hidden)
    known = np.isfinite(gap[:, :-1]) & np.isfinite(gap[:, 1:])
    front[:, 1:] = known & (gap[:, :-1] < 0) & (gap[:, 1:] >= 0)
    back[:, 1:] = known & (past[:, :-1] > 0) & (past[:, 1:] <= 0)
    solid = front | back | (np.isfinite(gap) & (gap >= 0) & (past <= 0))
    first = solid.argmax(axis=1)
    rows = np.arange(len(start))
    found = solid[rows, first]
    before = np.maximum(first - 1, 0)
    from_front, from_back = front[rows, first], back[rows, first]
    side = np.where(from_front[:, None], gap, past)
    crosses = from_front | from_back
    one, two = (np.where(crosses, side[rows, at], to) for at, to in ((before, -1.0), (first, 1.0)))
    part = np.where(crosses, one / (one - two), 1.0)
    at_share = share[before] + part * (share[first] - share[before])
    deep = gap[rows, first] - np.where(from_back, past[rows, first], 0.0)
    beside = found & ~crosses & (first > 0)
    if beside.any():
        way = start[beside], stop[beside]
        outside, inside = share[before[beside], None], at_share[beside, None]
        at_share[beside], deep[beside] = _come_in(relief, number, *way, outside, inside, SLACK * extent)
    behind = np.where(from_front, 0.0, np.maximum(deep, 0.0) / extent)
    seen = found & (behind <= THICKNESS)
    unknown = hidden.any(axis=1)
    outcome = np.select([seen, found, unknown], [SURFACE, HULL, UNKNOWN], EMPTY).astype(np.int8)
    at_share = np.where(found, at_share, 0.0)[:, None]
    point = start + at_share * (stop - start)
    at = point[:, :2] / _positive(point[:, 2:])
    return Marched(outcome, enter + at_share * (leave - enter), at, np.where(found, behind, np.inf))


def _come_in(
    relief: Relief,
    number: int,
    start: NDArray[np.float64],
    stop: NDArray[np.float64],
    outside: NDArray[np.float64],
    inside: NDArray[np.float64],
    slack: float,
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Find where rays come into an object from beside it, by halving.

    Args:
        relief, number, start, stop, slack: see :func:`_look`.
        outside, inside: (n, 1), shares of the way that lie outside and inside of it.

    Returns:
        The share of the way just inside, and how far behind the seen surface that is, both (n,).
    """
    deep = np.zeros(inside.shape, np.float32)
    for step in range(HALVINGS + 1):
        middle = inside if step == HALVINGS else (outside + inside) / 2
        gap, past, _ = _look(relief, number, start, stop, middle, slack)
        within = np.isfinite(gap) & (gap >= 0) & (past <= 0)
        inside, outside = np.where(within, middle, inside), np.where(within, outside, middle)
        deep = np.where(within, gap, deep)
    return inside[:, 0], deep[:, 0]


def _look(    relief: Relief,
    number: int,
    start: NDArray[np.float64],
    stop: NDArray[np.float64],
    share: NDArray[np.float64],
    slack: float,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Look samples up in the photo, all (n, S).

    Returns:
        How far they lie behind the object's seen surface, and behind its far side: metres, infinite where
        the photo shows none of the object; both sides are met ``slack`` metres early. And whether the photo
        cannot tell what is there.
    """
    rows, columns = relief.owner.shape
    x, y, depth = (start[:, i, None] + share * (stop[:, i, None] - start[:, i, None]) for i in range(3))
    divisor = _positive(depth)
    x, y = x / divisor * columns, y / divisor * rows
    inside = (x >= -0.01) & (x <= columns + 0.01) & (y >= -0.01) & (y <= rows + 0.01)
    column = np.clip(x, 0, columns - 1).astype(np.intp)
    row = np.clip(y, 0, rows - 1).astype(np.intp)
    owner, seen, far = relief.owner[row, column], relief.depth[row, column], relief.far[row, column]
    own = (owner == number) & (depth > 0)
    gap = np.where(own & inside, depth - seen + slack, np.inf).astype(np.float32)
    past = np.where(own & inside, depth - far - slack, np.inf).astype(np.float32)
    hidden = np.where(inside, (owner >= 0) & ~own & (depth > seen), own)
    return gap, past, hidden


def unmixed(owner: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return the owners (H, W) of pixels all of whose eight neighbours show the same object; else -1."""
    return np.where(span(owner) == 0, owner, -1)


def inward(inner: NDArray[np.int32], number: int, at: NDArray[np.float64]) -> NDArray[np.float64]:
    """Move points on an object's rim to the nearest pixel whose colour is the object's alone.

    Args:
        inner: (H, W), see :func:`unmixed`.
        number: of the object.
        at: (n, 2) image points. Those that lie well inside stay, and those without such a pixel near.
    """
    rows, columns = inner.shape
    column, row = (np.floor(at[:, i] * size).astype(np.intp) for i, size in ((0, columns), (1, rows)))
    moved = at.copy()
    todo = np.ones(len(at), bool)
    for down, across in INWARD:
        y, x = row + down, column + across
        there = todo & (y >= 0) & (y < rows) & (x >= 0) & (x < columns)
        there &= inner[np.clip(y, 0, rows - 1), np.clip(x, 0, columns - 1)] == number
        if down or across:
            moved[there] = np.stack([(x[there] + 0.5) / columns, (y[there] + 0.5) / rows], axis=1)
        todo &= ~there
    return moved


def _positive(depth: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(depth, 1e-9)
