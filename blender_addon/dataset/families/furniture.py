"""Furniture and what stands on it: chairs, cabinets, lamps, clocks, plants."""

from __future__ import annotations

import math

import numpy as np

from ..streams import Random
from ..surfaces import Surface, ball, cylinder, lathe, moved, polyline, rounded_box, tube, turned, worn
from .family import solid_box


def chair(random: Random) -> list[Surface]:
    """Return a chair, with a solid or slatted back and sometimes arms."""
    w, d, seat = 0.5, random.uniform(0.45, 0.55), random.uniform(0.4, 0.55)
    back, leg = random.uniform(0.4, 0.7), random.uniform(0.025, 0.05)
    parts = [solid_box((w, d, 0.07), (0, 0, seat), 1, 0.02)]
    for x in (-1, 1):
        for y in (-1, 1):
            foot = (x * w * random.uniform(0.46, 0.54), y * d * 0.48, 0)
            parts.append(tube([foot, (x * w * 0.42, y * d * 0.42, seat)], leg, 8))
        parts.append(tube([(x * w * 0.42, d * 0.44, seat), (x * w * 0.44, d * 0.52, seat + back)], leg, 8))
    if random.random() < 0.5:
        parts.append(
            solid_box(
                (w * 0.95, 0.05, back * 0.6), (0, d * 0.5, seat + back * 0.68), int(random.integers(2)), 0.02
            )
        )
    else:
        for i in range(int(random.integers(2, 5))):
            parts.append(solid_box((w * 0.9, 0.03, 0.07), (0, d * 0.49, seat + back * (0.95 - 0.22 * i)), 0))
    if random.random() < 0.3:
        for x in (-1, 1):
            parts.append(solid_box((0.06, d * 0.9, 0.04), (x * w * 0.46, 0, seat + 0.22), 2))
            parts.append(
                tube([(x * w * 0.46, -d * 0.38, seat), (x * w * 0.46, -d * 0.38, seat + 0.22)], leg, 8)
            )
    return parts


def lamp(random: Random) -> list[Surface]:
    """Return a desk lamp whose arm bends to the front."""
    base = cylinder(random.uniform(0.2, 0.3), random.uniform(0.05, 0.1))
    h, reach = random.uniform(0.7, 1.1), random.uniform(0.25, 0.55)
    arm = tube(
        polyline((0, 0.1, 0.05), (0, random.uniform(0.1, 0.25), h * 0.5), (0, 0, h), (0, -reach, h * 0.97)),
        0.03,
    )
    r = random.uniform(0.16, 0.26)
    shade = lathe(
        [
            (r, -0.28),
            (r * 0.4, 0),
            (r * 0.36, 0.04),
            (1e-4, 0.05),
            (1e-4, 0.03),
            (r * 0.36, 0),
            (r * 0.94, -0.27),
        ]
    )
    shade = moved(turned(shade, "x", -random.uniform(0, 40)), (0, -reach, h))
    bulb = moved(ball(0.09, 14), (0, -reach - 0.04, h - 0.16))
    return [
        base,
        worn(arm, 2),
        worn(shade, 1),
        worn(bulb, 3),
        solid_box((0.08, 0.05, 0.04), (0, -0.15, 0.09), 3),
    ]


def cabinet(random: Random) -> list[Surface]:
    """Return a chest of drawers or a shelf, open to the front."""
    w, d, h = random.uniform(0.5, 1.0), random.uniform(0.35, 0.55), random.uniform(0.6, 1.2)
    rows = int(random.integers(2, 5))
    foot = random.uniform(0.0, 0.1)
    parts: list[Surface] = []
    if random.random() < 0.5:
        parts.append(solid_box((w, d, h), (0, 0, foot + h / 2), 0, 0.02))
        for i in range(rows):
            z = foot + h * (i + 0.5) / rows
            slot = int(random.choice([0, 1, 3]))
            parts.append(solid_box((w * 0.9, 0.05, h / rows * 0.84), (0, -d / 2, z), slot, 0.01))
            parts.append(worn(moved(ball(0.035, 10), (random.uniform(-0.2, 0.2) * w, -d / 2 - 0.05, z)), 2))
    else:
        parts.append(solid_box((w, 0.04, h), (0, d / 2, foot + h / 2), 1))
        for x in (-w / 2, w / 2):
            parts.append(solid_box((0.05, d, h), (x, 0, foot + h / 2), 0))
        for i in range(rows + 1):
            parts.append(solid_box((w, d, 0.045), (0, 0, foot + h * i / rows), 0))
            if i < rows:
                size = random.uniform(0.3, 0.7) * h / rows
                at = (random.uniform(-0.25, 0.25) * w, 0, foot + h * i / rows + size / 2 + 0.02)
                parts.append(solid_box((size, size * 0.8, size), at, int(random.choice([2, 3])), 0.01))
    if foot > 0.03:
        for x in (-0.42, 0.42):
            for y in (-0.38, 0.38):
                parts.append(worn(moved(cylinder(0.04, foot + 0.03, 10), (x * w, y * d, 0)), 2))
    return parts


def armchair(random: Random) -> list[Surface]:
    """Return a sofa or armchair with cushions."""
    w, d, seat = random.uniform(0.8, 1.8), random.uniform(0.75, 0.95), random.uniform(0.3, 0.42)
    arm, back = random.uniform(0.12, 0.22), random.uniform(0.35, 0.55)
    parts = [
        solid_box((w, d, seat * 0.8), (0, 0, 0.08 + seat * 0.4), 0, 0.06),
        solid_box((w, 0.2, back + seat * 0.5), (0, d * 0.42, 0.1 + (back + seat) / 2), 0, 0.08),
    ]
    for x in (-1, 1):
        parts.append(solid_box((arm, d, seat + 0.18), (x * w / 2, 0, 0.08 + (seat + 0.18) / 2), 0, 0.07))
        for y in (-1, 1):
            parts.append(worn(moved(cylinder(0.035, 0.12, 8), (x * w * 0.43, y * d * 0.42, 0)), 2))
    count = 1 if w < 1.1 else 2
    for i in range(count):
        middle = (i - (count - 1) / 2) * (w - arm) / count
        parts.append(
            solid_box(((w - arm) / count * 0.97, d * 0.78, 0.16), (middle, -0.06, seat + 0.1), 1, 0.06)
        )
    pillow = turned(rounded_box((0.36, 0.14, 0.34), 0.065), "x", -18)
    parts.append(worn(moved(pillow, (random.choice([-1, 1]) * w * 0.2, d * 0.18, seat + 0.36)), 3))
    return parts


def pot_plant(random: Random) -> list[Surface]:
    """Return a plant in a pot: leaves lean unevenly, mostly to one side."""
    r, h = 0.3, random.uniform(0.35, 0.55)
    pot = lathe(
        [
            (1e-4, 0),
            (r * 0.7, 0),
            (r * 0.95, h * 0.85),
            (r * 1.08, h * 0.85),
            (r * 1.08, h),
            (r * 0.9, h),
            (r * 0.85, h * 0.9),
            (1e-4, h * 0.88),
        ]
    )
    parts = [worn(pot, 1), worn(lathe([(r * 0.8, h * 0.3), (r * 0.9, h * 0.6)], 8, start=-125, sweep=70), 3)]
    for _ in range(int(random.integers(6, 14))):
        angle = random.normal(-math.pi / 2, 1.6)
        reach, height = random.uniform(0.15, 0.55), random.uniform(0.3, 0.8)
        x, y = math.cos(angle), math.sin(angle)
        path = polyline(
            (x * 0.05, y * 0.05, h * 0.85),
            (x * reach * 0.4, y * reach * 0.4, h + height * 0.7),
            (x * reach, y * reach, h + height * random.uniform(0.6, 1)),
            steps=5,
        )
        wide = random.uniform(0.05, 0.11)
        radii = wide * np.sin(np.linspace(0.15, math.pi - 0.08, len(path)))
        parts.append(tube(path, radii, 8, flatten=0.2))
    return parts


def clock(random: Random) -> list[Surface]:
    """Return a table clock: dial to the front, on feet."""
    r, d, z = 0.45, random.uniform(0.18, 0.35), 0.55
    body = moved(turned(cylinder(r, d, 28), "x", 90), (0, d / 2, z))
    dial = moved(turned(cylinder(r * 0.86, 0.02, 28), "x", 90), (0, -d / 2, z))
    parts = [body, worn(dial, 3)]
    for length, wide, turn in ((0.22, 0.045, random.uniform(0, 360)), (0.34, 0.03, random.uniform(0, 360))):
        hand = turned(moved(rounded_box((wide, 0.02, length), 0.004), (0, 0, length / 2)), "y", turn)
        parts.append(worn(moved(hand, (0, -d / 2 - 0.035, z)), 2))
    for x in (-0.25, 0.25):
        parts.append(worn(tube([(x * 1.3, 0, 0), (x, 0, z - r * 0.8)], 0.045, 8), 2))
    parts.append(
        worn(moved(cylinder(0.09, 0.12, 14), (random.choice([-0.15, 0.0, 0.15]), 0, z + r * 0.94)), 1)
    )
    return parts
