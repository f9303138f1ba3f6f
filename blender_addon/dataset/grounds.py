"""Grounds: floors, tables and rugs that the objects stand on, and the plain sweep of a studio."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .ground_pictures import ground
from .materials import textured
from .patterns import texture
from .plain_pictures import plain
from .stage_parts import Builder, flat, sheet
from .surfaces import lathe, moved, rounded_box, turned

EXTENT = 30.0
"""Metres from the origin to each side of the floor."""


def lay_ground(builder: Builder) -> float:
    """Build what the objects stand on, at height 0; return the height of the floor in metres.

    Either the floor itself, sometimes with a rug, or a table over a lower floor.
    """
    random, room = builder.random, builder.room
    floor = 0.0
    look = ground(random, builder.split)
    tile = room.radius * look.size
    top = textured(f"ground of {look.kind}", look.picture, roughness=look.roughness)
    if random.random() < 0.35:
        floor = -random.uniform(0.4, 0.8)
        thick, over = random.uniform(0.02, 0.06), room.reach + random.uniform(0.04, 0.5)
        if random.random() < 0.3:
            disc = [(1e-4, -thick), (over, -thick), (over, 0), (1e-4, 0)]
            board = lathe(disc, 64)
        else:
            size = (2 * over, 2 * over * random.uniform(1, 1.4), thick)
            board = moved(rounded_box(size, thick * 0.3), (0, 0, -thick / 2))
        builder.add("table", turned(flat(board, tile), "z", random.normal(0, 12)), top)
        below = ground(random, builder.split)
        top = textured("floor", below.picture, roughness=max(below.roughness, 0.3))
        tile = random.uniform(0.5, 2.0)
    elif random.random() < 0.25:
        rug = room.reach * random.uniform(0.5, 1.3)
        outline = rounded_box((2 * rug, 2 * rug * random.uniform(0.6, 1.2), 0.004), 0.001)
        rug_picture = textured("rug", texture(random, builder.split, 256), roughness=1.0)
        lying = turned(flat(outline, rug * random.uniform(0.4, 2.1)), "z", random.uniform(0, 90))
        builder.add("rug", moved(lying, (0, 0, -0.001)), rug_picture)
    corners = [(-EXTENT, -EXTENT, 0.0), (EXTENT, -EXTENT, 0.0), (EXTENT, EXTENT, 0.0), (-EXTENT, EXTENT, 0.0)]
    turn = random.uniform(-45, 45) if random.random() < 0.5 else 0.0
    builder.add("ground", moved(turned(sheet(corners, tile), "z", turn), (0, 0, floor)), top)
    return floor


def sweep(builder: Builder) -> None:
    """Build a studio's sweep: a plain ground that bends up into a backdrop all around, without an edge."""
    random, room = builder.random, builder.room
    out = max(float(np.linalg.norm(room.cameras[:, :2], axis=1).max()) + 0.3, room.reach * 1.5)
    bend = random.uniform(0.4, 1.5)
    arc = np.linspace(0, math.pi / 2, 13)
    bow = np.stack([out + bend * np.sin(arc), bend * (1 - np.cos(arc))], axis=1)
    top = (out + bend, bend + out * random.uniform(0.8, 1.5))
    surface = flat(lathe([(1e-3, 0.0), *bow, top], 64), random.uniform(1, 3))
    look = textured("sweep", plain(random, 256), roughness=random.uniform(0.35, 1.0))
    builder.add("sweep", replace(surface, smooth=True), look, shadow=False)
