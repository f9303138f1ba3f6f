"""Looks at the disk that panels may ask for whenever they are drawn."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from typing import Any

SECONDS = 3.0
"""How long an answer holds: a file that was put back is seen after this at the latest."""

KEPT = 64
"""Answers that are kept at most."""

_answers: dict[Hashable, tuple[float, Any]] = {}


def look(key: Hashable, ask: Callable[[], Any]) -> Any:
    """Return an answer about the disk that is a few seconds old at most.

    A folder of a network may take a moment to answer, and panels are drawn many times a second.

    Args:
        key: what tells the question apart, and everything that it depends on in Blender.
        ask: asks the system; nothing here reads a file.
    """
    now = time.monotonic()
    kept = _answers.get(key)
    if kept is not None and now - kept[0] < SECONDS:
        return kept[1]
    if len(_answers) >= KEPT:
        _answers.clear()
    answer = ask()
    _answers[key] = now, answer
    return answer


def look_again() -> None:
    """Forget all answers: before a render, and when a button was to mend something."""
    _answers.clear()
