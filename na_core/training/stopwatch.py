"""How long the parts of a step take, on the CPU or on a GPU that runs behind it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Stopwatch:
    """Adds up the seconds that named parts take on a device, without making the CPU wait for a GPU."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._seconds: dict[str, float] = {}
        self._events: list[tuple[str, torch.cuda.Event, torch.cuda.Event]] = []

    @contextmanager
    def time(self, part: str) -> Iterator[None]:
        """Count what runs inside as ``part``."""
        if self._cuda:
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            yield
            end.record()
            self._events.append((part, start, end))
        else:
            began = time.perf_counter()
            yield
            self._seconds[part] = self._seconds.get(part, 0.0) + time.perf_counter() - began

    def take(self) -> dict[str, float]:
        """Return the seconds of each part since the last call, and begin anew. Waits for the GPU."""
        if self._cuda:
            torch.cuda.synchronize()
            for part, start, end in self._events:
                self._seconds[part] = self._seconds.get(part, 0.0) + start.elapsed_time(end) / 1000
            self._events.clear()
        taken, self._seconds = self._seconds, {}
        return taken
