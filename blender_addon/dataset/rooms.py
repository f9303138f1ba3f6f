"""Rooms: walls, ceilings and furniture around the objects, or a far backdrop."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from .materials import glowing, textured
from .patterns import panorama, texture
from .plain_pictures import light_colour, plain
from .stage_parts import Builder, fronted, joined, sheet
from .surfaces import Surface, grid, lathe, moved, rounded_box, turned

FURNITURE_DEPTH = 0.45
"""Metres that furniture stands out from a wall, at most."""


@dataclass(frozen=True)
class _Wall:
    """A stretch of wall that things may stand at.

    Attributes:
        angle: degrees from a wall that looks towards -Y, counter-clockwise from above.
        away: metres from the origin to the wall.
        reach: metres to either side of the middle that are free.
        floor, height: metres, of its lower and upper edge.
    """

    angle: float
    away: float
    reach: float
    floor: float
    height: float

    def place(self, surface: Surface, across: float) -> Surface:
        """Return a surface made at the origin, its back at y = 0, moved to the wall."""
        return turned(moved(surface, (across, self.away, self.floor)), "z", self.angle)


def walls(builder: Builder, floor: float, lit_by: str) -> None:
    """Build one to four walls that hold every camera and object; the cameras look roughly along +Y.

    Four walls have a ceiling: a closed room. Light goes through its walls, and through any wall of a stage
    that one lamp lights: else the room could be black.
    """
    random, room, cameras = builder.random, builder.room, builder.room.cameras
    furnished = random.random() < 0.45
    closed = lit_by in ("hdri", "lamps", "window") and random.random() < 0.3
    depth = FURNITURE_DEPTH if furnished else 0.0
    back = max(room.radius * random.uniform(1.4, 3.2), room.reach) + 0.15 + depth
    side = max(float(np.abs(cameras[:, 0]).max()) + 0.4, room.radius * random.uniform(1.7, 3.0), room.reach)
    side += 0.2 + depth
    back = max(back, float(cameras[:, 1].max()) + 0.4 + depth)
    height = max(random.uniform(2.2, 4.0), float(cameras[:, 2].max()) + 0.2)
    near = float(cameras[:, 1].min()) - (random.uniform(0.5, 3) if closed else 6)
    shadow = not closed and lit_by not in ("hard", "window") and random.random() < 0.6
    material = textured("wall", builder.wide(), roughness=random.uniform(0.4, 0.95))
    tile = random.uniform(0.6, 2.5)
    low, far = floor, side if closed else side + 4
    sheets = [[(-far, back, low), (far, back, low), (far, back, height), (-far, back, height)]]
    stretches = [_Wall(0, back, side * 0.8, floor, height)]
    count = 4 if closed else int(random.integers(1, 4))
    if count > 1:
        sheets.append([(side, back, low), (side, near, low), (side, near, height), (side, back, height)])
        stretches.append(_Wall(-90, side, back * 0.7, floor, height))
    if count > 2:
        sheets.append([(-side, near, low), (-side, back, low), (-side, back, height), (-side, near, height)])
        stretches.append(_Wall(90, side, back * 0.7, floor, height))
    if closed:
        sheets.append([(side, near, low), (-side, near, low), (-side, near, height), (side, near, height)])
        top = [(-side, near, height), (-side, back, height), (side, back, height), (side, near, height)]
        ceiling = textured("ceiling", plain(random, 128, light_colour(random)), roughness=0.9)
        builder.add("ceiling", sheet(top, tile), ceiling, shadow=False)
    for i, corners in enumerate(sheets):
        builder.add(f"wall {i}", sheet(corners, tile), material, shadow=shadow)
    if random.random() < 0.5:
        board = rounded_box((2 * far, 0.03, random.uniform(0.06, 0.15)), 0.006)
        look = textured("skirting", texture(random, builder.split, 64), roughness=0.6)
        builder.add("skirting", moved(board, (0, back - 0.015, floor + 0.05)), look)
    for i in range(int(random.integers(0, 3))):
        _hang_picture(builder, back, side, 0.03 if i == 0 else random.uniform(0.02, 0.2))
    if furnished:
        for wall in stretches:
            _furnish_wall(builder, wall)


def _hang_picture(builder: Builder, back: float, side: float, depth: float) -> None:
    """Add a picture, a window or a box ``depth`` metres deep to the back wall."""
    random = builder.random
    w, h = random.uniform(0.3, 1.2, size=2)
    at = (random.uniform(-0.6, 0.6) * side, back - depth / 2, random.uniform(0.2, 1.3) + h / 2)
    art = moved(fronted(rounded_box((w, depth, h), 0.005), w, h), at)
    if random.random() < 0.3:
        builder.add("window", art, glowing("window", panorama(random, 256, 192), random.uniform(0.8, 2)))
    else:
        builder.add("picture", art, textured("picture", texture(random, builder.split, 256), roughness=0.5))


def _furnish_wall(builder: Builder, wall: _Wall) -> None:
    """Put one to three pieces of furniture side by side at a wall."""
    random = builder.random
    at = -wall.reach
    for _ in range(int(random.integers(1, 4))):
        width = random.uniform(0.5, 1.4)
        at += random.uniform(0.0, 0.6)
        if at + width > wall.reach:
            break
        piece = (_cupboard, _shelf, _curtain)[int(random.choice(3, p=[0.4, 0.35, 0.25]))]
        piece(builder, wall, at + width / 2, width)
        at += width


def _look(builder: Builder, name: str) -> bpy.types.Material:
    """Return a material for furniture: plain or any texture."""
    random = builder.random
    picture = plain(random, 64) if random.random() < 0.4 else builder.wide(256)
    return textured(name, picture, roughness=random.uniform(0.25, 0.9))


def _cupboard(builder: Builder, wall: _Wall, across: float, width: float) -> None:
    """Add a block with doors or drawers and their knobs."""
    random = builder.random
    depth, height = random.uniform(0.2, FURNITURE_DEPTH), random.uniform(0.5, 2.0)
    body = moved(fronted(rounded_box((width, depth, height), 0.01), 1, 1), (0, -depth / 2, height / 2))
    builder.add("cupboard", wall.place(body, across), _look(builder, "cupboard"))
    columns, rows = int(random.integers(1, 4)), int(random.integers(1, 5))
    w, h = width / columns, height / rows
    doors, knobs = [], []
    for i in range(columns):
        for j in range(rows):
            middle = np.array(((i + 0.5) * w - width / 2, -depth - 0.005, (j + 0.5) * h))
            doors.append(moved(rounded_box((w - 0.02, 0.02, h - 0.02), 0.004, 1), middle))
            knobs.append(moved(rounded_box(0.025, 0.006, 1), middle + np.array((w * 0.35, -0.02, 0))))
    builder.add("doors", wall.place(joined(doors), across), _look(builder, "doors"))
    builder.add("knobs", wall.place(joined(knobs), across), _look(builder, "knobs"))


def _shelf(builder: Builder, wall: _Wall, across: float, width: float) -> None:
    """Add an open shelf with rows of books or boxes."""
    random = builder.random
    depth, rows, step = random.uniform(0.2, 0.35), int(random.integers(2, 6)), random.uniform(0.25, 0.4)
    high = rows * step
    boards = [
        moved(rounded_box((width, depth, 0.02), 0.002, 1), (0, -depth / 2, k * step)) for k in range(rows + 1)
    ]
    boards += [
        moved(rounded_box((0.02, depth, high + 0.02), 0.002, 1), (x, -depth / 2, high / 2))
        for x in (-width / 2, width / 2)
    ]
    builder.add("shelf", wall.place(joined(boards), across), _look(builder, "shelf"))
    books = []
    for k in range(rows):
        x = -width / 2 + 0.02
        while random.random() < 0.95:
            thick, tall = random.uniform(0.015, 0.08), step * random.uniform(0.5, 0.9)
            if x + thick > width / 2 - 0.02:
                break
            deep = depth * random.uniform(0.5, 0.9)
            middle = (x + thick / 2, -deep / 2, k * step + 0.01 + tall / 2)
            books.append(moved(rounded_box((thick, deep, tall), 0.002, 1), middle))
            x += thick + (random.uniform(0, 0.15) if random.random() < 0.15 else 0.001)
    if books:
        picture = texture(random, builder.split, 256, decals=False)
        builder.add("books", wall.place(joined(books), across), textured("books", picture, roughness=0.6))


def _curtain(builder: Builder, wall: _Wall, across: float, width: float) -> None:
    """Add a wavy curtain, striped, patterned or plain."""
    random = builder.random
    height = wall.height - wall.floor
    x = np.linspace(-width / 2, width / 2, 60)
    folds = np.sin(x * random.uniform(25, 60) + random.uniform(0, 6)) * random.uniform(0.015, 0.05)
    foot = np.stack([x, folds - 0.1, np.zeros(60)], axis=1)
    cloth = grid(np.stack([foot, foot + np.array((0, 0, height))]), wrap=False, repeats=(width, height))
    builder.add("curtain", wall.place(cloth, across), _look(builder, "curtain"))


def backdrop(builder: Builder) -> None:
    """Build far hills under a sky, all around."""
    random = builder.random
    dome = lathe([(14.0, -0.9), (14.0, 9.0)], 48)
    assert dome.uv is not None
    inward = Surface(
        dome.vertices,
        tuple(face[::-1] for face in dome.faces),
        dome.uv.reshape(-1, 4, 2)[:, ::-1].reshape(-1, 2),
    )
    look = glowing("backdrop", panorama(random, 1536, 384), random.uniform(0.6, 1.3))
    builder.add("backdrop", inward, look)
