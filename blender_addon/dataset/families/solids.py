"""Solids that stand for nothing: blocks, pebbles, pipes, letters and twisted prisms."""

from __future__ import annotations

import math

import numpy as np

from ..streams import Random
from ..surfaces import Surface, ball, loft, moved, rounded_box, tube, worn
from .family import solid_box


def elbow(random: Random) -> list[Surface]:
    """Return a bent pipe or part of a ring, with collars of another material."""
    r, radius = random.uniform(0.12, 0.22), 0.55
    sweep = math.radians(random.uniform(110, 290))
    angle = np.linspace(0, sweep, 22)
    path = np.stack(
        [radius * np.cos(angle), radius * np.sin(angle) * random.uniform(0.6, 1), np.full(22, r * 1.25)],
        axis=1,
    )
    radii = np.linspace(r, r * random.uniform(0.5, 1.0), 22)
    parts = [tube(path, radii, 16)]
    parts.append(worn(tube(path[:3], r * 1.25, 16), 1))
    parts.append(worn(tube(path[-3:], radii[-1] * 1.35, 16), 3))
    return parts


def pebble(random: Random) -> list[Surface]:
    """Return a lumpy solid: an ellipsoid with low random waves."""
    solid = ball(1.0, 32)
    unit = solid.vertices
    swell = np.ones(len(unit))
    for _ in range(7):
        direction = random.normal(size=3)
        swell += random.uniform(0.04, 0.13) * np.sin(
            unit @ direction * random.uniform(1, 3.2) + random.uniform(0, 6)
        )
    shape = unit * swell[:, None] * np.array([1, random.uniform(0.5, 0.9), random.uniform(0.45, 0.8)]) * 0.5
    nub = moved(ball(random.uniform(0.08, 0.14), 14), shape[int(np.argmin(shape[:, 1]))])
    return [Surface(shape, solid.faces, solid.uv), worn(nub, 3)]


def letterform(random: Random) -> list[Surface]:
    """Return a thick plate cut like a random letter-like sign: arms of several lengths on one stem."""
    d, h, stem = random.uniform(0.2, 0.4), random.uniform(0.9, 1.2), random.uniform(0.16, 0.24)
    parts = [solid_box((stem, d, h), (0, 0, h / 2), 0, 0.02)]
    for z in (0.1, 0.5, 0.9):
        for s in (-1, 1):
            if random.random() < 0.55:
                reach = random.uniform(0.2, 0.5)
                parts.append(
                    solid_box(
                        (reach, d, stem), (s * (stem + reach) / 2, 0, z * h), int(random.integers(2)), 0.02
                    )
                )
    parts.append(solid_box((stem * 0.7, d * 1.1, stem * 0.7), (0, -0.03, h * 0.75), 3, 0.02))
    parts.append(solid_box((0.6, d * 1.4, 0.08), (0, 0, 0.04), 2, 0.02))
    return parts


def block(random: Random) -> list[Surface]:
    """Return a plain block, carton or brick; half a turn leaves its shape as it was."""
    return [rounded_box(random.uniform(0.3, 1.0, size=3), random.uniform(0.003, 0.012))]


def twisted(random: Random) -> list[Surface]:
    """Return a tapered prism that is bent and twisted on its way up, with a lug in front."""
    sides, turns = int(random.integers(3, 7)), random.uniform(-1.6, 1.6)
    h, lean, taper = random.uniform(0.8, 1.3), random.uniform(-0.4, 0.4), random.uniform(0.35, 0.9)
    circle = np.linspace(0, 2 * math.pi, sides * 4, endpoint=False)
    corner = math.pi / sides
    radius = 0.38 * math.cos(corner) / np.cos((circle + corner) % (2 * corner) - corner)
    rings = []
    for t in np.linspace(0, 1, 16):
        r, a = radius * (1 - (1 - taper) * t), circle + turns * t
        rings.append(
            np.stack([r * np.cos(a), r * np.sin(a) * 0.8 + lean * t * t, np.full(len(a), h * t)], axis=1)
        )
    return [loft(rings), solid_box((0.2, 0.25, 0.14), (0.05, -0.36, 0.07), 3, 0.03)]
