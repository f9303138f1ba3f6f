"""The ground under a camera from the depth of its photo: gravity, the camera's height, and so its world.

Random sample consensus (Fischler and Bolles, 1981) among planes that a person holding a camera about upright
would stand over.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from na_core.geometry.camera import camera_of_photo, pitch_and_roll, pixel_centres
from na_core.scene import Camera

ROUNDS = 500
TOLERANCE = 0.015
"""Distance from a plane, relative to depth, up to which a point lies on it."""

STEEPEST = math.radians(65)
"""Pitch at most, up or down, of a camera whose ground is looked for."""

TILT = math.radians(20)
"""Roll at most."""

MOST = 4000
LEAST_SHARE = 0.1
"""Of the points, that a ground takes."""


class GroundError(ValueError):
    """A photo whose depth shows no ground. The text is a sentence."""


@dataclass(frozen=True)
class Ground:
    """A plane as the camera sees it.

    Attributes:
        up: (3,) its normal in the camera's frame (x right, y up, z backwards), length 1, upwards.
        height: metres of the camera above it.
        share: of the points that lie on it.
    """

    up: NDArray[np.float64]
    height: float
    share: float

    def camera(self, focal: float, width: int, height: int) -> Camera:
        """Return the camera in the world whose ground this is at z = 0; focal length in pixels."""
        return camera_of_photo(focal, width, height, self.height, *pitch_and_roll(self.up))


def camera_points(depth: NDArray[np.floating], focal: float) -> NDArray[np.float64]:
    """Return points (H, W, 3) in the camera's frame (x right, y up, z backwards), metres.

    Args:
        depth: (H, W) metres along the viewing direction.
        focal: length in pixels.
    """
    height, width = depth.shape
    centred = (pixel_centres(width, height) - 0.5) * (width, height) / focal
    rays = np.stack([centred[..., 0], -centred[..., 1], -np.ones((height, width))], axis=-1)
    return np.asarray(rays * depth[..., None])


def camera_over_ground(depth: NDArray[np.floating], free: NDArray[np.bool_], focal: float) -> Camera:
    """Return the camera over the ground that a photo's depth shows.

    Args:
        depth: (H, W) metres along the viewing direction.
        free: (H, W), where no object is.
        focal: length in pixels.

    Raises:
        GroundError: see :func:`find_ground`.
    """
    height, width = depth.shape
    usable = free & np.isfinite(depth)
    points = camera_points(np.where(usable, depth, 0), focal)[usable]
    return find_ground(points).camera(focal, width, height)


def find_ground(points: NDArray[np.float64]) -> Ground:
    """Find the ground among points (N, 3) of a photo in the camera's frame, objects left out.

    Of planes with as many points the lower one wins: a table's edge hides the floor, not the reverse.

    Raises:
        GroundError: too few points, or none of the planes carries a tenth of them.
    """
    random = np.random.default_rng(0)
    points = points[np.isfinite(points).all(axis=1) & (points[:, 2] < 0)]
    if len(points) < 3:
        raise GroundError("The photo's depth shows no ground. Set the camera by hand with Match Camera.")
    points = points[random.permutation(len(points))[:MOST]]
    near = TOLERANCE * -points[:, 2]
    best: tuple[int, NDArray[np.float64], float] | None = None
    for three in random.integers(len(points), size=(ROUNDS, 3)):
        a, b, c = points[three]
        normal = np.cross(b - a, c - a)
        length = float(np.linalg.norm(normal))
        if length < 1e-12:
            continue
        normal = normal / length * (1 if normal[1] >= 0 else -1)
        height = -float(normal @ a)
        if height <= 0 or not _plausible(normal):
            continue
        count = int((np.abs(points @ normal + height) < near).sum())
        if best is None or count > best[0]:
            best = count, normal, height
    if best is None or best[0] < LEAST_SHARE * len(points):
        raise GroundError("The photo's depth shows no ground. Set the camera by hand with Match Camera.")
    _, normal, height = best
    for _ in range(3):  # least squares on what lies on it
        on = np.abs(points @ normal + height) < near
        middle = points[on].mean(axis=0)
        weighted = (points[on] - middle) / near[on, None]
        fitted = np.linalg.svd(weighted, full_matrices=False)[2][-1]
        fitted = fitted if fitted @ normal > 0 else -fitted
        if not _plausible(fitted):
            break
        normal, height = fitted, -float(fitted @ middle)
    on = np.abs(points @ normal + height) < near
    return Ground(normal, height, float(on.mean()))


def _plausible(up: NDArray[np.float64]) -> bool:
    """Tell whether a camera could be held so that this is up."""
    return abs(up[2]) <= math.sin(STEEPEST) and abs(math.atan2(up[0], up[1])) <= TILT
