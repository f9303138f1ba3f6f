"""From a rectangle in a photo to an upright 3D box on the ground, without any network.

One rectangle holds four numbers; a box that stands on a known plane, with a known yaw and a known ratio of
depth to width, has four unknowns as well (two for its place, width, height). A first guess from the
contact point is refined until the box's projected bounds are the rectangle.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from na_core.geometry.boxes import box_corners, box_matrix
from na_core.geometry.camera import project_points, rays
from na_core.scene import Box, Camera

FARTHEST = 1000.0
"""Contact points farther than this many camera heights count as beyond the horizon."""

FLATTEST = 0.05
"""Height over width of the flattest box that a rectangle is explained by; below it, depth gives way."""

_NEAR = 1e-3
_TOLERANCE = 2e-3

Parameters = NDArray[np.float64]


class LiftingError(ValueError):
    """A rectangle that no box on the ground explains. The text is a sentence that names the fix."""


def box_from_rectangle(
    camera: Camera,
    rectangle: Sequence[float],
    *,
    ground_height: float = 0.0,
    depth_ratio: float = 0.7,
    yaw: float | None = None,
) -> Box:
    """Return the upright box on the ground whose projected bounds are the rectangle.

    Args:
        camera: the camera that took the photo.
        rectangle: (x0, y0, x1, y1) in image coordinates, y down; its bottom edge is where the object stands.
        ground_height: z of the horizontal ground plane in metres.
        depth_ratio: depth over width; one photo does not show how deep an object is.
        yaw: radians about world Z; None lets the box's front (local -Y) face the camera.

    Raises:
        LiftingError: the rectangle is empty, or its bottom edge meets no ground in front of the camera.
    """
    x0, y0, x1, y1 = (float(value) for value in rectangle)
    if not all(math.isfinite(value) for value in (x0, y0, x1, y1)) or x1 - x0 < 1e-4 or y1 - y0 < 1e-4:
        raise LiftingError("The rectangle is empty. Draw a larger one around the object.")
    if not depth_ratio > 0:
        raise LiftingError("The ratio of depth to width must be greater than zero. Use 0.7 if in doubt.")
    wanted = np.array([x0, y0, x1, y1])
    contact, depth = ground_contact(camera, ((x0 + x1) / 2, y1), ground_height=ground_height)
    away = contact[:2] - camera.world_from_camera[:2, 3]
    distance = float(np.linalg.norm(away))
    if distance < 1e-6 * depth:  # straight below the camera: the picture's up is as good as any direction
        away, distance = (
            camera.world_from_camera[:2, 1],
            float(np.linalg.norm(camera.world_from_camera[:2, 1])),
        )
    away = away / max(distance, 1e-12)
    if yaw is None:
        yaw = math.atan2(-away[0], away[1])
    width = (x1 - x0) / camera.fx * depth
    height = _height_at(camera, ((x0 + x1) / 2, y0), contact, away, ground_height) or width
    height = max(height, FLATTEST * width)

    def tall(parameters: Parameters) -> NDArray[np.float64]:
        w, h = np.exp(parameters[2:])
        return _standing(parameters[0], parameters[1], (w, depth_ratio * w, h), ground_height, yaw)

    def flat(parameters: Parameters) -> NDArray[np.float64]:
        w, d = np.exp(parameters[2:])
        return _standing(parameters[0], parameters[1], (w, d, FLATTEST * w), ground_height, yaw)

    centre = contact[:2] + away * depth_ratio * width / 2
    start = np.array([*centre, math.log(width), math.log(height)])
    best, error = _fit(camera, wanted, tall, start)
    matrix = tall(best)
    w, _, h = np.linalg.norm(matrix[:3, :3], axis=0)
    if error > _TOLERANCE or h < FLATTEST * w:
        start = np.array([*contact[:2], math.log(width), math.log(0.2 * depth_ratio * width)])
        best, flat_error = _fit(camera, wanted, flat, start)
        if flat_error < error or h < FLATTEST * w:
            matrix = flat(best)
    return Box(matrix)


def ground_contact(
    camera: Camera, point: Sequence[float], *, ground_height: float = 0.0
) -> tuple[NDArray[np.float64], float]:
    """Return the world point (3,) where the ray through an image point meets the ground, and its depth.

    Raises:
        LiftingError: the ray meets no ground in front of the camera.
    """
    origin = camera.world_from_camera[:3, 3]
    direction = rays(camera, np.array(point, dtype=np.float64))
    drop = ground_height - origin[2]
    depth = drop / direction[2] if abs(direction[2]) > 1e-12 else -1.0
    if not _NEAR < depth < FARTHEST * max(abs(drop), _NEAR):
        raise LiftingError(
            "The bottom edge of the rectangle meets no ground in front of the camera. Draw the bottom edge "
            "below the horizon, or lower the horizon: tilt the camera further down (a larger pitch)."
        )
    return origin + depth * direction, float(depth)


def projected_bounds(camera: Camera, world_from_box: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return unclipped bounds (x0, y0, x1, y1) of a box, or None if a corner is behind the camera."""
    points = project_points(camera, box_corners(world_from_box))
    if (points[:, 2] < _NEAR).any():
        return None
    return np.concatenate([points[:, :2].min(axis=0), points[:, :2].max(axis=0)])


def _height_at(
    camera: Camera,
    point: tuple[float, float],
    contact: NDArray[np.float64],
    away: NDArray[np.float64],
    ground_height: float,
) -> float | None:
    """Return the height at which the ray through the top edge crosses the vertical plane of the near face."""
    origin = camera.world_from_camera[:3, 3]
    direction = rays(camera, np.array(point))
    speed = float(direction[:2] @ away)
    if speed < 1e-6:
        return None
    t = float((contact[:2] - origin[:2]) @ away) / speed
    height = float(origin[2] + t * direction[2] - ground_height)
    return height if t > 0 and height > 0 else None


def _standing(
    x: float, y: float, dimensions: tuple[float, float, float], ground_height: float, yaw: float
) -> NDArray[np.float64]:
    return box_matrix((x, y, ground_height + dimensions[2] / 2), dimensions, yaw)


def _fit(
    camera: Camera,
    wanted: NDArray[np.float64],
    build: Callable[[Parameters], NDArray[np.float64]],
    start: Parameters,
) -> tuple[Parameters, float]:
    """Return parameters whose box has the wanted bounds (Levenberg-Marquardt), and the largest error left."""

    def residual(parameters: Parameters) -> NDArray[np.float64]:
        if not np.isfinite(parameters).all() or (np.abs(parameters[2:]) > 20).any():
            return np.full(4, 1e3)
        bounds = projected_bounds(camera, build(parameters))
        return np.full(4, 1e3) if bounds is None else bounds - wanted

    # Metres and logarithms of metres: steps in place are taken relative to the first guess of the width.
    scale = np.array([math.exp(start[2]), math.exp(start[2]), 1.0, 1.0])
    parameters, damping = start.copy(), 1e-3
    now = residual(parameters)
    for _ in range(60):
        if np.abs(now).max() < 1e-9:
            break
        step = 1e-6 * scale
        jacobian = np.stack(
            [(residual(parameters + np.eye(4)[i] * step[i]) - now) / 1e-6 for i in range(4)], axis=1
        )
        normal = jacobian.T @ jacobian
        for _ in range(12):
            move = np.linalg.solve(
                normal + damping * (np.diag(np.diag(normal)) + 1e-9 * np.eye(4)), -jacobian.T @ now
            )
            candidate = parameters + np.clip(move, -1, 1) * scale
            after = residual(candidate)
            if after @ after < now @ now:
                parameters, now, damping = candidate, after, max(damping / 5, 1e-9)
                break
            damping = min(damping * 4, 1e9)
        else:
            break
    return parameters, float(np.abs(now).max())
