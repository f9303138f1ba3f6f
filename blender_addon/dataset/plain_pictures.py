"""Plain pictures: one colour with faint variation, as most real things have."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .patterns import Texture, colour, earthen, noise
from .streams import Random


def plain_colour(random: Random) -> NDArray[np.float64]:
    """Return the sRGB colour (3,) of a plain thing: any, earthen, nearly white or nearly black."""
    kind = random.random()
    if kind < 0.3:
        return colour(random, vivid=float(random.choice([0.1, 0.5, 0.9])))
    if kind < 0.5:
        return earthen(random, 1)[0]
    if kind < 0.8:
        return light_colour(random)
    return dark_colour(random)


def light_colour(random: Random) -> NDArray[np.float64]:
    """Return a nearly white sRGB colour (3,)."""
    return random.uniform(0.72, 0.94) * random.uniform(0.93, 1.0, 3)


def dark_colour(random: Random) -> NDArray[np.float64]:
    """Return a nearly black sRGB colour (3,)."""
    return random.uniform(0.04, 0.22) * random.uniform(0.7, 1.0, 3)


def plain(random: Random, side: int, ink: NDArray[np.float64] | None = None) -> Texture:
    """Return a seamless picture (side, side, 3) of one colour, with faint grain and faint stains."""
    ink = plain_colour(random) if ink is None else ink
    grain = (noise(random, side, random.uniform(0.4, 1.5), 3) - 0.5) * random.uniform(0.0, 0.12)
    stains = (noise(random, side, 2.2, 1) - 0.5) * random.uniform(0.0, 0.2)
    return np.clip(ink * (1 + grain + stains)[..., None], 0.02, 0.95)
