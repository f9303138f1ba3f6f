"""A face of a box put where it belongs, and the rest of the box with it.

What an artist moves is one face; what the photo showed of the others' outline is still true. The box keeps
its yaw and its support, the face stays where it was put, and the rest gives way as little as it must for the
outline to stay: but for the edges that a face draws which was moved across the view.
"""

import math

import numpy as np
from numpy.typing import NDArray

from na_core.geometry.boxes import UNIT_CORNERS, box_corners
from na_core.geometry.camera import project_points, rays
from na_core.geometry.lifting import projected_bounds
from na_core.scene import Box, Camera

FACES = ("-X", "+X", "-Y", "+Y", "-Z", "+Z")
"""Faces by number: axis 2 times, the negative side first."""

THINNEST = 0.02
"""Least extent of a box along an axis, in units of the one that it had."""

ALONG = math.cos(math.radians(45))
"""Cosine of the angle to the line of sight up to which an axis is along the view."""

EDGE_ERROR, SIZE_ERROR = 0.004, 0.5
"""Error of the outline that is as bad as one of the logarithm of a size."""

ROUNDS = 20
STEP = 1e-6

Array = NDArray[np.float64]


def move_face(box: Box, face: int, distance: float) -> Box:
    """Return a box one of whose faces is moved outwards by so many metres; the opposite face stays.

    The face stops short of the opposite one.
    """
    axis, side = divmod(face, 2)
    matrix = box.world_from_box.copy()
    extent = float(np.linalg.norm(matrix[:3, axis]))
    factor = max(1 + distance / max(extent, 1e-12), THINNEST)
    shift = matrix[:3, axis] * (factor - 1) / 2
    matrix[:3, 3] += shift if side else -shift
    matrix[:3, axis] *= factor
    return Box(matrix)


def refit_to_face(camera: Camera, before: Box, face: int, distance: float) -> Box:
    """Return a box one of whose faces was moved, and the rest of which fits the photo as it did before.

    A face that is moved along the view changes how deep the box is: its outline in the photo stays. One that
    is moved across it draws new edges of the outline, and the others stay. For them the sizes along the other
    axes, and where the box is along them, give way. A box whose outline cannot be told (a corner is behind
    the camera) is not refitted.

    Args:
        camera: that took the photo.
        before: the box before the face was moved.
        face: by number in :data:`FACES`.
        distance: metres outwards.
    """
    moved = move_face(before, face, distance)
    wanted = projected_bounds(camera, before.world_from_box)
    if wanted is None or projected_bounds(camera, moved.world_from_box) is None:
        return moved
    axis, side = divmod(face, 2)
    others = [other for other in range(3) if other != axis]
    touched = UNIT_CORNERS[:, axis] == (0.5 if side else -0.5)
    kept = np.full(4, _is_along_view(camera, before, axis))
    kept |= ~(_at_edge(camera, before, touched) | _at_edge(camera, moved, touched))

    def built(numbers: Array) -> Box:
        """Return the box whose other axes are longer and shifted; what stands on the ground stays there."""
        matrix = moved.world_from_box.copy()
        for other, (size, shift) in zip(others, numbers.reshape(2, 2), strict=True):
            along = moved.world_from_box[:3, other]
            grown = math.exp(size)
            matrix[:3, other] = along * grown
            matrix[:3, 3] += along * ((grown - 1) / 2 if other == 2 else shift)
        return Box(matrix)

    def residuals(numbers: Array) -> Array:
        outline = projected_bounds(camera, built(numbers).world_from_box)
        off = np.full(4, 1e3) if outline is None else (outline - wanted) * kept / EDGE_ERROR
        return np.concatenate([off, numbers / SIZE_ERROR])

    numbers, damping = np.zeros(4), 1e-3
    here = residuals(numbers)
    for _ in range(ROUNDS):
        slopes = np.stack([(residuals(numbers + STEP * row) - here) / STEP for row in np.eye(4)], axis=1)
        normal = slopes.T @ slopes
        move = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -slopes.T @ here)
        there = residuals(numbers + np.clip(move, -0.5, 0.5))
        if there @ there < here @ here:
            numbers, here, damping = numbers + np.clip(move, -0.5, 0.5), there, damping / 5
        else:
            damping *= 8
    return built(numbers)


def _is_along_view(camera: Camera, box: Box, axis: int) -> bool:
    """Tell whether an axis of a box points to the camera, or away from it, rather than across the view."""
    along = box.world_from_box[:3, axis]
    away = box.world_from_box[:3, 3] - camera.world_from_camera[:3, 3]
    return bool(abs(along @ away) > ALONG * np.linalg.norm(along) * np.linalg.norm(away))


def _at_edge(camera: Camera, box: Box, touched: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which edges (4,) of a box's outline corners (8,) of a face make, and no others."""
    points = project_points(camera, box_corners(box.world_from_box))[:, :2]
    low, high = points.min(axis=0), points.max(axis=0)
    others = points[~touched]
    return np.concatenate([others.min(axis=0) > low + 1e-9, others.max(axis=0) < high - 1e-9])


def face_at(camera: Camera, box: Box, point: tuple[float, float]) -> int:
    """Return the face of a box that a camera shows nearest to an image point: one under it, if there is one.

    Only faces that look at the camera count, if there are any.
    """
    matrix = box.world_from_box
    corners = project_points(camera, box_corners(matrix))[:, :2]
    away = matrix[:3, 3] - camera.world_from_camera[:3, 3]
    best, nearest = 0, math.inf
    for face in range(len(FACES)):
        axis, side = divmod(face, 2)
        sign = 1 if side else -1
        outwards = sign * np.cross(matrix[:3, (axis + 1) % 3], matrix[:3, (axis + 2) % 3])
        outwards = outwards * np.sign(np.linalg.det(matrix[:3, :3]))
        hidden = outwards @ (away + sign * matrix[:3, axis] / 2) >= 0
        quad = corners[UNIT_CORNERS[:, axis] == sign / 2][[0, 1, 3, 2]]
        distance = 0.0 if _is_inside(quad, np.array(point)) else float(np.hypot(*(quad.mean(axis=0) - point)))
        if distance + 1e3 * hidden < nearest:
            best, nearest = face, distance + 1e3 * hidden
    return best


def dragged_distance(
    camera: Camera, box: Box, face: int, start: tuple[float, float], end: tuple[float, float]
) -> float:
    """Return how far (metres, outwards) a face is moved by a drag between two image points.

    Its centre follows the drag as nearly as it can while it moves straight.
    """
    axis, side = divmod(face, 2)
    along = box.world_from_box[:3, axis] * (1 if side else -1)
    centre = box.world_from_box[:3, 3] + along / 2
    along = along / max(float(np.linalg.norm(along)), 1e-12)
    seen = project_points(camera, centre[None])[0, :2]
    direction = rays(camera, seen + np.subtract(end, start))
    direction = direction / np.linalg.norm(direction)
    # Where the two lines are nearest to each other.
    towards = centre - camera.world_from_camera[:3, 3]
    shared = float(along @ direction)
    square = 1 - shared**2
    if square < 1e-6:
        return 0.0
    return float((shared * (direction @ towards) - along @ towards) / square)


def _is_inside(quad: Array, point: Array) -> bool:
    """Tell whether a point (2,) is in a convex polygon (4, 2)."""
    edges = np.roll(quad, -1, axis=0) - quad
    to_point = point - quad
    crosses = edges[:, 0] * to_point[:, 1] - edges[:, 1] * to_point[:, 0]
    return bool((crosses >= 0).all() or (crosses <= 0).all())
