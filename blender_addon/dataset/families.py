"""Object families: each draws one random shape as a list of surfaces.

A family is a function of a random generator. Its object stands on the ground in its usual attitude with
its front towards -Y; absolute size does not matter, objects are resized later. Nearly all lack rotational
symmetry, so that a picture shows which way they face.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from .surfaces import (
    Surface,
    ball,
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

Random = np.random.Generator
Family = Callable[[Random], list[Surface]]


def _box(
    size: tuple[float, float, float], at: tuple[float, float, float], slot: int = 0, r: float = 0.008
) -> Surface:
    return worn(moved(rounded_box(size, r), at), slot)


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
        _box((width * 0.88, length - front - back - 0.4, 0.05), (0, (front - back) / 2 + 0.05, roof), 0)
    )
    r = random.uniform(0.17, 0.24)
    for x in (-width / 2, width / 2):
        for y in (-half * 0.6, half * 0.6):
            wheel = turned(cylinder(r, 0.16, 18), "y", 90)
            hub = turned(cylinder(r * 0.5, 0.2, 10), "y", 90)
            parts += [worn(moved(wheel, (x - 0.08, y, r)), 2), worn(moved(hub, (x - 0.1, y, r)), 1)]
        parts.append(worn(moved(ball((0.09, 0.05, 0.07), 12), (x * 0.7, -half - 0.01, hood * 0.6)), 1))
        parts.append(_box((0.14, 0.05, 0.1), (x * 0.75, half, hood * 0.75), 3))
    if random.random() < 0.35:
        parts.append(_box((width * 0.6, 0.3, 0.12), (0, 0.1, roof + 0.07), 3))
    return parts


def house(random: Random) -> list[Surface]:
    """Return a house with a pitched roof, a door in front, windows and a chimney."""
    w, d, h = random.uniform(0.8, 1.3), random.uniform(0.7, 1.1), random.uniform(0.5, 0.9)
    peak = random.uniform(0.25, 0.6)
    walls = moved(rounded_box((w, d, h), 0.01), (0, 0, h / 2))
    ridge = random.uniform(-0.25, 0.25) * w
    roof = extrusion([(-w / 2 - 0.1, h - 0.02), (w / 2 + 0.1, h - 0.02), (ridge, h + peak)], d + 0.16)
    door_x = random.uniform(-0.3, 0.3) * w
    parts = [walls, worn(roof, 1), _box((0.2, 0.05, 0.36), (door_x, -d / 2, 0.18), 2)]
    for x in (-0.33, 0.33):
        if abs(x * w - door_x) > 0.25:
            parts.append(_box((0.2, 0.04, 0.2), (x * w, -d / 2, h * 0.62), 3))
        if random.random() < 0.7:
            parts.append(_box((0.04, 0.18, 0.2), (math.copysign(w / 2, x), x * d * 0.5, h * 0.55), 3))
    parts.append(
        _box((0.14, 0.14, peak * 0.9), (random.choice([-0.25, 0.25]) * w, d * 0.2, h + peak * 0.55), 2)
    )
    return parts


def chair(random: Random) -> list[Surface]:
    """Return a chair, with a solid or slatted back and sometimes arms."""
    w, d, seat = 0.5, random.uniform(0.45, 0.55), random.uniform(0.4, 0.55)
    back, leg = random.uniform(0.4, 0.7), random.uniform(0.025, 0.05)
    parts = [_box((w, d, 0.07), (0, 0, seat), 1, 0.02)]
    for x in (-1, 1):
        for y in (-1, 1):
            foot = (x * w * random.uniform(0.46, 0.54), y * d * 0.48, 0)
            parts.append(tube([foot, (x * w * 0.42, y * d * 0.42, seat)], leg, 8))
        parts.append(tube([(x * w * 0.42, d * 0.44, seat), (x * w * 0.44, d * 0.52, seat + back)], leg, 8))
    if random.random() < 0.5:
        parts.append(
            _box(
                (w * 0.95, 0.05, back * 0.6), (0, d * 0.5, seat + back * 0.68), int(random.integers(2)), 0.02
            )
        )
    else:
        for i in range(int(random.integers(2, 5))):
            parts.append(_box((w * 0.9, 0.03, 0.07), (0, d * 0.49, seat + back * (0.95 - 0.22 * i)), 0))
    if random.random() < 0.3:
        for x in (-1, 1):
            parts.append(_box((0.06, d * 0.9, 0.04), (x * w * 0.46, 0, seat + 0.22), 2))
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
    return [base, worn(arm, 2), worn(shade, 1), worn(bulb, 3), _box((0.08, 0.05, 0.04), (0, -0.15, 0.09), 3)]


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
    parts.append(_box((0.03, 0.3, 0.1), (width * 0.42, 0.1, 0.22), 1, 0.01))
    return parts


def crate(random: Random) -> list[Surface]:
    """Return a box with a lid, a label on its front and a strap."""
    w, d, h = random.uniform(0.5, 1.2), random.uniform(0.4, 1.0), random.uniform(0.3, 1.1)
    body = moved(rounded_box((w, d, h), random.uniform(0.01, 0.08)), (0, 0, h / 2))
    parts = [body]
    if random.random() < 0.5:
        parts.append(_box((w * 1.05, d * 1.05, h * 0.18), (0, 0, h), 1, 0.02))
    x = random.uniform(-0.15, 0.15) * w
    parts.append(_box((w * 0.5, 0.02, h * 0.4), (x, -d / 2, h * 0.45), 3, 0.004))
    if random.random() < 0.6:
        parts.append(
            _box((w * 0.12, d * 1.03, h * 1.02), (random.choice([-0.3, 0.3]) * w, 0, h / 2), 2, 0.01)
        )
    if random.random() < 0.5:
        parts.append(_box((0.02, d * 0.4, h * 0.2), (w / 2, 0, h * 0.6), 1, 0.004))
    return parts


def books(random: Random) -> list[Surface]:
    """Return a stack of books, spines to the front, each a little askew."""
    parts: list[Surface] = []
    z = 0.0
    for i in range(int(random.integers(1, 5))):
        w, d, h = random.uniform(0.6, 0.9), random.uniform(0.45, 0.65), random.uniform(0.06, 0.17)
        pages = _box((w * 0.97, d * 0.96, h * 0.8), (0, 0.01, 0), 2, 0.004)
        slot = (0, 1, 3)[i % 3]
        covers = [_box((w, d, h * 0.1), (0, 0, s * h * 0.45), slot, 0.003) for s in (-1, 1)]
        spine = _box((w, h * 0.14, h), (0, -d / 2, 0), slot, 0.004)
        turn = random.normal(0, 7) if i else 0.0
        shift = (random.normal(0, 0.03), random.normal(0, 0.03), z + h / 2)
        parts += [moved(turned(part, "z", turn), shift) for part in (pages, *covers, spine)]
        z += h
    return parts


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
    parts.append(_box((0.25, 0.2, 0.15), (0.1, -0.5, 0.075), 3, 0.02))
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
        parts.append(_box((0.3, 0.14, 0.03), (s * 0.2, length * 0.43, z + 0.1), 1))
        parts.append(worn(turned(cylinder(0.1, 0.05, 12), "y", 90), 2))
        parts[-1] = moved(parts[-1], (s * 0.2 - 0.025, 0.05, 0.1))
        parts.append(tube([(s * 0.2, 0.05, 0.1), (s * 0.08, 0.03, z - 0.05)], 0.02, 6))
    parts.append(_box((0.03, 0.2, 0.34), (0, length * 0.42, z + 0.26), 3))
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
        parts.append(_box((girth * 2.1, length * 0.5, girth), (0, 0, h + girth * 1.1), 3, 0.05))
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
        _box((w, d, h), (0, 0, h / 2), 0, 0.05),
        worn(moved(lens, (x, -d / 2, h * 0.48)), 2),
        worn(moved(ring, (x, -d / 2, h * 0.48)), 1),
        _box((w * 0.3, d * 0.7, 0.14), (x, 0, h + 0.05), 2, 0.03),
        _box((w * 1.005, d * 1.01, h * 0.3), (0, 0, h * 0.4), 1, 0.02),
        _box((0.16, 0.04, 0.1), (w * 0.36, -d / 2, h * 0.85), 3),
    ]
    if random.random() < 0.5:
        parts.append(worn(moved(glass, (x, -d / 2, h * 0.48)), 3))
    parts.append(worn(moved(cylinder(0.06, 0.07, 14), (-w * 0.35, 0, h)), 3))
    return parts


def laptop(random: Random) -> list[Surface]:
    """Return an open laptop, its screen to the front."""
    w, d = 1.0, random.uniform(0.6, 0.75)
    lean = random.uniform(5, 35)
    parts = [_box((w, d, 0.05), (0, 0, 0.025), 0, 0.012)]
    parts.append(_box((w * 0.86, d * 0.45, 0.02), (0, d * 0.12, 0.05), 2, 0.004))
    parts.append(_box((w * 0.3, d * 0.25, 0.02), (random.uniform(-0.1, 0.1), -d * 0.3, 0.048), 1, 0.004))
    height = random.uniform(0.55, 0.7)
    lid = [
        _box((w, 0.035, height), (0, 0, height / 2), 0, 0.01),
        _box((w * 0.92, 0.02, height * 0.86), (0, -0.02, height * 0.52), 3, 0.003),
    ]
    parts += [moved(turned(part, "x", -lean), (0, d / 2, 0.04)) for part in lid]
    return parts


def cabinet(random: Random) -> list[Surface]:
    """Return a chest of drawers or a shelf, open to the front."""
    w, d, h = random.uniform(0.5, 1.0), random.uniform(0.35, 0.55), random.uniform(0.6, 1.2)
    rows = int(random.integers(2, 5))
    foot = random.uniform(0.0, 0.1)
    parts: list[Surface] = []
    if random.random() < 0.5:
        parts.append(_box((w, d, h), (0, 0, foot + h / 2), 0, 0.02))
        for i in range(rows):
            z = foot + h * (i + 0.5) / rows
            slot = int(random.choice([0, 1, 3]))
            parts.append(_box((w * 0.9, 0.05, h / rows * 0.84), (0, -d / 2, z), slot, 0.01))
            parts.append(worn(moved(ball(0.035, 10), (random.uniform(-0.2, 0.2) * w, -d / 2 - 0.05, z)), 2))
    else:
        parts.append(_box((w, 0.04, h), (0, d / 2, foot + h / 2), 1))
        for x in (-w / 2, w / 2):
            parts.append(_box((0.05, d, h), (x, 0, foot + h / 2), 0))
        for i in range(rows + 1):
            parts.append(_box((w, d, 0.045), (0, 0, foot + h * i / rows), 0))
            if i < rows:
                size = random.uniform(0.3, 0.7) * h / rows
                at = (random.uniform(-0.25, 0.25) * w, 0, foot + h * i / rows + size / 2 + 0.02)
                parts.append(_box((size, size * 0.8, size), at, int(random.choice([2, 3])), 0.01))
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
        _box((w, d, seat * 0.8), (0, 0, 0.08 + seat * 0.4), 0, 0.06),
        _box((w, 0.2, back + seat * 0.5), (0, d * 0.42, 0.1 + (back + seat) / 2), 0, 0.08),
    ]
    for x in (-1, 1):
        parts.append(_box((arm, d, seat + 0.18), (x * w / 2, 0, 0.08 + (seat + 0.18) / 2), 0, 0.07))
        for y in (-1, 1):
            parts.append(worn(moved(cylinder(0.035, 0.12, 8), (x * w * 0.43, y * d * 0.42, 0)), 2))
    count = 1 if w < 1.1 else 2
    for i in range(count):
        middle = (i - (count - 1) / 2) * (w - arm) / count
        parts.append(_box(((w - arm) / count * 0.97, d * 0.78, 0.16), (middle, -0.06, seat + 0.1), 1, 0.06))
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


def hammer(random: Random) -> list[Surface]:
    """Return a hammer or axe that lies on the ground."""
    length, r = random.uniform(0.9, 1.3), random.uniform(0.05, 0.08)
    z = 0.14
    handle = tube(
        [(0, -0.1, z), (0, length * 0.5, z * 0.8), (0, length, r * 1.2)], [r, r * 0.85, r * 1.15], 12
    )
    grip = tube([(0, length * 0.62, z * 0.72), (0, length * 1.01, r * 1.2)], r * 1.3, 12)
    head = _box((random.uniform(0.3, 0.45), 0.18, 0.2), (-0.05, 0, z), 2, 0.02)
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


def letterform(random: Random) -> list[Surface]:
    """Return a thick plate cut like a random letter-like sign: arms of several lengths on one stem."""
    d, h, stem = random.uniform(0.2, 0.4), random.uniform(0.9, 1.2), random.uniform(0.16, 0.24)
    parts = [_box((stem, d, h), (0, 0, h / 2), 0, 0.02)]
    for z in (0.1, 0.5, 0.9):
        for s in (-1, 1):
            if random.random() < 0.55:
                reach = random.uniform(0.2, 0.5)
                parts.append(
                    _box((reach, d, stem), (s * (stem + reach) / 2, 0, z * h), int(random.integers(2)), 0.02)
                )
    parts.append(_box((stem * 0.7, d * 1.1, stem * 0.7), (0, -0.03, h * 0.75), 3, 0.02))
    parts.append(_box((0.6, d * 1.4, 0.08), (0, 0, 0.04), 2, 0.02))
    return parts


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
    return [loft(rings), _box((0.2, 0.25, 0.14), (0.05, -0.36, 0.07), 3, 0.03)]


FAMILIES: dict[str, Family] = {
    family.__name__: family
    for family in (
        mug,
        bottle,
        spoon,
        car,
        house,
        chair,
        lamp,
        shoe,
        crate,
        books,
        teapot,
        elbow,
        tower,
        aeroplane,
        animal,
        camera_body,
        laptop,
        cabinet,
        armchair,
        pot_plant,
        hammer,
        pebble,
        watering_can,
        clock,
        letterform,
        vase,
        bowl,
        block,
        twisted,
    )
}
"""The families that numpy alone can make, by name."""

CARVED = ("suzanne", "solid_text", "carving")
"""The families that need Blender to make their mesh, by name; see :mod:`.carved`."""

FAMILY_NAMES = (*FAMILIES, *CARVED)

SYMMETRY = {"vase": 0, "bowl": 0, "block": 2}
"""Turns about the up axis that leave a family's shape as it was, 0 for any; 1 for families not listed."""
