"""Clips that are rendered on request only: an object that appears a second time, and a camera on an orbit.

Numbers only. Each maker returns the states of the frames, and the edits between them.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from na_core.data.labels import Edit

from ..layout import View
from .cast import Cast, Clip

ORBIT_DEGREES = (10.0, 40.0)
"""From how far to how far around the scene an orbit's cameras are."""

AZIMUTH_DEGREES = (-160.0, -20.0)
"""Directions that cameras look from: walls stand on the other side."""


def duplicate(cast: Cast, frames: int) -> Clip:
    """Return frames in which an object appears a second time; truth of a copy within one photo.

    The second half of the cast are copies of the first half, in its order. Frame 0 shows the originals. Frame
    1 shows each copy in its original's place: the same picture, whose labels say how the copies look. Each
    later frame is frame 0 and one copy elsewhere, not turned.
    """
    half = cast.count // 2
    originals = replace(cast, sizes=cast.sizes[:half]).first()
    nobody = (None,) * (cast.count - half)
    source = replace(originals, poses=originals.poses + nobody)
    donor = replace(originals, poses=((None,) * half + originals.poses + nobody)[: cast.count])
    states, edits = [source, donor], list[Edit]()
    order = [number for number in cast.present(source) if number < half]
    for k in range(2 * frames):
        number = order[k % len(order)]
        copy = cast.elsewhere(source.but(half + number, source.poses[number]), half + number)
        if copy is not None and len(states) < frames:
            edits.append(Edit("duplicate", 0, len(states), 1, half + number))
            states.append(copy)
    return Clip(tuple(states), tuple(edits))


def orbit(cast: Cast, frames: int) -> Clip:
    """Return frames of one scene from a camera that goes around its middle, at the same distance and height.

    Angles are spread over :data:`ORBIT_DEGREES`: the later a frame, the farther around its camera is.
    """
    first = cast.first()
    there = [(pose.x, pose.y) for pose in first.poses if pose is not None]
    middle = np.mean(there, axis=0) if there else np.zeros(2)
    low, high = ORBIT_DEGREES
    states, edits = [first], list[Edit]()
    for k in range(1, frames):
        share = (k - 1 + cast.random.random()) / (frames - 1)
        angle = (low + (high - low) * share) * float(cast.random.choice([-1, 1]))
        if not _is_before_walls(first.view, angle):
            angle = -angle
        edits += [Edit("orbit", 0, k, None, None), Edit("orbit", k, 0, None, None)]
        states.append(replace(first, view=orbited(first.view, middle, math.radians(angle))))
    return Clip(tuple(states), tuple(edits))


def orbited(view: View, middle: np.ndarray, angle: float) -> View:
    """Return a view turned by ``angle`` radians about the upright axis through ``middle`` (2,) in metres."""
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[c, -s], [s, c]])

    def turned(point: np.ndarray) -> np.ndarray:
        return np.array([*(turn @ (point[:2] - middle) + middle), point[2]])

    return replace(view, position=turned(view.position), target=turned(view.target))


def _is_before_walls(view: View, degrees: float) -> bool:
    offset = view.position - view.target
    azimuth = math.degrees(math.atan2(offset[1], offset[0])) + degrees
    return AZIMUTH_DEGREES[0] <= azimuth <= AZIMUTH_DEGREES[1]
