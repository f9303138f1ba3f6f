"""Pinhole cameras: from Blender's and from photos, projection and rays."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from na_core.scene import Camera

DEPTH_EPSILON = 1e-6
"""Divisors of a perspective division are kept at least this far from zero (metres)."""

ASSUMED_FOCAL_FACTOR = 1.2
"""Focal length in units of the longer side when a photo says nothing (about 45 degrees)."""


def camera_from_projection(world_from_camera: ArrayLike, projection: ArrayLike) -> Camera:
    """Return the camera of an OpenGL-style projection matrix (4, 4), as Blender's ``calc_matrix_camera``."""
    p = np.asarray(projection, dtype=np.float64)
    return Camera(
        world_from_camera=rigid(world_from_camera),
        fx=p[0, 0] / 2,
        fy=p[1, 1] / 2,
        cx=0.5 - p[0, 2] / 2,
        cy=0.5 + p[1, 2] / 2,
    )


def rigid(matrix: ArrayLike) -> NDArray[np.float64]:
    """Return a (4, 4) transform without its scale and shear: the nearest rotation, and the translation.

    A mirrored transform keeps its view direction and its up; its x axis is turned round. (Blender shows the
    picture of a camera with negative scale mirrored, which no rotation can do.)
    """
    m = np.array(matrix, dtype=np.float64)
    u, _, vt = np.linalg.svd(m[:3, :3] / np.maximum(np.linalg.norm(m[:3, :3], axis=0), 1e-12))
    rotation = u @ vt
    if np.linalg.det(rotation) < 0:
        rotation[:, 0] *= -1
    m[:3, :3] = rotation
    m[3] = (0, 0, 0, 1)
    return m


def focal_from_35mm(focal_35mm: float, width: int, height: int) -> float:
    """Return the focal length in pixels of a photo whose EXIF gives the 35 mm equivalent.

    The equivalence is by the diagonal (CIPA DCG-001): ``f35 * hypot(W, H) / hypot(36, 24)``.
    """
    return focal_35mm * math.hypot(width, height) / math.hypot(36.0, 24.0)


def assumed_focal(width: int, height: int) -> float:
    """Return the focal length in pixels that is assumed when a photo says nothing: 1.2 of the longer side."""
    return ASSUMED_FOCAL_FACTOR * max(width, height)


def camera_of_photo(
    focal: float, width: int, height: int, camera_height: float, pitch: float, roll: float = 0.0
) -> Camera:
    """Return a camera for a photo, above the world's origin and facing +Y.

    Args:
        focal: pixels (square).
        width, height: of the photo in pixels.
        camera_height: metres above the ground plane z = 0.
        pitch: radians downwards from the horizon; 0 looks level.
        roll: radians about the viewing direction, anticlockwise as the camera's holder sees it; the picture's
            horizon falls to the right then.
    """
    c, s = math.cos(pitch), math.sin(pitch)
    right, up = np.array((1.0, 0.0, 0.0)), np.array((0.0, s, c))
    world_from_camera = np.eye(4)
    world_from_camera[:3, 0] = math.cos(roll) * right + math.sin(roll) * up
    world_from_camera[:3, 1] = math.cos(roll) * up - math.sin(roll) * right
    world_from_camera[:3, 2] = (0, -c, s)  # the camera looks along -Z: (0, cos, -sin)
    world_from_camera[2, 3] = camera_height
    return Camera(world_from_camera, fx=focal / width, fy=focal / height)


def pitch_and_roll(up: NDArray[np.float64]) -> tuple[float, float]:
    """Return :func:`camera_of_photo`'s pitch and roll, of a camera in whose frame ``up`` (3,) is up."""
    return math.asin(float(np.clip(up[2], -1, 1))), math.atan2(up[0], up[1])


def camera_from_world(camera: Camera) -> NDArray[np.float64]:
    """Return the (4, 4) inverse of ``world_from_camera``."""
    return np.linalg.inv(camera.world_from_camera)


def project_points(camera: Camera, points: ArrayLike) -> NDArray[np.float64]:
    """Project world points.

    Args:
        camera: the camera.
        points: (..., 3) metres.

    Returns:
        (..., 3): x, y in image coordinates (unclipped) and depth in metres, positive in front. The divisor
        is kept away from zero, so the result is finite for every finite point; points behind the camera
        keep their negative depth.
    """
    homogeneous = camera_from_world(camera)
    local = np.asarray(points, dtype=np.float64) @ homogeneous[:3, :3].T + homogeneous[:3, 3]
    return project_local(local, camera.fx, camera.fy, camera.cx, camera.cy)


def project_local(
    local: NDArray[np.float64], fx: ArrayLike, fy: ArrayLike, cx: ArrayLike, cy: ArrayLike
) -> NDArray[np.float64]:
    """Project camera-frame points (..., 3) with intrinsics that broadcast against ``local[..., 0]``."""
    depth = -local[..., 2]
    divisor = np.where(np.abs(depth) < DEPTH_EPSILON, np.copysign(DEPTH_EPSILON, depth), depth)
    out = np.empty_like(local)
    out[..., 0] = local[..., 0] / divisor * fx + cx
    out[..., 1] = -local[..., 1] / divisor * fy + cy
    out[..., 2] = depth
    return out


def pixel_centres(width: int, height: int) -> NDArray[np.float64]:
    """Return the image coordinates (H, W, 2) of pixel centres: ((i + 1/2) / W, (j + 1/2) / H)."""
    x = (np.arange(width) + 0.5) / width
    y = (np.arange(height) + 0.5) / height
    return np.stack(np.broadcast_arrays(x[None, :], y[:, None]), axis=-1)


def rays(camera: Camera, image_points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return world directions (..., 3) through image points (..., 2), scaled to one metre of depth."""
    local = np.stack(
        [
            (image_points[..., 0] - camera.cx) / camera.fx,
            -(image_points[..., 1] - camera.cy) / camera.fy,
            -np.ones(image_points.shape[:-1]),
        ],
        axis=-1,
    )
    return local @ camera.world_from_camera[:3, :3].T
