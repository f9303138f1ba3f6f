"""Layouts: where objects may stand and cameras look from. Numbers only, no Blender."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .streams import Random

Array = NDArray[np.float64]

GAP = 0.015
"""Metres kept free between objects."""

FRAMING_MARGIN = 0.04
"""Most centres stay at least this far inside the picture."""

LARGEST_SHARE = 0.6
"""Most objects' diagonals take at most this share of the picture's width."""

LOWEST, HIGHEST = 0.3, 2.3
"""Metres above the ground between which cameras are."""


FIELDS = 28, 72
"""Degrees between which horizontal fields of view are."""

PITCHES, NEAREST = (4, 82), 0.4
"""Degrees between which unusual cameras look down; and their least distance, as a share of the usual."""


@dataclass(frozen=True)
class Pose:
    """An upright object on the ground: centre (x, y) in metres, yaw in radians, scale of its size."""

    x: float
    y: float
    yaw: float
    scale: float = 1.0


@dataclass(frozen=True)
class View:
    """A camera: position (3,) and the point (3,) that it looks at in metres.

    ``roll`` and ``field``, the horizontal field of view, are in radians.
    """

    position: Array
    target: Array
    roll: float
    field: float

    def world_from_camera(self) -> Array:
        """Return the rigid (4, 4) transform of a camera that looks along its -Z with +Y up."""
        back = self.position - self.target
        back = back / np.linalg.norm(back)
        right = np.cross((0.0, 0.0, 1.0), back)
        right /= np.linalg.norm(right)
        up = np.cross(back, right)
        c, s = math.cos(self.roll), math.sin(self.roll)
        matrix = np.eye(4)
        matrix[:3, 0], matrix[:3, 1], matrix[:3, 2] = c * right + s * up, c * up - s * right, back
        matrix[:3, 3] = self.position
        return matrix


def corners(pose: Pose, size: Array) -> Array:
    """Return the footprint (4, 2) of an object of size (3,)."""
    half = size[:2] * pose.scale / 2 + GAP
    c, s = math.cos(pose.yaw), math.sin(pose.yaw)
    square = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * half
    return square @ np.array([[c, s], [-s, c]]) + (pose.x, pose.y)


def overlap(a: Array, b: Array) -> bool:
    """Tell whether two rectangles (4, 2) overlap (separating axes)."""
    for rectangle in (a, b):
        for i in range(2):
            axis = rectangle[i + 1] - rectangle[i]
            p, q = a @ axis, b @ axis
            if p.max() <= q.min() or q.max() <= p.min():
                return False
    return True


def is_framed(view: View, pose: Pose, size: Array, aspect: float, margin: float = FRAMING_MARGIN) -> bool:
    """Tell whether an object's centre is in the picture, ``margin`` inside its border, and not too close.

    ``aspect`` is height / width.
    """
    world = np.array([pose.x, pose.y, size[2] * pose.scale / 2, 1.0])
    x, y, z = (np.linalg.inv(view.world_from_camera()) @ world)[:3]
    if z > -0.2:
        return False
    half = math.tan(view.field / 2) * -z
    if np.linalg.norm(size) * pose.scale > 2 * half * LARGEST_SHARE:
        return False
    reach = half * (1 - 2 * margin)
    return bool(abs(x) <= reach and abs(y) <= reach * aspect)


def spread(sizes: Sequence[Array]) -> float:
    """Return the radius in metres of the disc that objects of the given sizes (3,) are strewn over."""
    area = sum(float(size[0] * size[1]) for size in sizes)
    return max(1.3 * math.sqrt(area / math.pi), 0.7 * max(float(max(size[:2])) for size in sizes))


def first_view(random: Random, sizes: Sequence[Array]) -> View:
    """Return the camera of frame 0, which sees the disc about the origin that objects are strewn over."""
    field = math.radians(random.uniform(*FIELDS))
    radius = spread(sizes)
    tall = max(float(size[2]) for size in sizes)
    reach = max(radius * random.uniform(0.8, 1.25), tall * random.uniform(0.8, 1.2))
    distance = reach / math.tan(field / 2) + radius * 0.35
    pitch = math.radians(random.uniform(8, 52))
    target = np.array([*random.normal(0, 0.08 * radius, size=2), tall * random.uniform(0.1, 0.35)])
    azimuth = math.radians(random.uniform(-150, -30))
    return _aimed(random, target, distance, azimuth, pitch, field)


def _aimed(
    random: Random, target: Array, distance: float, azimuth: float, pitch: float, field: float
) -> View:
    flat = math.cos(pitch)
    offset = np.array([flat * math.cos(azimuth), flat * math.sin(azimuth), math.sin(pitch)]) * distance
    position = target + offset
    position[2] = float(np.clip(position[2], LOWEST, HIGHEST))
    return View(position, target, math.radians(float(np.clip(random.normal(0, 1.2), -3, 3))), field)


def moved_view(random: Random, view: View, sizes: Sequence[Array]) -> View:
    """Return a camera some way from ``view``: around, nearer or farther, higher or lower."""
    offset = view.position - view.target
    distance = float(np.linalg.norm(offset))
    azimuth = math.atan2(offset[1], offset[0]) + math.radians(random.choice([-1, 1]) * random.uniform(3, 32))
    azimuth = float(np.clip(azimuth, math.radians(-160), math.radians(-20)))
    pitch = math.asin(offset[2] / distance) + math.radians(random.normal(0, 5))
    pitch = float(np.clip(pitch, math.radians(9), math.radians(50)))
    shift = np.array([*random.normal(0, 0.12 * spread(sizes), size=2), random.normal(0, 0.02)])
    return _aimed(
        random, view.target + shift, distance * math.exp(random.normal(0, 0.1)), azimuth, pitch, view.field
    )


def through_another_lens(random: Random, view: View, unusual: float = 0.0) -> View:
    """Return a camera with another lens, from where its target is about as large in the picture.

    Args:
        random: draws it.
        view: the camera that it takes the place of.
        unusual: probability that it looks down from anywhere and from near; see :data:`PITCHES`.
    """
    field = math.radians(random.uniform(*FIELDS))
    offset = view.position - view.target
    nearer = math.tan(view.field / 2) / math.tan(field / 2) * math.exp(random.normal(0, 0.1))
    if random.random() < unusual:
        nearer *= random.uniform(NEAREST, 1)
        distance, pitch = float(np.linalg.norm(offset)), math.radians(random.uniform(*PITCHES))
        flat = offset[:2] / np.linalg.norm(offset[:2])
        offset = distance * np.array([*flat * math.cos(pitch), math.sin(pitch)])
    position = view.target + offset * nearer
    position[2] = float(np.clip(position[2], LOWEST, HIGHEST))
    return View(position, view.target, view.roll, field)


def between(first: View, last: View, t: float) -> View:
    """Return the view at share ``t`` of the way from one to another, around the moving target."""
    target = first.target + (last.target - first.target) * t
    a, b = first.position - first.target, last.position - last.target
    flat_a, flat_b = math.atan2(a[1], a[0]), math.atan2(b[1], b[0])
    turn = math.remainder(flat_b - flat_a, 2 * math.pi)
    reach = float(np.hypot(*a[:2])) * (1 - t) + float(np.hypot(*b[:2])) * t
    angle = flat_a + turn * t
    offset = np.array([reach * math.cos(angle), reach * math.sin(angle), a[2] + (b[2] - a[2]) * t])
    field, roll = (x + (y - x) * t for x, y in ((first.field, last.field), (first.roll, last.roll)))
    return View(target + offset, target, roll, field)


def is_free(pose: Pose, number: int, poses: Sequence[Pose | None], sizes: Sequence[Array]) -> bool:
    """Tell whether object ``number`` may stand in a pose among the others' poses; its own does not count."""
    shape = corners(pose, sizes[number])
    return not any(
        overlap(shape, corners(other, sizes[j]))
        for j, other in enumerate(poses)
        if other is not None and j != number
    )


def place(
    random: Random,
    sizes: Sequence[Array],
    number: int,
    pose: Pose,
    poses: Sequence[Pose | None],
    view: View,
    aspect: float,
) -> Pose | None:
    """Return object ``number``'s pose moved to a free place that the camera sees, None if none was found."""
    size, radius = sizes[number], spread(sizes)
    reach_of_object = float(np.linalg.norm(size)) * pose.scale * 0.5
    for attempt in range(80):
        reach = radius * (1 + attempt / 60)
        angle, distance = random.uniform(0, 2 * math.pi), reach * math.sqrt(random.random())
        moved = replace(pose, x=distance * math.cos(angle), y=distance * math.sin(angle))
        if not is_free(moved, number, poses, sizes):
            continue
        if np.linalg.norm(view.position[:2] - (moved.x, moved.y)) < reach_of_object + 0.25:
            continue
        if attempt < 60 and not is_framed(view, moved, size, aspect):
            continue
        return moved
    return None


def scatter(random: Random, sizes: Sequence[Array], view: View, aspect: float) -> tuple[Pose | None, ...]:
    """Return poses for all objects, freely turned; None for one that found no place in several tries."""
    poses: list[Pose | None] = []
    for _ in range(20):
        poses = [None] * len(sizes)
        for i in range(len(sizes)):
            scale = random.uniform(0.8, 1.25) if random.random() < 0.25 else 1.0
            wanted = Pose(0.0, 0.0, random.uniform(0, 2 * math.pi), scale)
            poses[i] = place(random, sizes, i, wanted, poses, view, aspect)
        if all(pose is not None for pose in poses):
            break
    return tuple(poses)
