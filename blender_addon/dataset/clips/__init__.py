"""Clips: what the frames of a scene show, and which controlled edits lie between them. Numbers only.

A film moves everything; every other kind changes exactly one thing between two frames, so that the truth of
an edit is rendered, which no real video can give.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..layout import Array
from ..streams import Random
from .cast import Cast, Clip, State
from .edits import add, background, camera, remove, rotate, scale, transfer, translate
from .film import video
from .mixed import mixed
from .requested import duplicate, orbit

__all__ = ["Cast", "Clip", "State", "plan"]

PLANS: dict[str, Callable[[Cast, int], Clip]] = {
    "mixed": mixed,
    "video": video,
    "translate": translate,
    "rotate": rotate,
    "scale": scale,
    "remove": remove,
    "add": add,
    "camera": camera,
    "background": background,
    "transfer": transfer,
    "duplicate": duplicate,
    "orbit": orbit,
}


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
