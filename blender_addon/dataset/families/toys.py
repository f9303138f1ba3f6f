"""Toys: vehicles, houses, building blocks and animals."""

from __future__ import annotations

import math

import numpy as np

from ..streams import Random
from ..surfaces import Surface, ball, cylinder, extrusion, moved, polyline, rounded_box, tube, turned, worn
from .family import solid_box


def car(random: Random) -> list[Surface]:
    """Return a toy car, van or pick-up."""
    length, width = random.uniform(1.5, 2.2), random.uniform(0.7, 0.95)
    hood, base = random.uniform(0.4, 0.55), 0.18
    roof = hood + random.uniform(0.22, 0.45)
    front, back = random.uniform(0.2, 0.36) * length, random.choice([0.06, 0.12, 0.3]) * length
    half = length / 2
    side = [
        (-half, base),
        (half, base),
        (half, hood * 0.95),
        (half - 0.04, hood),
        (half - back, hood),
        (-half + front, hood * 1.04),
        (-half + 0.06, hood * 0.85),
        (-half, hood * 0.7),
    ]
    body = turned(extrusion(side, width), "z", 90)
    cabin = [
        (-half + front * 0.9, hood * 0.98),
        (half - back, hood * 0.98),
        (half - back - 0.1, roof),
        (-half + front + random.uniform(0.15, 0.3), roof),
    ]
    parts = [body, worn(turned(extrusion(cabin, width * 0.86), "z", 90), int(random.choice([2, 1])))]
    parts.append(
        solid_box((width * 0.88, length - front - back - 0.4, 0.05), (0, (front - back) / 2 + 0.05, roof), 0)
    )
    r = random.uniform(0.17, 0.24)
    for x in (-width / 2, width / 2):
        for y in (-half * 0.6, half * 0.6):
            wheel = turned(cylinder(r, 0.16, 18), "y", 90)
            hub = turned(cylinder(r * 0.5, 0.2, 10), "y", 90)
            parts += [worn(moved(wheel, (x - 0.08, y, r)), 2), worn(moved(hub, (x - 0.1, y, r)), 1)]
        parts.append(worn(moved(ball((0.09, 0.05, 0.07), 12), (x * 0.7, -half - 0.01, hood * 0.6)), 1))
        parts.append(solid_box((0.14, 0.05, 0.1), (x * 0.75, half, hood * 0.75), 3))
    if random.random() < 0.35:
        parts.append(solid_box((width * 0.6, 0.3, 0.12), (0, 0.1, roof + 0.07), 3))
    return parts


def house(random: Random) -> list[Surface]:
    """Return a house with a pitched roof, a door in front, windows and a chimney."""
    w, d, h = random.uniform(0.8, 1.3), random.uniform(0.7, 1.1), random.uniform(0.5, 0.9)
    peak = random.uniform(0.25, 0.6)
    walls = moved(rounded_box((w, d, h), 0.01), (0, 0, h / 2))
    ridge = random.uniform(-0.25, 0.25) * w
    roof = extrusion([(-w / 2 - 0.1, h - 0.02), (w / 2 + 0.1, h - 0.02), (ridge, h + peak)], d + 0.16)
    door_x = random.uniform(-0.3, 0.3) * w
    parts = [walls, worn(roof, 1), solid_box((0.2, 0.05, 0.36), (door_x, -d / 2, 0.18), 2)]
    for x in (-0.33, 0.33):
        if abs(x * w - door_x) > 0.25:
            parts.append(solid_box((0.2, 0.04, 0.2), (x * w, -d / 2, h * 0.62), 3))
        if random.random() < 0.7:
            parts.append(solid_box((0.04, 0.18, 0.2), (math.copysign(w / 2, x), x * d * 0.5, h * 0.55), 3))
    parts.append(
        solid_box((0.14, 0.14, peak * 0.9), (random.choice([-0.25, 0.25]) * w, d * 0.2, h + peak * 0.55), 2)
    )
    return parts


def tower(random: Random) -> list[Surface]:
    """Return toy blocks stacked and shifted: an asymmetric compound of simple solids."""
    parts: list[Surface] = []
    z, width = 0.0, random.uniform(0.7, 1.0)
    for i in range(int(random.integers(2, 5))):
        h = random.uniform(0.2, 0.5)
        kind = int(random.integers(4))
        if kind == 0:
            block = moved(rounded_box((width, width * random.uniform(0.6, 1), h), 0.03), (0, 0, h / 2))
        elif kind == 1:
            block = cylinder(width * 0.45, h)
        elif kind == 2:
            block = moved(
                turned(
                    extrusion([(-width / 2, 0), (width / 2, 0), (-width / 2 + 0.1, h)], width * 0.7),
                    "z",
                    random.choice([0, 90, 180, 270]),
                ),
                (0, 0, 0),
            )
        else:
            block = cylinder(width * 0.5, h, 4, top=width * 0.3)
        shift = (random.uniform(-0.15, 0.15), random.uniform(-0.15, 0.15), z)
        parts.append(worn(moved(block, shift), i % 4))
        z += h
        width *= random.uniform(0.65, 0.95)
    parts.append(solid_box((0.25, 0.2, 0.15), (0.1, -0.5, 0.075), 3, 0.02))
    return parts


def aeroplane(random: Random) -> list[Surface]:
    """Return a toy aeroplane, its nose to the front."""
    r, length, span = random.uniform(0.13, 0.2), 1.3, random.uniform(1.0, 1.6)
    z = 0.35
    path = np.stack(
        [np.zeros(14), np.linspace(-length / 2, length / 2, 14), np.linspace(z, z + 0.1, 14)], axis=1
    )
    radii = r * np.array([0.25, 0.65, 0.9, 1, 1, 1, 1, 0.95, 0.85, 0.75, 0.62, 0.5, 0.38, 0.2])
    parts = [tube(path, radii, 16)]
    sweep = random.uniform(-0.05, 0.3)
    for s in (-1, 1):
        outline = [(0, -0.22), (span / 2, -0.08 + sweep), (span / 2, 0.12 + sweep), (0, 0.2)]
        outline = outline if s > 0 else [(-x, y) for x, y in outline[::-1]]
        wing = turned(extrusion(outline, 0.04), "x", -90)
        wing = Surface(wing.vertices * (1, -1, 1), tuple(f[::-1] for f in wing.faces), smooth=False)
        parts.append(worn(moved(wing, (0, 0, z)), 1))
        parts.append(
            worn(tube([(s * span * 0.22, -0.2, z - 0.07), (s * span * 0.22, 0.1, z - 0.07)], 0.06, 10), 2)
        )
        parts.append(solid_box((0.3, 0.14, 0.03), (s * 0.2, length * 0.43, z + 0.1), 1))
        parts.append(worn(turned(cylinder(0.1, 0.05, 12), "y", 90), 2))
        parts[-1] = moved(parts[-1], (s * 0.2 - 0.025, 0.05, 0.1))
        parts.append(tube([(s * 0.2, 0.05, 0.1), (s * 0.08, 0.03, z - 0.05)], 0.02, 6))
    parts.append(solid_box((0.03, 0.2, 0.34), (0, length * 0.42, z + 0.26), 3))
    parts.append(worn(moved(ball((0.1, 0.2, 0.1), 14), (0, -length * 0.22, z + r * 0.8)), 2))
    return parts


def animal(random: Random) -> list[Surface]:
    """Return a standing toy animal: head to the front, tail behind."""
    length, h = random.uniform(0.35, 0.6), random.uniform(0.35, 0.6)
    girth = random.uniform(0.2, 0.32)
    parts = [moved(ball((girth, length, girth * 1.05)), (0, 0, h + girth * 0.5))]
    for x in (-1, 1):
        for y in (-1, 1):
            parts.append(
                tube(
                    [(x * girth * 0.6, y * length * 0.6, 0), (x * girth * 0.55, y * length * 0.55, h)],
                    [0.08, 0.1],
                    10,
                )
            )
    head = random.uniform(0.16, 0.26)
    z = h + girth + random.uniform(0.05, 0.35)
    face = -length - head * 0.5
    parts.append(tube([(0, -length * 0.6, h + girth * 0.5), (0, face + 0.05, z)], [0.16, 0.1], 10))
    parts.append(moved(ball((head * 0.85, head * 1.1, head)), (0, face, z)))
    nose = ball((0.08, random.uniform(0.1, 0.25), 0.07), 12)
    parts.append(worn(moved(nose, (0, face - head, z - 0.05)), 1))
    ear = random.uniform(0.08, 0.2)
    for x in (-1, 1):
        parts.append(worn(moved(ball(0.04, 10), (x * head * 0.45, face - head * 0.85, z + 0.08)), 2))
        parts.append(worn(moved(ball((0.05, 0.03, ear), 10), (x * head * 0.6, face, z + head)), 1))
    parts.append(
        worn(
            tube(
                polyline(
                    (0, length * 0.9, h + girth * 0.7),
                    (0, length * 1.3, h + girth),
                    (0.05, length * 1.4, h + girth * random.uniform(1, 2)),
                ),
                0.045,
                8,
            ),
            1,
        )
    )
    if random.random() < 0.5:
        parts.append(solid_box((girth * 2.1, length * 0.5, girth), (0, 0, h + girth * 1.1), 3, 0.05))
    return parts
