"""Which pictures of a scene each suite asks for."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from na_core.data.labels import EDIT_KINDS, REQUESTED_KINDS
from na_core.data.pairs import Pair, edit_pairs, video_pairs
from na_core.data.scenes import Scene
from na_core.scene import Box

PAIR_SUITES = ("video", *EDIT_KINDS[:2], "turn180", *EDIT_KINDS[2:], "reconstruct")
"""Suites whose pictures are rendered from pairs of frames."""

VIDEO_PAIRS = 8
"""Pairs of a film that are measured, unless there are more from its first frame alone."""

RECONSTRUCTIONS = 2
"""Frames of a scene that are asked back."""

TURN_TOLERANCE = np.cos(np.radians(1.0))
"""Cosine of the angle by which axes may be off in a half turn."""

Item = TypeVar("Item")


def suite_pairs(suite: str, scene: Scene) -> list[Pair]:
    """Return what a suite of :data:`PAIR_SUITES` asks for of a scene, in order; often nothing.

    ``video``: pairs of frames of one set, in films and in scenes for training. ``turn180``: those
    ``rotate`` edits that turn an object by 180 degrees. ``reconstruct``: frames whose target is their own
    source, not of :data:`na_core.data.labels.REQUESTED_KINDS`. Any other: the controlled edits of that kind.
    """
    if suite == "video":
        return _film_pairs(scene) if scene.labels.clip in ("video", "mixed") else []
    if suite == "reconstruct":
        if scene.labels.clip in REQUESTED_KINDS:
            return []
        frames = range(len(scene.labels.frames))
        return [Pair(i, i, background=i) for i in spread(frames, RECONSTRUCTIONS)]
    kind = "rotate" if suite == "turn180" else suite
    found = [pair for pair in edit_pairs(scene) if pair.edit is not None and pair.edit.kind == kind]
    return [pair for pair in found if is_half_turn(scene, pair)] if suite == "turn180" else found


def clip_pairs(scene: Scene) -> list[Pair]:
    """Return the frames of a film with depth, each from the first frame's photo; none for other scenes."""
    frames = scene.labels.frames
    if scene.labels.clip != "video" or any(frame.depth is None for frame in frames):
        return []
    return [Pair(0, i, background=0) for i, frame in enumerate(frames) if frame.stage == frames[0].stage]


def is_half_turn(scene: Scene, pair: Pair) -> bool:
    """Tell whether a pair's edit turns its object by 180 degrees (to one degree) about its box's up axis."""
    if pair.edit is None or pair.edit.object is None:
        return False
    before, after = (scene.labels.frames[i].boxes[pair.edit.object] for i in (pair.source, pair.target))
    if before is None or after is None:
        return False
    cosines = (_axes(before) * _axes(after)).sum(axis=0)
    return bool((cosines * (-1, -1, 1) >= TURN_TOLERANCE).all())


def spread(items: Sequence[Item], limit: int | None) -> list[Item]:
    """Return the items, or ``limit`` evenly spread ones: always the same for the same items."""
    if limit is None or len(items) <= limit:
        return list(items)
    return [items[i * len(items) // limit] for i in range(limit)]


def _film_pairs(scene: Scene) -> list[Pair]:
    """Return the pairs from the first frame, then others spread over the scene."""
    usable = video_pairs(scene)
    first = [pair for pair in usable if pair.source == 0]
    others = [pair for pair in usable if pair.source != 0]
    return first + spread(others, max(0, VIDEO_PAIRS - len(first)))


def _axes(box: Box) -> np.ndarray:
    """Return a box's axes in the world as the columns of (3, 3), each of length 1."""
    axes = box.world_from_box[:3, :3]
    return axes / np.maximum(np.linalg.norm(axes, axis=0), 1e-12)
