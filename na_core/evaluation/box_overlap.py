"""Exact intersection over union of oriented 3D boxes."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, HalfspaceIntersection

MIN_INTERSECTION_RADIUS = 1e-6
"""Radius of the largest ball in an intersection, in units of the first box, up to which it is empty."""


def box_iou(first: ArrayLike, second: ArrayLike) -> float:
    """Return the intersection over union of two boxes (4, 4) ``world_from_box``, in [0, 1].

    Rotation, scale and shear are all exact: the intersection is a convex polyhedron, that of the twelve
    half-spaces of the boxes' faces. A box without volume overlaps nothing.
    """
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    volumes = [abs(float(np.linalg.det(m[:3, :3]))) for m in (a, b)]
    if min(volumes) <= 0 or not np.isfinite(volumes).all():
        return 0.0
    both = min(_intersection(a, b), *volumes)
    return both / (volumes[0] + volumes[1] - both)


def box_ious(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return the intersection over union (N, M) of every box of (N, 4, 4) with every box of (M, 4, 4)."""
    a = np.asarray(first, dtype=np.float64).reshape(-1, 4, 4)
    b = np.asarray(second, dtype=np.float64).reshape(-1, 4, 4)
    return np.array([[box_iou(x, y) for y in b] for x in a]).reshape(len(a), len(b))


def _intersection(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the volume that two solid boxes share, in cubic metres."""
    relative = np.linalg.inv(first) @ second  # the first box is the unit cube: scales no longer matter
    reach = np.abs(relative[:3, :3]).sum(axis=1) / 2
    if (np.abs(relative[:3, 3]) - reach >= 0.5).any():
        return 0.0
    spaces = np.vstack([_half_spaces(np.eye(4)), _half_spaces(np.linalg.inv(relative))])
    # The centre of the largest ball in it: linear in centre and radius.
    ball = linprog(
        (0, 0, 0, -1), A_ub=np.c_[spaces[:, :3], np.ones(12)], b_ub=-spaces[:, 3], bounds=[(None, None)] * 4
    )
    if not ball.success or ball.x[3] <= MIN_INTERSECTION_RADIUS:
        return 0.0
    corners = HalfspaceIntersection(spaces, ball.x[:3]).intersections
    return float(ConvexHull(corners, qhull_options="QJ").volume) * abs(float(np.linalg.det(first[:3, :3])))


def _half_spaces(box_from_world: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the faces of a box as (6, 4): inside is where normal x + offset <= 0, normals of length 1."""
    rows = np.vstack([box_from_world[:3], -box_from_world[:3]])
    rows[:, 3] -= 0.5
    return rows / np.linalg.norm(rows[:, :3], axis=1, keepdims=True)
