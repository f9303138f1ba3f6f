"""Clips: what the frames of a scene show, and which controlled edits lie between them. Numbers only.

A film moves everything; every other kind changes exactly one thing between two frames, so that the truth of
an edit is rendered, which no real video can give.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from na_core.data.labels import Edit

from .layout import (
    Array,
    Pose,
    Random,
    View,
    between,
    first_view,
    is_framed,
    is_free,
    moved_view,
    place,
    scatter,
)
from .requested_clips import duplicate, orbit

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


def plan(kind: str, random: Random, sizes: Sequence[Array], frames: int, aspect: float = 1.0) -> Clip:
    """Return a clip.

    Args:
        kind: one of :data:`na_core.data.labels.CLIP_KINDS`.
        random: the stream.
        sizes: (3,) metres of each object at scale 1.
        frames: how many at most: a scene of two objects has no more than two removals.
        aspect: picture height / width.
    """
    clip = PLANS[kind](Cast(random, sizes, aspect), frames)
    states = clip.states[:frames]
    # A clip of few frames keeps the edits whose frames it has.
    kept = [edit for edit in clip.edits if max(edit.source, edit.target, edit.donor or 0) < frames]
    return Clip(states, tuple(kept))


def _both_ways(kind: str, source: int, target: int, number: int | None) -> list[Edit]:
    return [Edit(kind, source, target, None, number), Edit(kind, target, source, None, number)]


def _video(cast: Cast, frames: int) -> Clip:
    """Everything moves smoothly, but for a few objects that stand still; most of the cameras move too."""
    random, first = cast.random, cast.first()
    last_view = cast.looked_at(first).view
    steps = np.linspace(0, 1, max(frames, 2))
    tracks: list[list[Pose | None]] = [[pose] * len(steps) for pose in first.poses]
    moved = 0
    for i in cast.present(first):
        if random.random() < 0.15 and moved:
            continue
        for attempt in range(30):
            # Where it is crowded, an object turns on the spot, and then less and less.
            track = _track(cast, tracks, i, last_view, steps, stays=attempt > 12, calm=attempt / 30)
            if all(
                is_free(pose, i, [other[k] for other in tracks], cast.sizes) for k, pose in enumerate(track)
            ):
                tracks[i] = list(track)
                moved += 1
                break
    if moved and random.random() < 0.3:
        last_view = first.view
    states = [
        State(tuple(track[k] for track in tracks), between(first.view, last_view, float(t)))
        for k, t in enumerate(steps[:frames])
    ]
    return Clip(tuple(states))


def _track(
    cast: Cast,
    tracks: Sequence[Sequence[Pose | None]],
    number: int,
    view: View,
    steps: Array,
    *,
    stays: bool,
    calm: float,
) -> list[Pose]:
    """Return an object's way to a place that is free at the end, or its turn on the spot."""
    start = tracks[number][0] or Pose(0.0, 0.0, 0.0)
    turn = cast.random.choice([-1, 1]) * math.radians(cast.random.uniform(20, 200)) * (1 - calm)
    end = start
    if not stays and cast.random.random() > 0.25:
        others = [track[-1] if j != number else None for j, track in enumerate(tracks)]
        end = place(cast.random, cast.sizes, number, start, others, view, cast.aspect) or start
    x, y = end.x - start.x, end.y - start.y
    return [Pose(start.x + x * t, start.y + y * t, start.yaw + turn * t, start.scale) for t in steps]


def _translate(cast: Cast, frames: int) -> Clip:
    states, edits = [cast.first()], []
    for i in _turns(cast, states[0], frames):
        moved = cast.elsewhere(states[0], i)
        if moved is not None:
            edits += _both_ways("translate", 0, len(states), i)
            states.append(moved)
    return Clip(tuple(states), tuple(edits))


def _rotate(cast: Cast, frames: int) -> Clip:
    """One object turns a full circle in equal steps; between any two frames it alone is turned."""
    state = cast.first()
    number = cast.present(state)[0]
    reach = float(np.linalg.norm(cast.sizes[number][:2]))
    around = list(cast.sizes)
    around[number] = np.array([reach, reach, cast.sizes[number][2]])
    still = state.poses[number] or Pose(0, 0, 0)
    if not is_free(still, number, state.poses, around):  # a place where it can turn freely
        still = place(cast.random, around, number, still, state.poses, state.view, cast.aspect) or still
    step = 2 * math.pi / max(frames, 2)
    turns = [replace(still, yaw=still.yaw + k * step) for k in range(frames)]
    for other in range(len(cast.sizes)):  # where there is no such place, what is in its way makes room
        alone = tuple(pose if i == other else None for i, pose in enumerate(state.poses))
        if other != number and not all(is_free(turn, number, alone, cast.sizes) for turn in turns):
            state = state.but(other, None)
    states = [state.but(number, turn) for turn in turns]
    edits = [Edit("rotate", 0, k, None, number) for k in range(1, frames)]
    if frames % 2 == 0:
        half = frames // 2
        halves = [(k, (k + half) % frames) for k in range(1, frames)]
        edits += [Edit("rotate", a, b, None, number) for a, b in halves]
    return Clip(tuple(states), tuple(edits))


def _scale(cast: Cast, frames: int) -> Clip:
    states, edits = [cast.first()], []
    for i in _turns(cast, states[0], frames):
        old = states[0].poses[i]
        factor = float(cast.random.choice([cast.random.uniform(0.6, 0.8), cast.random.uniform(1.2, 1.5)]))
        if old is None:
            continue
        new = replace(old, scale=old.scale * factor)
        if is_free(new, i, states[0].poses, cast.sizes):
            edits += _both_ways("scale", 0, len(states), i)
            states.append(states[0].but(i, new))
    return Clip(tuple(states), tuple(edits))


def _remove(cast: Cast, frames: int) -> Clip:
    first = cast.first()
    chosen = cast.present(first)[: frames - 1]
    states = [first, *(first.but(i, None) for i in chosen)]
    edits = [Edit("remove", 0, k, None, i) for k, i in enumerate(chosen, 1)]
    return Clip(tuple(states), tuple(edits))


def _camera(cast: Cast, frames: int) -> Clip:
    first = cast.first()
    states = [first, *(cast.looked_at(first) for _ in range(frames - 1))]
    edits = [edit for k in range(1, frames) for edit in _both_ways("camera", 0, k, None)]
    return Clip(tuple(states), tuple(edits))


def _add(cast: Cast, frames: int) -> Clip:
    """Frame 0 shows all objects elsewhere; frame 1 lacks some, and each later one adds one of them."""
    donor = replace(cast.first(), stage=1)
    full = cast.first()
    new = cast.present(full)[: max(1, min(cast.count - 1, frames - 2))]
    source = full
    for i in new:
        source = source.but(i, None)
    states, edits = [donor, source], list[Edit]()
    while len(states) < frames:
        i = new[len(edits) % len(new)]
        edits.append(Edit("add", 1, len(states), 0, i))
        states.append(source.but(i, full.poses[i]))
    return Clip(tuple(states), tuple(edits))


def _transfer(cast: Cast, frames: int) -> Clip:
    """An object that frame 0 shows elsewhere takes the place of one that frame 1 shows here."""
    donor = replace(cast.first(), stage=1)
    full = cast.first()
    order = cast.present(full)
    new, old = order[: max(1, len(order) // 2)], order[max(1, len(order) // 2) :] or order[:1]
    source = full
    for i in new:
        if i not in old:
            source = source.but(i, None)
    states, edits = [donor, source], list[Edit]()
    swaps = [(i, j) for i in new for j in old if i != j]
    for i, j in (swaps * frames)[: frames - 2]:
        there = source.poses[j]
        if there is None:
            continue
        ours, theirs = cast.sizes[i], cast.sizes[j]
        fit = float(min(theirs[:2].max() / ours[:2].max(), theirs[2] / ours[2]))
        yaw = cast.random.uniform(0, 2 * math.pi) if len(edits) >= len(swaps) else there.yaw
        pose = replace(there, yaw=yaw, scale=there.scale * float(np.clip(fit, 0.6, 1.6)))
        state = source.but(j, None)
        for _ in range(8):
            if is_free(pose, i, state.poses, cast.sizes):
                edits.append(Edit("transfer", 1, len(states), 0, j))
                states.append(state.but(i, pose))
                break
            pose = replace(pose, scale=pose.scale * 0.9)
    return Clip(tuple(states), tuple(edits))


def _background(cast: Cast, frames: int) -> Clip:
    """The same objects and camera in two stages; in both a donor frame has the objects elsewhere."""
    here = cast.first()
    there = replace(here, stage=1)
    states = [here, replace(cast.scattered(here), stage=1), there, cast.scattered(here)]
    edits = [Edit("background", 0, 2, 1, None), Edit("background", 2, 0, 3, None)]
    while len(states) < frames:  # the same edit again, with the objects and the camera elsewhere
        base, moved = len(states), cast.scattered(cast.looked_at(here))
        states += [moved, replace(cast.scattered(moved), stage=1), replace(moved, stage=1)]
        edits.append(Edit("background", base, base + 2, base + 1, None))
    return Clip(tuple(states), tuple(edits))


def _mixed(cast: Cast, frames: int) -> Clip:
    """For training: states far apart, single edits of the first, and a second stage.

    Of eight frames three or four show everything moved, two or three one edit each, and three the same
    objects in other surroundings, one of them unmoved before a camera that did not move.
    """
    random, first = cast.random, cast.first()
    states, edits = [first], []
    away = max(1, round(frames * 3 / 8)) if frames > 2 else 0
    single = round(frames / 4) if frames > 3 else 0
    while len(states) < frames - away - single:
        seen = first if random.random() < 0.45 else cast.looked_at(first)
        states.append(_shuffled(cast, seen))
    for _ in range(single):
        made = _one_edit(cast, first)
        if made is None:
            states.append(_shuffled(cast, first))
            continue
        state, kind, number = made
        if kind == "remove":
            edits.append(Edit(kind, 0, len(states), None, number))
        else:
            edits += _both_ways(kind, 0, len(states), number)
        states.append(state)
    if len(states) < frames:
        base = len(states)
        states.append(replace(first, stage=1))
        if base + 1 < frames:
            edits.append(Edit("background", 0, base, base + 1, None))
            states.append(replace(_shuffled(cast, first), stage=1))
        while len(states) < frames:
            states.append(replace(_shuffled(cast, cast.looked_at(first)), stage=1))
    return Clip(tuple(states), tuple(edits))


def _shuffled(cast: Cast, state: State) -> State:
    """Return the state with most objects moved, turned or scaled, and now and then one absent."""
    random, sizes = cast.random, cast.sizes
    out = state
    for i in random.permutation(cast.count):
        old = out.poses[i]
        if old is None or (random.random() < 0.08 and sum(pose is not None for pose in out.poses) > 2):
            out = out.but(int(i), None)
            continue
        yaw = random.uniform(0, 2 * math.pi) if random.random() < 0.6 else old.yaw + random.normal(0, 0.3)
        scale = random.uniform(0.75, 1.3) if random.random() < 0.25 else old.scale
        new = replace(old, yaw=float(yaw), scale=float(scale))
        if random.random() < 0.85:
            new = place(random, sizes, int(i), new, out.poses, out.view, cast.aspect) or old
        elif not is_free(new, int(i), out.poses, sizes):
            new = old
        out = out.but(int(i), new)
    return out


def _one_edit(cast: Cast, state: State) -> tuple[State, str, int | None] | None:
    random = cast.random
    kind = str(random.choice(["translate", "rotate", "rotate", "scale", "remove", "camera"]))
    number = cast.present(state)[0]
    old = state.poses[number]
    if kind == "camera":
        return cast.looked_at(state), kind, None
    if old is None:
        return None
    if kind == "remove":
        return state.but(number, None), kind, number
    if kind == "translate":
        moved = cast.elsewhere(state, number)
        return None if moved is None else (moved, kind, number)
    if kind == "rotate":
        turns = [math.pi, *random.uniform(0.3, 2 * math.pi - 0.3, size=6)]
        poses = [replace(old, yaw=old.yaw + float(turn)) for turn in turns[int(random.integers(2)) :]]
    else:
        factors = random.uniform(0.65, 1.45, size=6)
        poses = [replace(old, scale=old.scale * float(factor)) for factor in factors]
    for pose in poses:
        if is_free(pose, number, state.poses, cast.sizes):
            return state.but(number, pose), kind, number
    return None


def _turns(cast: Cast, state: State, frames: int) -> list[int]:
    """Return which object each frame after the first edits: all in turn, with some spare tries."""
    order = cast.present(state)
    return [order[k % len(order)] for k in range(2 * (frames - 1))]


PLANS: dict[str, Callable[[Cast, int], Clip]] = {
    "mixed": _mixed,
    "video": _video,
    "translate": _translate,
    "rotate": _rotate,
    "scale": _scale,
    "remove": _remove,
    "add": _add,
    "camera": _camera,
    "background": _background,
    "transfer": _transfer,
    "duplicate": lambda cast, frames: Clip(*duplicate(cast, frames)),
    "orbit": lambda cast, frames: Clip(*orbit(cast, frames)),
}
