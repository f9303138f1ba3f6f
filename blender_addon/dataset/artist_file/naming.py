"""Sentences about many names."""

from __future__ import annotations

from collections.abc import Sequence

NAMES_SHOWN = 8
"""A sentence about many objects names at most so many."""


def named_in_short(names: Sequence[str]) -> str:
    """Return the first names, and how many more there are."""
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
