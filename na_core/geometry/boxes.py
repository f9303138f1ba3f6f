"""Boxes: corners, projection and the source-relative relabelling."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from na_core.geometry.camera import project_local
from na_core.scene import Box, Camera

UNIT_CORNERS: NDArray[np.float64] = np.array(
    [[ix - 0.5, iy - 0.5, iz - 0.5] for ix in (0, 1) for iy in (0, 1) for iz in (0, 1)]
)
"""Corners of the unit cube (8, 3); index = 4*ix + 2*iy + iz with 0 for -1/2 and 1 for +1/2."""

POSE_CORNERS = (0, 1, 2, 4)
"""One corner and its z, y and x neighbours: what the pose token sees (paper, section 1)."""


def box_matrix(centre: ArrayLike, dimensions: ArrayLike, yaw: float = 0.0) -> NDArray[np.float64]:
    """Return ``world_from_box`` (4, 4) of an upright box: centre and dimensions in metres, yaw in radians."""
    c, s = math.cos(yaw), math.sin(yaw)
    matrix = np.eye(4)
    matrix[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) * np.asarray(dimensions, dtype=np.float64)
    matrix[:3, 3] = centre
    return matrix


def box_corners(world_from_box: ArrayLike) -> NDArray[np.float64]:
    """Return the world corners (..., 8, 3) of boxes (..., 4, 4). Shear is kept."""
    m = np.asarray(world_from_box, dtype=np.float64)
    # One large product over all boxes: many small ones are several times slower.
    rows = m[..., :3, :].reshape(-1, 4) @ np.vstack([UNIT_CORNERS.T, np.ones(8)])
    return np.swapaxes(rows.reshape(*m.shape[:-2], 3, 8), -1, -2)


def project_boxes(cameras: Sequence[Camera], world_from_box: ArrayLike) -> NDArray[np.float64]:
    """Project the corners of N boxes into F frames in one go.

    Args:
        cameras: F cameras.
        world_from_box: (F, N, 4, 4), or (N, 4, 4) for boxes that stand still.

    Returns:
        (F, N, 8, 3): x, y in image coordinates (unclipped), depth in metres (positive in front). Finite for
        every finite input.
    """
    boxes = np.asarray(world_from_box, dtype=np.float64)
    camera_from_world = np.linalg.inv(np.stack([camera.world_from_camera for camera in cameras]))
    camera_from_box = camera_from_world[:, None] @ boxes
    local = box_corners(camera_from_box)
    intrinsics = np.array([(c.fx, c.fy, c.cx, c.cy) for c in cameras])[:, :, None, None]
    fx, fy, cx, cy = np.moveaxis(intrinsics, 1, 0)
    return project_local(local, fx, fy, cx, cy)


def bounds_2d(camera: Camera, box: Box) -> tuple[float, float, float, float]:
    """Return the 2D bounds (x0, y0, x1, y1) of a box's projection, clipped to the picture.

    Edges are clipped at the camera plane, so a box that straddles it gets the bounds of its part in front.
    A box behind the camera or outside the picture gives an empty rectangle (0, 0, 0, 0).
    """
    near = 1e-3
    local = box_corners(np.linalg.inv(camera.world_from_camera) @ box.world_from_box)
    points = [corner for corner in local if -corner[2] > near]
    for a in range(8):
        for axis in (1, 2, 4):
            b = a ^ axis
            if a < b:
                depth_a, depth_b = -local[a, 2] - near, -local[b, 2] - near
                if depth_a * depth_b < 0:
                    points.append(local[a] + (local[b] - local[a]) * depth_a / (depth_a - depth_b))
    if not points:
        return 0.0, 0.0, 0.0, 0.0
    projected = project_local(np.array(points), camera.fx, camera.fy, camera.cx, camera.cy)
    x0, y0 = np.clip(projected[:, :2].min(axis=0), 0, 1)
    x1, y1 = np.clip(projected[:, :2].max(axis=0), 0, 1)
    if x1 <= x0 or y1 <= y0:
        return 0.0, 0.0, 0.0, 0.0
    return float(x0), float(y0), float(x1), float(y1)


def is_behind(camera: Camera, box: Box) -> bool:
    """Tell whether every corner of the box lies behind the camera's plane."""
    local = box_corners(np.linalg.inv(camera.world_from_camera) @ box.world_from_box)
    return bool((local[:, 2] >= -1e-6).all())


def quarter_turn(k: int) -> NDArray[np.float64]:
    """Return the rotation (4, 4) by k * 90 degrees about local +Z: exact, it maps the unit cube to itself."""
    c, s = ((1, 0), (0, 1), (-1, 0), (0, -1))[k % 4]
    return np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=np.float64)


def source_quarter_turns(source_box: Box, source_camera: Camera) -> int:
    """Return the k that turns the box's front most nearly to the source camera, horizontally.

    For source and target alike ``world_from_box @ quarter_turn(k)`` is the same box with its corners
    renumbered so that local -Y faces the source camera: a detector that knows yaw only up to a quarter
    turn then gives the same labels (design, section 4.3). Freeze k on the asset when it is captured.
    """
    m = source_box.world_from_box
    to_camera = source_camera.world_from_camera[:3, 3] - m[:3, 3]
    up = m[:3, 2] / max(float(np.linalg.norm(m[:3, 2])), 1e-12)
    to_camera = to_camera - up * (to_camera @ up)
    scores = []
    for k in range(4):
        front = -(m @ quarter_turn(k))[:3, 1]
        scores.append(float(front @ to_camera) / max(float(np.linalg.norm(front)), 1e-12))
    return int(np.argmax(scores))


def relabelled(box: Box, quarter_turns: int) -> NDArray[np.float64]:
    """Return ``world_from_box`` (4, 4) with corners renumbered by k quarter turns about local +Z."""
    return box.world_from_box @ quarter_turn(quarter_turns)
