"""Seeds: the one that a frame's noise is drawn with."""

from __future__ import annotations

import hashlib

from .properties import SceneProperties


def seed_of(settings: SceneProperties, frame: int) -> int:
    """Return the seed that a frame is rendered with: the scene's, or one of its own if seeds are animated.

    Args:
        settings: evaluated, so that a keyframed seed counts as it stands in the frame.
        frame: its number.
    """
    return frame_seed(settings.seed, frame) if settings.use_animated_seed else int(settings.seed)


def frame_seed(seed: int, frame: int) -> int:
    """Return the seed of a frame where every frame has its own, from 0 to 2**31 - 1.

    It follows from the two numbers alone, so a frame that is rendered by itself, in an animation or on
    another machine has the same one. Seed and frame are mixed, not added: seed 1 in frame 2 is not seed 2 in
    frame 1.
    """
    mixed = hashlib.blake2b(f"{seed}/{frame}".encode(), digest_size=4).digest()
    return int.from_bytes(mixed, "little") & 0x7FFFFFFF
