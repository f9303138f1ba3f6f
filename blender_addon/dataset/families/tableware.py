"""What stands on a table to eat and drink from: mugs, bottles, bowls and their kin."""

from __future__ import annotations

import math

import numpy as np

from ..streams import Random
from ..surfaces import Surface, ball, cylinder, lathe, moved, polyline, scaled, tube, worn


def mug(random: Random) -> list[Surface]:
    """Return a mug with a handle on its right and a badge in front."""
    r, h = 0.5, random.uniform(0.7, 1.5)
    lower, wall = r * random.uniform(0.7, 1.05), random.uniform(0.04, 0.08)
    body = lathe(
        [
            (1e-4, 0),
            (lower * 0.94, 0),
            (lower, 0.04),
            ((lower + r) / 2 * random.uniform(0.95, 1.1), h / 2),
            (r, h - 0.02),
            (r - wall / 2, h),
            (r - wall, h - 0.02),
            (lower - wall, wall),
            (1e-4, wall),
        ]
    )
    reach, low, high = random.uniform(0.3, 0.5), h * random.uniform(0.12, 0.3), h * random.uniform(0.75, 0.9)
    handle = tube(
        polyline(
            (lower * 0.9, 0, low),
            (r + reach * 0.8, 0, low + 0.02),
            (r + reach, 0, (low + high) / 2),
            (r + reach * 0.7, 0, high),
            (r * 0.93, 0, high),
        ),
        random.uniform(0.05, 0.1),
    )
    badge = lathe([((lower + r) / 2 * 1.03, h * 0.25), (r * 1.04, h * 0.75)], 10, start=-130, sweep=80)
    return [body, worn(handle, int(random.integers(2))), worn(badge, 3)]


def bottle(random: Random) -> list[Surface]:
    """Return a bottle with a cap and a label on its front."""
    r, h, neck = 0.3, random.uniform(0.8, 1.3), random.uniform(0.08, 0.14)
    shoulder = h * random.uniform(0.6, 0.75)
    top = h + random.uniform(0.15, 0.4)
    body = lathe(
        [
            (1e-4, 0),
            (r * 0.92, 0),
            (r, 0.05),
            (r, shoulder),
            (r * 0.85, shoulder + 0.1),
            (neck, h),
            (neck, top),
            (1e-4, top),
        ]
    )
    cap = moved(cylinder(neck * 1.3, 0.14, 16), (0, 0, top - 0.04))
    low, high = shoulder * random.uniform(0.15, 0.35), shoulder * random.uniform(0.75, 0.95)
    width = random.uniform(120, 220)
    label = lathe([(r * 1.015, low), (r * 1.015, high)], 16, start=-90 - width / 2, sweep=width)
    parts = [body, worn(cap, 1), worn(label, 3)]
    if random.random() < 0.4:  # a pump or trigger that points to the front
        parts.append(worn(tube(polyline((0, 0, top), (0, 0, top + 0.2), (0, -0.3, top + 0.2)), 0.05), 2))
    return parts


def spoon(random: Random) -> list[Surface]:
    """Return a spoon or spatula that lies on its back, its bowl to the front."""
    a, b = random.uniform(0.18, 0.3), random.uniform(0.25, 0.4)
    bowl = scaled(
        lathe(
            [
                (1e-4, 0),
                (0.5, 0.05),
                (0.85, 0.22),
                (1, 0.42),
                (0.93, 0.42),
                (0.75, 0.26),
                (0.4, 0.12),
                (1e-4, 0.08),
            ]
        ),
        (a, b, 0.35),
    )
    length = random.uniform(0.7, 1.2)
    path = polyline(
        (0, b * 0.85, 0.13), (0, b + length * 0.3, 0.2), (0, b + length * 0.7, 0.16), (0, b + length, 0.1)
    )
    handle = tube(path, np.linspace(0.05, random.uniform(0.07, 0.13), len(path)), flatten=0.8)
    end = moved(ball((0.12, 0.14, 0.09)), (0, b + length, 0.1))
    return [bowl, worn(handle, 1), worn(end, 2)]


def teapot(random: Random) -> list[Surface]:
    """Return a teapot: spout to the front, handle behind."""
    r, h = 0.5, random.uniform(0.55, 0.95)
    belly = random.uniform(0.3, 0.6)
    body = lathe(
        [
            (1e-4, 0),
            (r * 0.6, 0),
            (r * 0.75, h * 0.1),
            (r, h * belly),
            (r * 0.7, h * 0.9),
            (r * 0.5, h),
            (1e-4, h),
        ]
    )
    path = polyline(
        (0, -r * 0.8, h * 0.3), (0, -r * 1.35, h * 0.5), (0, -r * 1.6, h * random.uniform(0.85, 1.05))
    )
    spout = tube(path, np.linspace(0.14, 0.05, len(path)))
    handle = tube(
        polyline(
            (0, r * 0.85, h * 0.25), (0, r * 1.5, h * 0.35), (0, r * 1.5, h * 0.8), (0, r * 0.6, h * 0.9)
        ),
        random.uniform(0.04, 0.07),
    )
    lid = moved(ball((r * 0.5, r * 0.5, 0.1)), (0, 0, h))
    knob = moved(ball(random.uniform(0.06, 0.1), 12), (0, 0, h + 0.14))
    return [body, spout, worn(handle, 1), worn(lid, int(random.integers(2))), worn(knob, 2)]


def vase(random: Random) -> list[Surface]:
    """Return a vase or jug without a handle: round, only its glaze tells its front."""
    r, h = random.uniform(0.25, 0.45), random.uniform(0.7, 1.2)
    belly, neck = random.uniform(0.25, 0.6), random.uniform(0.35, 0.8)
    profile = [
        (1e-4, 0),
        (r * random.uniform(0.5, 0.8), 0),
        (r, h * belly),
        (r * neck, h * random.uniform(0.78, 0.9)),
        (r * neck * random.uniform(1.0, 1.4), h),
        (r * neck * 0.85, h),
        (r * neck * 0.7, h * 0.85),
        (1e-4, h * 0.8),
    ]
    line = np.array(profile)
    smooth = np.concatenate([line[:2], polyline(*line[1:5], steps=5)[1:], line[5:]])
    return [lathe(smooth)]


def bowl(random: Random) -> list[Surface]:
    """Return a bowl or plate, sometimes with a few fruits in it."""
    r, h = 0.5, random.uniform(0.08, 0.4)
    foot, wall = r * random.uniform(0.4, 0.7), 0.03
    rim = [(r * 0.85, h * 0.45), (r, h), (r - wall, h), (r * 0.82 - wall, h * 0.5)]
    parts = [lathe([(1e-4, 0), (foot, 0), (foot, 0.02), *rim, (foot, 0.05), (1e-4, 0.05)])]
    for i in range(int(random.choice([0, 0, 2, 3, 4]))):
        size, angle = random.uniform(0.11, 0.17), i * 1.9 + random.uniform(0, 0.5)
        at = (foot * 0.55 * math.cos(angle), foot * 0.55 * math.sin(angle), 0.05 + size * 0.9)
        parts.append(worn(moved(ball(size * random.uniform(0.85, 1.1, size=3), 16), at), 1 + i % 3))
    return parts
