"""What a family is, and the part that most of them are made of."""

from __future__ import annotations

from collections.abc import Callable

from ..streams import Random
from ..surfaces import Surface, moved, rounded_box, worn

Family = Callable[[Random], list[Surface]]
"""Draws one random shape: its object stands on the ground, its front towards -Y, in any size."""


def solid_box(
    size: tuple[float, float, float], at: tuple[float, float, float], slot: int = 0, radius: float = 0.008
) -> Surface:
    """Return a box with rounded edges, its middle at ``at``, that wears the material of ``slot``."""
    return worn(moved(rounded_box(size, radius), at), slot)
