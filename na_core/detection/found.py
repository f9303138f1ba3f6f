"""What was found in one photo, and the numbers that networks say of it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

NUMBERS = {"centre": 2, "height": 1, "footprint": 1, "stretch": 2, "quarter": 2}
"""Numbers that networks say of a box beside its depth and front, in their order; see
:class:`na_core.detection.network.Prediction`. The centre is in the picture and not relative to a cell."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Found:
    """The objects of one photo as numbers; lengths in the picture in units of its longer side.

    Attributes:
        scores: (K,), the surest first.
        rectangles: (K, 4) of 2D boxes.
        centres: (K, 2), where 3D boxes' centres are seen.
        depths: (K,) in camera heights, over the focal length.
        sizes: (K, 3), apparent width, depth and height: times focal length over depth.
        yaws: (K,) radians; 0 faces the camera.
    """

    scores: Array
    rectangles: Array
    centres: Array
    depths: Array
    sizes: Array
    yaws: Array

    def chosen(self, numbers: Sequence[int]) -> "Found":
        """Return some of the objects, in their order."""
        each = {of.name: getattr(self, of.name)[list(numbers)] for of in fields(self)}
        return Found(**each)


def found_from_numbers(
    scores: Array, rectangles: Array, depths: Array, numbers: Array, front: Array
) -> Found:
    """Return objects (K,) from what networks say of them.

    Args:
        scores, rectangles, depths: see :class:`Found`.
        numbers: (K, 8), see :data:`NUMBERS`.
        front: (K, 8) logits of directions.
    """
    centres, height, footprint, stretch, quarter = np.split(numbers, np.cumsum([*NUMBERS.values()])[:-1], 1)
    yaws = _facing(np.arctan2(quarter[:, 1], quarter[:, 0]) / 4, front)
    half = stretch[:, :1] * np.cos(2 * yaws)[:, None] + stretch[:, 1:] * np.sin(2 * yaws)[:, None]
    sizes = np.exp(np.concatenate([footprint + half, footprint - half, height], axis=1))
    return Found(scores, rectangles, centres, depths, sizes, yaws)


def numbers_of(found: Found) -> Array:
    """Return the (K, 8) :data:`NUMBERS` that mean what was found, but for which side is the front."""
    width, depth, height = np.log(found.sizes).T
    half = (width - depth) / 2
    turns = [of(times * found.yaws) for times in (2, 4) for of in (np.cos, np.sin)]
    columns = [height, (width + depth) / 2, half * turns[0], half * turns[1], *turns[2:]]
    return np.concatenate([found.centres, np.stack(columns, axis=1)], axis=1)


def _facing(yaws: Array, front: Array) -> Array:
    """Return yaws (K,) turned by quarter turns to where the front is likeliest by logits (K, 8)."""
    candidates = yaws[:, None] + np.arange(4) * np.pi / 2
    place = candidates * front.shape[1] / (2 * math.pi)
    before = np.floor(place).astype(int)
    share = place - before
    below, above = (
        np.take_along_axis(front, number % front.shape[1], axis=1) for number in (before, before + 1)
    )
    best = ((1 - share) * below + share * above).argmax(axis=1)
    return np.asarray(np.take_along_axis(candidates, best[:, None], axis=1)[:, 0])
