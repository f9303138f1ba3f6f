"""What people own and carry: shoes, books, crates, tools and devices."""

from __future__ import annotations

import math

import numpy as np

from ..streams import Random
from ..surfaces import (
    Surface,
    cylinder,
    extrusion,
    lathe,
    loft,
    moved,
    polyline,
    rounded_box,
    scaled,
    tube,
    turned,
    worn,
)
from .family import solid_box


def shoe(random: Random) -> list[Surface]:
    """Return a shoe or boot, its toe to the front."""
    length, width, ankle = 1.0, random.uniform(0.32, 0.42), random.uniform(0.32, 0.75)
    angles = np.linspace(0, 2 * math.pi, 20, endpoint=False)
    sole, upper = [], []
    for t in np.linspace(0, 1, 14):
        y = (t - 0.5) * length
        half = width / 2 * (math.sin(math.pi * min(0.97, 0.08 + 0.9 * t)) ** 0.5) * (1.08 - 0.25 * t)
        top = 0.17 + 0.1 * t + (ankle - 0.2) / (1 + math.exp(-14 * (t - 0.55)))
        ring = np.sign(np.cos(angles)) * np.abs(np.cos(angles)) ** 0.7
        rise = np.sin(angles)
        upper.append(
            np.stack(
                [
                    ring * half * 0.92 * (1 - 0.25 * np.clip(rise, 0, 1)),
                    np.full(20, y),
                    0.08 + (top - 0.08) * (rise + 1) / 2,
                ],
                axis=1,
            )
        )
        sole.append(
            np.stack([ring * half, np.full(20, y), 0.05 + 0.05 * np.sign(rise) * np.abs(rise) ** 0.3], axis=1)
        )
    # rings run counter-clockwise seen from the front, rows go backwards: the outside is outside
    parts = [worn(loft(sole), 2), loft(upper)]
    for i in range(int(random.integers(2, 5))):
        y = -0.12 + 0.1 * i
        z = 0.22 + (ankle - 0.2) / (1 + math.exp(-14 * (y + 0.5 - 0.55))) + 0.1 * (y + 0.5)
        parts.append(worn(tube([(-0.09, y, z * 0.96), (0, y - 0.02, z), (0.09, y, z * 0.96)], 0.025, 6), 3))
    parts.append(solid_box((0.03, 0.3, 0.1), (width * 0.42, 0.1, 0.22), 1, 0.01))
    return parts


def crate(random: Random) -> list[Surface]:
    """Return a box with a lid, a label on its front and a strap."""
    w, d, h = random.uniform(0.5, 1.2), random.uniform(0.4, 1.0), random.uniform(0.3, 1.1)
    body = moved(rounded_box((w, d, h), random.uniform(0.01, 0.08)), (0, 0, h / 2))
    parts = [body]
    if random.random() < 0.5:
        parts.append(solid_box((w * 1.05, d * 1.05, h * 0.18), (0, 0, h), 1, 0.02))
    x = random.uniform(-0.15, 0.15) * w
    parts.append(solid_box((w * 0.5, 0.02, h * 0.4), (x, -d / 2, h * 0.45), 3, 0.004))
    if random.random() < 0.6:
        parts.append(
            solid_box((w * 0.12, d * 1.03, h * 1.02), (random.choice([-0.3, 0.3]) * w, 0, h / 2), 2, 0.01)
        )
    if random.random() < 0.5:
        parts.append(solid_box((0.02, d * 0.4, h * 0.2), (w / 2, 0, h * 0.6), 1, 0.004))
    return parts


def books(random: Random) -> list[Surface]:
    """Return a stack of books, spines to the front, each a little askew."""
    parts: list[Surface] = []
    z = 0.0
    for i in range(int(random.integers(1, 5))):
        w, d, h = random.uniform(0.6, 0.9), random.uniform(0.45, 0.65), random.uniform(0.06, 0.17)
        pages = solid_box((w * 0.97, d * 0.96, h * 0.8), (0, 0.01, 0), 2, 0.004)
        slot = (0, 1, 3)[i % 3]
        covers = [solid_box((w, d, h * 0.1), (0, 0, s * h * 0.45), slot, 0.003) for s in (-1, 1)]
        spine = solid_box((w, h * 0.14, h), (0, -d / 2, 0), slot, 0.004)
        turn = random.normal(0, 7) if i else 0.0
        shift = (random.normal(0, 0.03), random.normal(0, 0.03), z + h / 2)
        parts += [moved(turned(part, "z", turn), shift) for part in (pages, *covers, spine)]
        z += h
    return parts


def camera_body(random: Random) -> list[Surface]:
    """Return a photo camera, its lens to the front."""
    w, h, d = random.uniform(0.8, 1.1), random.uniform(0.5, 0.7), random.uniform(0.25, 0.4)
    r = random.uniform(0.17, 0.24)
    x = random.uniform(-0.12, 0.12)
    lens = turned(cylinder(r, random.uniform(0.2, 0.5), 24, top=r * 0.9), "x", 90)
    ring = turned(cylinder(r * 1.15, 0.1, 24), "x", 90)
    glass = turned(cylinder(r * 0.75, 0.52, 20), "x", 90)
    parts = [
        solid_box((w, d, h), (0, 0, h / 2), 0, 0.05),
        worn(moved(lens, (x, -d / 2, h * 0.48)), 2),
        worn(moved(ring, (x, -d / 2, h * 0.48)), 1),
        solid_box((w * 0.3, d * 0.7, 0.14), (x, 0, h + 0.05), 2, 0.03),
        solid_box((w * 1.005, d * 1.01, h * 0.3), (0, 0, h * 0.4), 1, 0.02),
        solid_box((0.16, 0.04, 0.1), (w * 0.36, -d / 2, h * 0.85), 3),
    ]
    if random.random() < 0.5:
        parts.append(worn(moved(glass, (x, -d / 2, h * 0.48)), 3))
    parts.append(worn(moved(cylinder(0.06, 0.07, 14), (-w * 0.35, 0, h)), 3))
    return parts


def laptop(random: Random) -> list[Surface]:
    """Return an open laptop, its screen to the front."""
    w, d = 1.0, random.uniform(0.6, 0.75)
    lean = random.uniform(5, 35)
    parts = [solid_box((w, d, 0.05), (0, 0, 0.025), 0, 0.012)]
    parts.append(solid_box((w * 0.86, d * 0.45, 0.02), (0, d * 0.12, 0.05), 2, 0.004))
    parts.append(solid_box((w * 0.3, d * 0.25, 0.02), (random.uniform(-0.1, 0.1), -d * 0.3, 0.048), 1, 0.004))
    height = random.uniform(0.55, 0.7)
    lid = [
        solid_box((w, 0.035, height), (0, 0, height / 2), 0, 0.01),
        solid_box((w * 0.92, 0.02, height * 0.86), (0, -0.02, height * 0.52), 3, 0.003),
    ]
    parts += [moved(turned(part, "x", -lean), (0, d / 2, 0.04)) for part in lid]
    return parts


def hammer(random: Random) -> list[Surface]:
    """Return a hammer or axe that lies on the ground."""
    length, r = random.uniform(0.9, 1.3), random.uniform(0.05, 0.08)
    z = 0.14
    handle = tube(
        [(0, -0.1, z), (0, length * 0.5, z * 0.8), (0, length, r * 1.2)], [r, r * 0.85, r * 1.15], 12
    )
    grip = tube([(0, length * 0.62, z * 0.72), (0, length * 1.01, r * 1.2)], r * 1.3, 12)
    head = solid_box((random.uniform(0.3, 0.45), 0.18, 0.2), (-0.05, 0, z), 2, 0.02)
    face = moved(turned(cylinder(0.12, 0.12, 16), "y", 90), (0.15, 0, z))
    claw = turned(extrusion([(0, -0.1), (0.3, -0.13), (0.3, 0.1), (0, 0.06)], 0.07), "x", 90)
    parts = [
        handle,
        worn(grip, 1),
        head,
        worn(face, 2),
        worn(moved(scaled(claw, (1, 1, 1)), (-0.5, 0, z)), 3),
    ]
    return parts


def watering_can(random: Random) -> list[Surface]:
    """Return a watering can: long spout to the front, handle over the back."""
    r, h = 0.36, random.uniform(0.5, 0.75)
    body = cylinder(r, h, 24, top=r * random.uniform(0.75, 1.0))
    path = polyline((0, -r * 0.8, h * 0.2), (0, -r - 0.25, h * 0.5), (0, -r - 0.5, h * 1.1))
    spout = tube(path, np.linspace(0.08, 0.04, len(path)))
    rose = moved(turned(cylinder(0.05, 0.1, 16, top=0.13), "x", 55), (0, -r - 0.46, h * 1.08))
    handle = tube(polyline((0, -r * 0.4, h), (0, 0, h + 0.28), (0, r * 1.3, h), (0, r * 0.95, h * 0.3)), 0.04)
    return [
        body,
        worn(spout, 1),
        worn(rose, 2),
        worn(handle, int(random.choice([1, 2]))),
        worn(lathe([(r * 1.01, h * 0.25), (r * 0.98, h * 0.7)], 8, start=-30, sweep=80), 3),
    ]
