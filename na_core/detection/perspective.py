"""What each part of a picture says of its camera, and the camera that agrees with most of it.

Where a point in the picture is shifted to when what it shows is lifted tells its tilt; how far its ray is
above the horizon is its latitude (Jin et al., "Perspective Fields for Single Image Camera Calibration",
2023). A camera is fitted to both by robust least squares, as Veicht et al. do ("GeoCalib", 2024).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EVIDENCE = 0.5
"""Independent cells that a whole picture of them is worth: neighbours err together. With this, doubts are as
large as errors on held-out scenes."""

ROUNDS = 12
STEP = 1e-4
"""Of each number, to see how residuals change with it."""

FOCAL_LIMITS = 0.15, 20.0
"""Of focal lengths in units of the longer side."""

STEEPEST = math.radians(85)

Array = NDArray[np.float64]

LOWEST = np.array([math.log(FOCAL_LIMITS[0]), -STEEPEST, -math.pi])
HIGHEST = np.array([math.log(FOCAL_LIMITS[1]), STEEPEST, math.pi])
"""Of the logarithm of the focal length, pitch and roll."""


@dataclass(frozen=True)
class Look:
    """How a camera with square pixels and the principal point in the middle looks at the world.

    Attributes:
        focal: length in units of the picture's longer side.
        pitch, roll: radians; see :func:`na_core.geometry.camera.camera_of_photo`.
        focal_doubt: relative error to be expected of the focal length, 0 where it is known.
        pitch_doubt, roll_doubt: errors to be expected in radians, 0 where they are known.
    """

    focal: float
    pitch: float
    roll: float
    focal_doubt: float = 0.0
    pitch_doubt: float = 0.0
    roll_doubt: float = 0.0


@dataclass(frozen=True)
class View:
    """What a network says of a photo's camera.

    Attributes:
        places: (2, h, w), cells' centres from the picture's middle, x and y in units of the longer side.
        tilt, latitude: (h, w) radians; see :class:`na_core.detection.network.Prediction`.
        tilt_doubt, latitude_doubt: (h, w), errors to be expected of them.
        numbers: (3,) logarithm of the focal length, horizon above the middle, roll.
        doubts: (3,), errors to be expected of them.
    """

    places: Array
    tilt: Array
    latitude: Array
    tilt_doubt: Array
    latitude_doubt: Array
    numbers: Array
    doubts: Array


def perspective_fields(places: Array, focal: float, pitch: float, roll: float) -> tuple[Array, Array]:
    """Return the tilt and the latitude (h, w) in radians that a camera gives places (2, h, w).

    Places are from the picture's middle, x and y (down) in units of its longer side, as the focal length is.
    """
    x, y = places
    right, up = math.sin(roll) * math.cos(pitch), math.cos(roll) * math.cos(pitch)
    back = math.sin(pitch)
    tilt = np.arctan2(focal * right + x * back, focal * up - y * back)
    height = (right * x - up * y) / focal - back
    return tilt, np.arcsin(height / np.sqrt(1 + (x**2 + y**2) / focal**2))


def fit_look(
    view: View, focal: float | None = None, pitch: float | None = None, roll: float | None = None
) -> Look:
    """Return the camera that agrees best with what a network says, and with what is known of it.

    The network's three numbers are where the fit starts, and count as it is sure of them; its fields count
    by their doubts, those that contradict the rest hardly (Cauchy's loss).
    """
    numbers, free = first_numbers(view, focal, pitch, roll)
    information = np.zeros((3, 3))
    for _ in range(ROUNDS):
        information, pull = pull_of_view(view, numbers)
        information = information * np.outer(free, free)
        step = -np.linalg.pinv(information) @ (pull * free)
        numbers = moved(numbers, step, free)
    return look_of(numbers, np.asarray(np.sqrt(np.diag(np.linalg.pinv(information))) * free))


def first_numbers(
    view: View, focal: float | None, pitch: float | None, roll: float | None
) -> tuple[Array, NDArray[np.bool_]]:
    """Return where a fit starts, (3,): logarithm of the focal length, pitch, roll; and which may move."""
    numbers = np.array([view.numbers[0] if focal is None else math.log(focal), 0.0, view.numbers[2]])
    numbers[1] = math.atan2(view.numbers[1], math.exp(numbers[0])) if pitch is None else pitch
    numbers[2] = view.numbers[2] if roll is None else roll
    free = np.array([focal is None, pitch is None, roll is None])
    return moved(numbers, np.zeros(3), free), free


def moved(numbers: Array, step: Array, free: NDArray[np.bool_]) -> Array:
    """Return numbers (3,) after a step, not too large a one, within what cameras can be; only free ones."""
    return np.where(free, np.clip(numbers + np.clip(step, -0.5, 0.5), LOWEST, HIGHEST), numbers)


def look_of(numbers: Array, doubts: Array) -> Look:
    """Return a camera of such numbers (3,), and errors (3,) to be expected of them."""
    focal, pitch, roll = (float(number) for number in numbers)
    return Look(math.exp(focal), pitch, roll, *(float(doubt) for doubt in doubts))


def pull_of_view(view: View, numbers: Array) -> tuple[Array, Array]:
    """Return how surely, (3, 3), and whereto, (3,), a network's view pulls a camera of such numbers.

    They are Gauss' normal equations: the camera agrees best after a step of minus the inverse of the first
    times the second.
    """
    weights = np.append(np.full(2 * view.tilt.size, EVIDENCE / view.tilt.size), np.ones(3))
    here = _disagreement(view, numbers)
    slopes = np.stack(
        [(_disagreement(view, numbers + STEP * axis) - here) / STEP for axis in np.eye(3)], axis=1
    )
    trust = weights / (1 + here**2)
    return slopes.T @ (slopes * trust[:, None]), slopes.T @ (trust * here)


def _disagreement(view: View, numbers: Array) -> Array:
    """Return how far what a network says is from what a camera shows, (R,) in units of its doubts."""
    focal, pitch, roll = numbers
    tilt, latitude = perspective_fields(view.places, math.exp(focal), pitch, roll)
    off = (tilt - view.tilt + math.pi) % (2 * math.pi) - math.pi
    said = (np.array([focal, math.exp(focal) * math.tan(pitch), roll]) - view.numbers) / view.doubts
    fields = off / view.tilt_doubt, (latitude - view.latitude) / view.latitude_doubt
    return np.concatenate([*(each.ravel() for each in fields), said])
