"""Films: everything moves."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..layout import Array, Pose, View, between, is_free, place
from .cast import Cast, Clip, State


def video(cast: Cast, frames: int) -> Clip:
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
