"""Random streams: one independent, repeatable generator for each purpose of each scene."""

from __future__ import annotations

import hashlib

import numpy as np

Random = np.random.Generator

SPLITS = ("train", "validation", "test")
"""The splits. A split's name is part of every stream, so no shape or texture occurs in two of them."""


def stream(split: str, seed: int, *purpose: str | int) -> Random:
    """Return the generator for one purpose of one scene; the same arguments give the same numbers.

    Raises:
        ValueError: ``split`` is not one of :data:`SPLITS`, or ``seed`` is negative.
    """
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {', '.join(SPLITS)}, got {split!r}")
    if seed < 0:
        raise ValueError(f"seed: expected 0 or more, got {seed}")
    text = "/".join(str(part) for part in (split, seed, *purpose))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big"))
