"""How large proxies are while things move: as large as keeps them coming."""

from __future__ import annotations

import math
from collections import deque
from statistics import median_low

PROXY_SECONDS = 0.07
"""That the worker may take for a proxy while things move."""

SCALES = tuple(2 ** (-step / 2) for step in range(6))
"""Sides of proxies while things move, in units of the picture's: each has half as many pixels as the last."""

FEWEST_PIXELS = 2**15
"""Below this a picture shows too little, and most of the worker's time goes into other things."""

REMEMBERED = 5
"""Proxies that count: the first of a photo takes long, for the photo is taken apart for it."""

SLOWER, FASTER = 1.15, 0.8
"""In units of PROXY_SECONDS: the scale changes when it takes longer, or the next larger less."""


class Pace:
    """The size of a viewport's proxies, from what the last ones took."""

    def __init__(self) -> None:
        self._seconds_per_pixel: deque[float] = deque(maxlen=REMEMBERED)
        self._step = 0

    def learn(self, size: tuple[int, int], seconds: float) -> None:
        """Take note of what a proxy of some size took the worker."""
        self._seconds_per_pixel.append(seconds / math.prod(size))

    def size_for(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the size of the next proxy of a picture of some size."""
        steps = range(len(SCALES))
        allowed = [step for step in steps if step == 0 or _pixels(size, step) >= FEWEST_PIXELS]
        self._step = min(self._step, allowed[-1])
        if self._seconds_per_pixel:
            rate = median_low(self._seconds_per_pixel)
            while self._step < allowed[-1] and rate * _pixels(size, self._step) > SLOWER * PROXY_SECONDS:
                self._step += 1
            while self._step > 0 and rate * _pixels(size, self._step - 1) < FASTER * PROXY_SECONDS:
                self._step -= 1
        width, height = (max(1, round(side * SCALES[self._step])) for side in size)
        return width, height


def _pixels(size: tuple[int, int], step: int) -> float:
    return math.prod(size) * SCALES[step] ** 2
