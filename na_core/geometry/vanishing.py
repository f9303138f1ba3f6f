"""A camera from lines in its photo that are parallel in the world: two vanishing points.

Images of parallel lines meet in a point. Those of two horizontal directions that are square to each other, as
a table's or a room's edges are, tell the focal length and how the camera was held (Guillou et al., "Using
vanishing points for camera calibration", 2000).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from na_core.geometry.camera import camera_of_photo, pitch_and_roll
from na_core.scene import Camera

Line = tuple[float, float, float, float]
"""x0, y0, x1, y1 in image coordinates, y down."""


class VanishingError(ValueError):
    """Lines that tell no camera. The text is a sentence that names the fix."""


def camera_from_lines(
    first: Sequence[Line], second: Sequence[Line], width: int, height: int, camera_height: float = 1.5
) -> Camera:
    """Return the camera that took a photo, above the world's origin and facing +Y, principal point centred.

    Args:
        first: at least two lines that are parallel in the world, and horizontal.
        second: at least two that are horizontal too and square to the first.
        width, height: of the photo in pixels, which are square.
        camera_height: metres above the ground plane z = 0.

    Raises:
        VanishingError: too few or too short lines, or directions that no camera sees so.
    """
    points = [_meeting_point(lines, width, height) for lines in (first, second)]
    squared = -float(points[0][:2] @ points[1][:2]) / float(points[0][2] * points[1][2] or math.nan)
    if not math.isfinite(squared):
        raise VanishingError(
            "One of the two directions shows no perspective: its lines are parallel in the photo too. Draw "
            "lines that run away from the camera."
        )
    if squared <= 0:
        raise VanishingError(
            "These lines cannot be square to each other on level ground. Draw the second pair along edges "
            "that meet the first ones at a right angle."
        )
    focal = math.sqrt(squared)
    # Directions of the two axes in the camera's frame: x right, y up, z backwards.
    axes = [np.array([p[0], -p[1], -focal * p[2]]) for p in points]
    up = np.cross(axes[0], axes[1])
    up /= np.linalg.norm(up)
    if up[1] < 0:
        up = -up
    return camera_of_photo(focal, width, height, camera_height, *pitch_and_roll(up))


def _meeting_point(lines: Sequence[Line], width: int, height: int) -> NDArray[np.float64]:
    """Return where lines meet, homogeneous (3,), in pixels from the middle of the photo."""
    if len(lines) < 2:
        raise VanishingError("Two lines are needed for each direction. Draw another one.")
    scale = np.array([width, height], dtype=np.float64)
    found = []
    for line in lines:
        start, end = (np.array(line[i : i + 2]) * scale - scale / 2 for i in (0, 2))
        length = float(np.linalg.norm(end - start))
        if length < 0.01 * max(width, height):
            raise VanishingError("A line is too short to tell its direction. Draw it from end to end.")
        across = np.array([start[1] - end[1], end[0] - start[0]]) / length
        found.append(length * np.array([*across, -across @ start]))  # the longer, the surer
    rows = np.array(found)
    unit = max(width, height)
    _, _, vectors = np.linalg.svd(rows * (1, 1, 1 / unit))
    point = vectors[-1] * (unit, unit, 1)
    if abs(point[2]) < 1e-9 * np.linalg.norm(point[:2]) / unit:
        point[2] = 0.0
    return np.asarray(point)
