"""Clips of one kind of edit each."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from na_core.data.labels import Edit

from ..layout import Pose, is_free, place
from .cast import Cast, Clip, both_ways, edited_objects


def translate(cast: Cast, frames: int) -> Clip:
    """One object after another stands elsewhere, and back."""
    states, edits = [cast.first()], []
    for i in edited_objects(cast, states[0], frames):
        moved = cast.elsewhere(states[0], i)
        if moved is not None:
            edits += both_ways("translate", 0, len(states), i)
            states.append(moved)
    return Clip(tuple(states), tuple(edits))


def rotate(cast: Cast, frames: int) -> Clip:
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


def scale(cast: Cast, frames: int) -> Clip:
    """One object after another is larger or smaller, and back."""
    states, edits = [cast.first()], []
    for i in edited_objects(cast, states[0], frames):
        old = states[0].poses[i]
        factor = float(cast.random.choice([cast.random.uniform(0.6, 0.8), cast.random.uniform(1.2, 1.5)]))
        if old is None:
            continue
        new = replace(old, scale=old.scale * factor)
        if is_free(new, i, states[0].poses, cast.sizes):
            edits += both_ways("scale", 0, len(states), i)
            states.append(states[0].but(i, new))
    return Clip(tuple(states), tuple(edits))


def remove(cast: Cast, frames: int) -> Clip:
    """One object after another is gone."""
    first = cast.first()
    chosen = cast.present(first)[: frames - 1]
    states = [first, *(first.but(i, None) for i in chosen)]
    edits = [Edit("remove", 0, k, None, i) for k, i in enumerate(chosen, 1)]
    return Clip(tuple(states), tuple(edits))


def camera(cast: Cast, frames: int) -> Clip:
    """The same objects from other cameras, and back."""
    first = cast.first()
    states = [first, *(cast.looked_at(first) for _ in range(frames - 1))]
    edits = [edit for k in range(1, frames) for edit in both_ways("camera", 0, k, None)]
    return Clip(tuple(states), tuple(edits))


def add(cast: Cast, frames: int) -> Clip:
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


def transfer(cast: Cast, frames: int) -> Clip:
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


def background(cast: Cast, frames: int) -> Clip:
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
