"""What clips are made of: a cast of objects, and the states that its frames show."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from na_core.data.labels import Edit

from ..layout import Array, Pose, View, first_view, is_framed, moved_view, place, scatter
from ..streams import Random

EDIT_MARGIN = 0.14
"""An object that is edited has its centre at least this far inside the picture, if there is one."""


@dataclass(frozen=True)
class State:
    """One frame: a pose for each object, None where it is absent, the view, and the stage's number."""

    poses: tuple[Pose | None, ...]
    view: View
    stage: int = 0

    def but(self, number: int, pose: Pose | None) -> State:
        """Return the state with another pose of one object."""
        return replace(self, poses=(*self.poses[:number], pose, *self.poses[number + 1 :]))


@dataclass(frozen=True)
class Clip:
    """The frames of a scene and the edits between them."""

    states: tuple[State, ...]
    edits: tuple[Edit, ...] = ()

    @property
    def stages(self) -> int:
        """How many stages the frames use."""
        return max(state.stage for state in self.states) + 1


@dataclass(frozen=True)
class Cast:
    """What every clip is made of: the objects' sizes (3,) in metres, and picture height / width."""

    random: Random
    sizes: Sequence[Array]
    aspect: float

    @property
    def count(self) -> int:
        """Number of objects."""
        return len(self.sizes)

    def first(self) -> State:
        """Return a state in which the camera sees every object that found a place."""
        view = first_view(self.random, self.sizes)
        return self.scattered(State((None,) * self.count, view))

    def scattered(self, state: State) -> State:
        """Return the state with every object newly placed."""
        poses = scatter(self.random, self.sizes, state.view, self.aspect)
        return replace(state, poses=poses)

    def elsewhere(self, state: State, number: int, *, yaw: float | None = None) -> State | None:
        """Return the state with one object moved to another free place that the camera sees."""
        old = state.poses[number]
        if old is None:
            return None
        turned = old if yaw is None else replace(old, yaw=yaw)
        for _ in range(6):
            pose = place(self.random, self.sizes, number, turned, state.poses, state.view, self.aspect)
            apart = 0.35 * float(np.linalg.norm(self.sizes[number][:2]))
            if pose is not None and math.hypot(pose.x - old.x, pose.y - old.y) > apart:
                return state.but(number, pose)
        return None

    def looked_at(self, state: State) -> State:
        """Return the state seen from another camera."""
        return replace(state, view=moved_view(self.random, state.view, self.sizes))

    def present(self, state: State) -> list[int]:
        """Return the numbers of the objects well inside the picture, in random order; never none."""
        for margin in (EDIT_MARGIN, 0.0):
            seen = [
                i
                for i, pose in enumerate(state.poses)
                if pose is not None and is_framed(state.view, pose, self.sizes[i], self.aspect, margin)
            ]
            if seen:
                return [int(i) for i in self.random.permutation(seen)]
        return [0]


def both_ways(kind: str, source: int, target: int, number: int | None) -> list[Edit]:
    """Return an edit and the one that takes it back."""
    return [Edit(kind, source, target, None, number), Edit(kind, target, source, None, number)]


def edited_objects(cast: Cast, state: State, frames: int) -> list[int]:
    """Return which object each frame after the first edits: all in turn, with some spare tries."""
    order = cast.present(state)
    return [order[k % len(order)] for k in range(2 * (frames - 1))]
