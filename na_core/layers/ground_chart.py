"""The ground of a photo seen from above, where its texture is as large near the camera as far away."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 160
"""Longer side of a chart in pixels."""

FARTHEST = 12.0
"""Depth in units of the camera's height beyond which nothing is taken for ground."""

DEPTH_RATIO = 4.0
"""Depth of a chart's farthest point in units of the nearest one of a hole."""

SMALLEST_SHARE = 0.05
"""Share of a hole that has to be in front of the ground for a chart to pay."""

LARGEST_RATIO = 1.4
"""Ratio of two places' pixels per metre up to which one may be copied to the other."""


@dataclass(frozen=True)
class Chart:
    """A part of the ground from above.

    Attributes:
        image_from_chart: (3, 3), from pixels (x, y, 1) of the chart, the first one's centre at 0.5, to image
            coordinates (x * depth, y * depth, depth); depth is in units of the camera's height.
        size: width and height in pixels.
    """

    image_from_chart: NDArray[np.float64]
    size: tuple[int, int]

    @property
    def inverse_depth(self) -> NDArray[np.float64]:
        """(3,) that turns image coordinates (x, y, 1) into 1 / depth of the ground, negative above it."""
        inverse: NDArray[np.float64] = np.linalg.inv(self.image_from_chart)[2]
        return inverse

    def shift(self, across: float, along: float) -> NDArray[np.float64]:
        """Return the homography (3, 3) of image coordinates that moves points by so many of its pixels."""
        moved = np.array([[1, 0, across], [0, 1, along], [0, 0, 1.0]])
        found: NDArray[np.float64] = self.image_from_chart @ moved @ np.linalg.inv(self.image_from_chart)
        return found

    def of(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return a picture (h, w) or (h, w, C) as the chart shows it, 0 beyond its borders."""
        height, width = picture.shape[:2]
        return warped(picture, np.diag([width, height, 1.0]) @ self.image_from_chart, self.size)


def warped(
    picture: NDArray[np.float32],
    source: NDArray[np.float64],
    size: tuple[int, int],
    border: int = cv2.BORDER_CONSTANT,
) -> NDArray[np.float32]:
    """Return what (w, h) pixels show that lie at ``source`` (3, 3) of their own positions, bilinearly."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    matrix = np.linalg.inv(half) @ source @ half
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    found: NDArray[np.float32] = cv2.warpPerspective(picture, matrix, size, flags=flags, borderMode=border)
    return found


def ground_chart(image_from_ground: NDArray[np.float64], hole: NDArray[np.bool_]) -> Chart | None:
    """Return a chart of the ground around a hole; None where little of it is in front of the ground.

    Args:
        image_from_ground: (3, 3), see :func:`na_core.raster.ground.image_from_ground_below`.
        hole: (h, w).
    """
    if abs(np.linalg.det(image_from_ground)) < 1e-9:
        return None
    # 1. Axes of the ground that run across the view and along it.
    forward = image_from_ground[2, :2]
    length = np.linalg.norm(forward)
    ahead = forward / length if length > 1e-6 else np.array([0.0, 1.0])
    turn = np.array([[ahead[1], ahead[0], 0], [-ahead[0], ahead[1], 0], [0, 0, 1]])
    image_from_turned = image_from_ground @ turn

    # 2. What of it the photo shows, and what of that is around the hole.
    height, width = hole.shape
    x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
    rays = np.linalg.inv(image_from_turned) @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    depth = np.where(rays[2] > 1 / FARTHEST, 1 / np.maximum(rays[2], 1e-9), np.inf)
    inside = hole.ravel() & np.isfinite(depth)
    if inside.sum() < max(4, SMALLEST_SHARE * hole.sum()):
        return None
    far = min(np.percentile(depth[inside], 95) * 1.2, depth[inside].min() * DEPTH_RATIO)
    ground = rays[:2] / np.maximum(rays[2], 1e-9)
    inside &= depth <= far
    seen = ground[:, depth <= far * 1.5]
    low, high = ground[:, inside].min(axis=1), ground[:, inside].max(axis=1)
    reach = (high - low).max()
    low, high = np.maximum(low - reach, seen.min(axis=1)), np.minimum(high + reach, seen.max(axis=1))

    # 3. Its pixels, farther ones above nearer ones.
    unit = (high - low).max() / SIDE
    if not unit > 1e-9:
        return None
    size = tuple(max(8, int(np.ceil(extent / unit))) for extent in high - low)
    ground_from_chart = np.array([[unit, 0, low[0]], [0, -unit, high[1]], [0, 0, 1]])
    return Chart(image_from_turned @ ground_from_chart, (size[0], size[1]))
