"""Layouts: where objects and the camera are in each frame of a clip. Numbers only, no Blender."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Random = np.random.Generator
Array = NDArray[np.float64]

GAP = 0.015
"""Metres kept free between objects."""

FRAMING_MARGIN = 0.04
"""Most centres stay at least this far inside the picture."""

LARGEST_SHARE = 0.6
"""Most objects' diagonals take at most this share of the picture's width."""


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


@dataclass(frozen=True)
class State:
    """One frame: a pose for each object, None where it is absent, and the view."""

    poses: tuple[Pose | None, ...]
    view: View


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


def _framed(view: View, pose: Pose, size: Array, aspect: float) -> bool:
    """Tell whether an object is in the picture and not too close; ``aspect`` is height / width."""
    world = np.array([pose.x, pose.y, size[2] * pose.scale / 2, 1.0])
    x, y, z = (np.linalg.inv(view.world_from_camera()) @ world)[:3]
    if z > -0.2:
        return False
    half = math.tan(view.field / 2) * -z
    if np.linalg.norm(size) * pose.scale > 2 * half * LARGEST_SHARE:
        return False
    reach = half * (1 - 2 * FRAMING_MARGIN)
    return bool(abs(x) <= reach and abs(y) <= reach * aspect)


def spread(sizes: Sequence[Array]) -> float:
    """Return the radius in metres of the disc that objects of the given sizes (3,) are strewn over."""
    area = sum(float(size[0] * size[1]) for size in sizes)
    return max(1.3 * math.sqrt(area / math.pi), 0.7 * max(float(max(size[:2])) for size in sizes))


def first_view(random: Random, sizes: Sequence[Array]) -> View:
    """Return the camera of frame 0, which sees the disc about the origin that objects are strewn over."""
    field = math.radians(random.uniform(30, 70))
    radius = spread(sizes)
    tall = max(float(size[2]) for size in sizes)
    reach = max(radius * random.uniform(0.8, 1.25), tall * random.uniform(0.8, 1.2))
    distance = reach / math.tan(field / 2) + radius * 0.35
    pitch = math.radians(random.uniform(10, 45))
    target = np.array([*random.normal(0, 0.08 * radius, size=2), tall * random.uniform(0.1, 0.35)])
    azimuth = math.radians(random.uniform(-150, -30))
    return _aimed(random, target, distance, azimuth, pitch, field)


def _aimed(
    random: Random, target: Array, distance: float, azimuth: float, pitch: float, field: float
) -> View:
    flat = math.cos(pitch)
    offset = np.array([flat * math.cos(azimuth), flat * math.sin(azimuth), math.sin(pitch)]) * distance
    position = target + offset
    position[2] = float(np.clip(position[2], 0.4, 2.0))
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


def _place(
    random: Random,
    size: Array,
    yaw: float,
    scale: float,
    taken: Sequence[Array],
    view: View,
    aspect: float,
    radius: float,
) -> Pose | None:
    """Return a free pose that the camera sees, or None when none was found."""
    for attempt in range(80):
        reach = radius * (1 + attempt / 60)
        angle, distance = random.uniform(0, 2 * math.pi), reach * math.sqrt(random.random())
        pose = Pose(distance * math.cos(angle), distance * math.sin(angle), yaw, scale)
        shape = corners(pose, size)
        if any(overlap(shape, other) for other in taken):
            continue
        if (
            np.linalg.norm(view.position[:2] - (pose.x, pose.y))
            < float(np.linalg.norm(size)) * scale * 0.5 + 0.25
        ):
            continue
        if attempt < 60 and not _framed(view, pose, size, aspect):
            continue
        return pose
    return None


def _states(
    random: Random,
    sizes: Sequence[Array],
    before: Sequence[Pose | None],
    changes: Sequence[int],
    view: View,
    aspect: float,
) -> tuple[Pose | None, ...]:
    """Return poses in which the objects in ``changes`` are newly placed and the others stay."""
    radius = spread(sizes)
    poses = list(before)
    for i in changes:
        poses[i] = None
    for i in changes:
        old = before[i]
        if old is not None and random.random() < 0.08 and sum(p is not None for p in before) > 1:
            continue  # absent in this frame
        if old is None or random.random() < 0.5:
            yaw = random.uniform(0, 2 * math.pi)
        else:
            yaw = old.yaw + math.radians(random.normal(0, 15))
        scale = random.uniform(0.8, 1.25) if random.random() < 0.25 else (old.scale if old else 1.0)
        taken = [corners(p, sizes[j]) for j, p in enumerate(poses) if p is not None]
        stays = old is not None and random.random() < 0.15  # turns on the spot
        if stays and old is not None:
            pose: Pose | None = replace(old, yaw=yaw)
            if any(overlap(corners(replace(old, yaw=yaw), sizes[i]), other) for other in taken):
                pose = _place(random, sizes[i], yaw, scale, taken, view, aspect, radius)
        else:
            pose = _place(random, sizes[i], yaw, scale, taken, view, aspect, radius)
        poses[i] = pose
    return tuple(poses)


def clip(random: Random, sizes: Sequence[Array], frames: int, aspect: float = 1.0) -> list[State]:
    """Return the states of a clip.

    Args:
        random: the stream.
        sizes: (3,) metres of each object at scale 1.
        frames: how many.
        aspect: picture height / width.

    Each frame after the first starts from an earlier one: mostly every object moves, sometimes one thing
    alone changes (an object, or only the camera). About half of the frames keep the camera.
    """
    view = first_view(random, sizes)
    poses: tuple[Pose | None, ...] = (None,) * len(sizes)
    for _ in range(20):
        poses = _states(random, sizes, (None,) * len(sizes), range(len(sizes)), view, aspect)
        if all(pose is not None for pose in poses):
            break
    states = [State(poses, view)]
    while len(states) < frames:
        start = states[int(random.integers(len(states)))]
        kind = random.random()
        if kind < 0.12:
            states.append(State(start.poses, moved_view(random, view, sizes)))
            continue
        keeps = random.random() < 0.45
        seen_from = start.view if kind < 0.35 else view if keeps else moved_view(random, view, sizes)
        changes = [int(random.integers(len(sizes)))] if kind < 0.35 else list(range(len(sizes)))
        states.append(State(_states(random, sizes, start.poses, changes, seen_from, aspect), seen_from))
    return states
