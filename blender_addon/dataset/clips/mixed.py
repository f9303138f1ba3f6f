"""Clips for training: states far apart, and single edits of the first."""

from __future__ import annotations

import math
from dataclasses import replace

from na_core.data.labels import Edit

from ..layout import is_free, place
from .cast import Cast, Clip, State, both_ways


def mixed(cast: Cast, frames: int) -> Clip:
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
            edits += both_ways(kind, 0, len(states), number)
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
