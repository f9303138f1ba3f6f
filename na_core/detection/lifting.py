"""An upright box around a whole object, from the points of it that one photo shows.

Yaw is the one whose rectangle has the points closest to its sides (Zhang et al., "Efficient L-shape fitting
for vehicle detection using laser scanners", 2017, the closeness criterion). One view shows an object's front
alone: where the footprint is thinner than objects are, it is lengthened away from the camera.
"""

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import pixel_centres, rays
from na_core.scene import Box, Camera

COMPLETION = 0.7
"""Shorter over longer side of a footprint that is believed; a thinner one is lengthened to it."""

OUTLIERS = 0.3
"""Per cent of points at either end of an axis that bound nothing."""

CERTAIN = 1.3
"""How much closer than the median yaw the best one must have the points, to be believed."""

FEWEST = 20
"""Points that a box takes."""

SMOOTHING = 5
"""Side in pixels of the window that depth is averaged over: noise would widen the box."""

_ANGLES = np.radians(np.arange(0.0, 90.0))
_MOST = 4000
_VOXEL = 0.02
_NEIGHBOURS = 4

Footprint = NDArray[np.float64]


class FittingError(ValueError):
    """Points that no box explains. The text is a sentence."""


def points_of_depth(
    camera: Camera, depth: NDArray[np.floating], shown: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the world points (N, 3) that pixels show.

    Args:
        camera: that took the picture.
        depth: (H, W) metres along the viewing direction.
        shown: (H, W), the pixels; those without finite depth show nothing.
    """
    usable = shown & np.isfinite(depth) & (depth > 0)
    directions = rays(camera, pixel_centres(depth.shape[1], depth.shape[0])[usable])
    return camera.world_from_camera[:3, 3] + directions * depth[usable, None]


def smoothed(depth: NDArray[np.floating], shown: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return depth (H, W) averaged over windows of an object's pixels (H, W) alone, infinite elsewhere."""
    usable = shown & np.isfinite(depth) & (depth > 0)
    total = cv2.blur(np.where(usable, depth, 0).astype(np.float32), (SMOOTHING, SMOOTHING))
    share = cv2.blur(usable.astype(np.float32), (SMOOTHING, SMOOTHING))
    return np.where(usable, total / np.maximum(share, 1e-6), np.inf).astype(np.float32)


def scale_to_ground(camera: Camera, depth: NDArray[np.floating], candidates: NDArray[np.bool_]) -> float:
    """Return by how much to multiply depth for the ground to lie at z = 0; 1 if it is not seen.

    Estimated metric depth is off by some factor for the whole photo. Walls and clutter among the pixels do no
    harm while ground is the most frequent factor.

    Args:
        camera: that took the photo.
        depth: (H, W) metres along the viewing direction.
        candidates: (H, W), pixels that may show ground.
    """
    directions = rays(camera, pixel_centres(depth.shape[1], depth.shape[0]))
    drop = -camera.world_from_camera[2, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms = np.log(drop / directions[..., 2] / depth)
    found = logarithms[candidates & (np.abs(logarithms) < math.log(4))]  # False where it is not a number
    if len(found) < FEWEST:
        return 1.0
    counts, edges = np.histogram(found, bins=np.arange(-math.log(4), math.log(4) + 0.05, 0.05))
    peak = edges[counts.argmax()] + 0.025
    return float(np.exp(np.median(found[np.abs(found - peak) < 0.1])))


def closeness_yaw(footprint: Footprint) -> tuple[float, float]:
    """Return the yaw in [0, pi/2) whose rectangle has points (N, 2) nearest its sides, and how clear it is.

    The second number is the closeness of the best yaw over that of the median one; 1 for points on a circle.
    """
    directions = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=-1)
    along = footprint @ directions.T
    across = footprint @ np.stack([-directions[:, 1], directions[:, 0]])
    nearest = np.full(along.shape, np.inf)
    for values in (along, across):
        low, high = np.percentile(values, (OUTLIERS, 100 - OUTLIERS), axis=0)
        nearest = np.minimum(nearest, np.minimum(np.abs(values - low), np.abs(high - values)))
    diagonal = float(np.linalg.norm(np.ptp(footprint, axis=0)))
    closeness = (1 / np.maximum(nearest, max(0.02 * diagonal, 1e-12))).mean(axis=0)
    best = int(closeness.argmax())
    return float(_ANGLES[best]), float(closeness[best] / np.median(closeness))


def principal_yaw(footprint: Footprint) -> tuple[float, float]:
    """Return the yaw in [0, pi/2) of the principal axes of points (N, 2), and how clear it is.

    The second number is the ratio of the standard deviations along them. It is what closeness is compared
    with: a view that shows two unlike sides tilts it.
    """
    variances, axes = np.linalg.eigh(np.cov(footprint.T))
    yaw = math.atan2(axes[1, 1], axes[0, 1]) % (math.pi / 2)
    return yaw, float(math.sqrt(variances[1] / max(variances[0], 1e-12)))


def fit_box(
    points: NDArray[np.float64],
    eye: NDArray[np.float64],
    support_height: float | None = None,
    *,
    yaw_of: Callable[[Footprint], tuple[float, float]] = closeness_yaw,
) -> Box:
    """Fit an upright box to the points of an object that a camera sees.

    It stands on its support, and its front (local -Y) faces the camera most nearly, or exactly if the object
    is round or irregular, so that its yaw cannot be told.

    Args:
        points: (N, 3) metres, z up.
        eye: (3,), where the camera is.
        support_height: z of what the object stands on; None takes the lowest points.
        yaw_of: finds the yaw of a footprint (N, 2).

    Raises:
        FittingError: too few points, or points that are not finite.
    """
    if len(points) < FEWEST or not np.isfinite(points).all():
        raise FittingError(f"An object needs {FEWEST} pixels of known depth. Take a larger picture.")
    points = _without_strays(points)
    footprint = points[:, :2]
    yaw, clearness = yaw_of(footprint[:: max(1, len(footprint) // _MOST)])
    sure = clearness >= CERTAIN
    middle = np.median(footprint, axis=0)
    towards = np.asarray(eye, dtype=np.float64)[:2] - middle
    facing = math.atan2(towards[0], -towards[1])  # of a box whose -Y looks at the camera
    yaw = yaw + round((facing - yaw) / (math.pi / 2)) * (math.pi / 2) if sure else facing
    axes = np.array([[math.cos(yaw), math.sin(yaw)], [-math.sin(yaw), math.cos(yaw)]])
    low, high = np.percentile(footprint @ axes.T, (OUTLIERS, 100 - OUTLIERS), axis=0)
    low, high = _completed(low, high, axes @ np.asarray(eye, dtype=np.float64)[:2])
    bottom, top = np.percentile(points[:, 2], (OUTLIERS, 100 - OUTLIERS))
    if support_height is not None:
        bottom = min(support_height, top)
    thinnest = 1e-3 * max(float((high - low).max()), top - bottom, 1e-6)
    size = np.maximum((*(high - low), top - bottom), thinnest)
    centre = (*((low + high) / 2 @ axes), bottom + size[2] / 2)
    return Box(box_matrix(centre, size, yaw))


def _completed(
    low: NDArray[np.float64], high: NDArray[np.float64], eye: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lengthen the shorter side of a footprint (2,), (2,) away from the eye (2,)."""
    low, high = low.copy(), high.copy()
    size = high - low
    short = int(size.argmin())
    missing = COMPLETION * size[1 - short] - size[short]
    if missing <= 0:
        return low, high
    if eye[short] > high[short]:
        low[short] -= missing
    elif eye[short] < low[short]:
        high[short] += missing
    else:  # the eye looks along that side: both ends are as likely
        low[short] -= missing / 2
        high[short] += missing / 2
    return low, high


def _without_strays(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Leave out points (N, 3) with few others around them, as depth smeared over an outline gives."""
    extent = float(np.ptp(points, axis=0).max())
    if extent <= 0:
        return points
    cells = np.floor((points - points.min(axis=0)) / (_VOXEL * extent)).astype(np.int64)
    _, which, count = np.unique(cells, axis=0, return_inverse=True, return_counts=True)
    kept = points[count[which.ravel()] >= _NEIGHBOURS]
    return kept if len(kept) >= len(points) / 2 else points
