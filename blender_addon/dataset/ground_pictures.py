"""Ground pictures: what floors, tables and lawns are covered with, as seamless textures."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .patterns import Texture, blended, earthen, marble, noise, palette, texture, unit_grid
from .plain_pictures import light_colour, plain
from .streams import Random

Colours = NDArray[np.float64]


@dataclass(frozen=True)
class Ground:
    """The look of a ground.

    Attributes:
        kind: its name in :data:`GROUNDS`.
        picture: its seamless texture.
        roughness: of its surface.
        size: of one repeat of the texture, as a multiple of the radius that the objects stand on.
    """

    kind: str
    picture: Texture
    roughness: float
    size: float


def ground(random: Random, split: str, side: int = 512) -> Ground:
    """Return a random ground, its kind drawn by the shares of :data:`GROUNDS`."""
    shares = np.array([share for share, _, _ in GROUNDS.values()])
    kind = str(random.choice(list(GROUNDS), p=shares / shares.sum()))
    _, paint, (low, high) = GROUNDS[kind]
    rough = 1 - 0.75 * random.random() ** 2 if kind not in MATTE else random.uniform(0.75, 1.0)
    return Ground(kind, np.clip(paint(random, split, side), 0.02, 0.95), rough, random.uniform(low, high))


def mixed(random: Random, split: str, side: int) -> Texture:
    """Return any texture of an object, calmer, mostly of earthen colours."""
    shades = earthen(random, 3) if random.random() < 0.55 else None
    picture = texture(random, split, side, decals=False, fixed=shades, photos=0.35)
    calm = random.uniform(0.35, 1.0)
    return picture * calm + picture.mean(axis=(0, 1)) * (1 - calm)


def _plain(random: Random, split: str, side: int) -> Texture:
    return plain(random, side // 2)


def _tiles(random: Random, split: str, side: int) -> Texture:
    """Square or long tiles, of one colour or of two in turn, with joints."""
    x, y = unit_grid(side)
    rows = 2 * int(random.integers(1, 5))
    columns = rows if random.random() < 0.7 else max(2, rows // 2)
    u, v = x * columns, y * rows
    if columns != rows:
        u = (u + 0.5 * (np.floor(v) % 2)) % columns
    i, j = u.astype(int), v.astype(int)
    colours = _calm(random, 2) if random.random() < 0.75 else palette(random, 2)
    odd = ((i + j) % 2 if columns == rows and random.random() < 0.4 else np.zeros_like(i)).astype(bool)
    tile = np.where(odd[..., None], colours[1], colours[0])
    shade = random.uniform(-1, 1, (rows, columns))[j, i] * random.uniform(0.0, 0.15)
    cloud = (noise(random, side, 2.0, 2) - 0.5) * random.uniform(0.0, 0.5)
    edge = np.minimum(np.minimum(u % 1, 1 - u % 1) / columns, np.minimum(v % 1, 1 - v % 1) / rows)
    joint = edge < random.uniform(0.002, 0.008)
    mortar = np.full(3, random.uniform(0.15, 0.85))
    return np.where(joint[..., None], mortar, tile * (1 + shade + cloud)[..., None])


def _planks(random: Random, split: str, side: int) -> Texture:
    """Boards of wood side by side, their ends staggered."""
    x, y = unit_grid(side)
    rows, long = int(random.integers(4, 11)), int(random.integers(1, 3))
    j = (y * rows).astype(int)
    along = (x * long + random.random(rows)[j]) % long
    board = random.uniform(-1, 1, (rows, long))[j, along.astype(int)]
    picture = _wood_colour(random) * (_grain(random, side) + board * random.uniform(0.03, 0.25))[..., None]
    gap = np.minimum((y * rows) % 1, 1 - (y * rows) % 1) / rows < random.uniform(0.001, 0.003)
    gap |= np.minimum(along % 1, 1 - along % 1) / long < 0.0015
    return np.where(gap[..., None], picture * random.uniform(0.25, 0.7), picture)


def _wood(random: Random, split: str, side: int) -> Texture:
    """One wide board: a table's top."""
    return _wood_colour(random) * _grain(random, side)[..., None]


def _wood_colour(random: Random) -> Colours:
    value = random.uniform(0.2, 0.85)
    red = random.uniform(0.6, 0.95)
    return value * np.array([1.0, red, red * random.uniform(0.55, 0.95)])


def _grain(random: Random, side: int) -> Texture:
    """Return the shade of wood (side, side), about 1, whose fibres run along X."""
    _, y = unit_grid(side)
    bend = noise(random, side, 2.4, 1, stretch=random.uniform(3, 8))
    rings = np.sin(2 * math.pi * (int(random.integers(2, 9)) * y + random.uniform(1, 5) * bend))
    fibre = noise(random, side, 0.9, 4, stretch=random.uniform(12, 40)) - 0.5
    return 1 + rings * random.uniform(0.02, 0.12) + fibre * random.uniform(0.15, 0.6)


def _cloth(random: Random, split: str, side: int) -> Texture:
    """Striped or checked cloth with a weave."""
    x, y = unit_grid(side)
    colours = palette(random, 3)
    if random.random() < 0.4:
        colours = np.stack([light_colour(random), *_calm(random, 2)])
    count = int(random.integers(2, 9))
    widths = np.cumsum(random.uniform(0.3, 1.0, int(random.integers(2, 6))))
    shades = random.random(len(widths))
    shades[:2] = (0.0, 1.0)

    def bars(line: Texture) -> Texture:
        return shades[np.searchsorted(widths / widths[-1], (line * count) % 1, side="right") % len(widths)]

    weight = bars(x) if random.random() < 0.45 else (bars(x) + bars(y)) / 2
    thread = noise(random, side, 0.3, 20) - 0.5
    folds = noise(random, side, 2.6, 1) - 0.5
    shade = 1 + thread * random.uniform(0.05, 0.4) + folds * random.uniform(0.0, 0.3)
    return blended(weight, colours) * shade[..., None]


def _gravel(random: Random, split: str, side: int) -> Texture:
    """Stones, from grit to cobbles, each of its own shade, dark between them."""
    near, gap, cell = _cells(random, side, int(random.integers(10, 40)))
    colours = _calm(random, 3)
    stones = blended(random.random(int(cell.max()) + 1)[cell], colours)
    round_shade = np.clip(gap * random.uniform(2, 6), 0.0, 1.0) * (1.1 - random.uniform(0.2, 0.7) * near)
    rough = noise(random, side, 0.8, 4) - 0.5
    return stones * (round_shade * (1 + rough * random.uniform(0.1, 0.5)) + 0.15)[..., None]


def _terrazzo(random: Random, split: str, side: int) -> Texture:
    """Chips strewn in a plain ground."""
    near, _, cell = _cells(random, side, int(random.integers(12, 30)))
    size = random.uniform(0.0, random.uniform(0.25, 0.6), int(cell.max()) + 1)[cell]
    chips = blended(random.random(int(cell.max()) + 1)[cell], palette(random, 3))
    return np.where((near < size)[..., None], chips, plain(random, side))


def _grass(random: Random, split: str, side: int) -> Texture:
    """Blades in a few directions, of greens or of dry yellows."""
    layers = [
        noise(random, side, 0.7, 6, stretch=random.uniform(3, 9), angle=a) for a in random.uniform(0, 3, 3)
    ]
    blades = np.max(layers, axis=0)
    dark = np.array([random.uniform(0.05, 0.2), random.uniform(0.12, 0.3), random.uniform(0.02, 0.12)])
    bright = np.array([random.uniform(0.35, 0.75), random.uniform(0.5, 0.75), random.uniform(0.1, 0.35)])
    weight = np.clip((blades - 0.4) * 2.5 + (noise(random, side, 2.2, 1) - 0.5) * 0.5, 0, 1)
    return blended(weight, np.stack([dark, bright]))


def _asphalt(random: Random, split: str, side: int) -> Texture:
    """Asphalt, sand, earth or a carpet: a fine grain of one colour over wide stains."""
    grain = noise(random, side, random.uniform(0.0, 0.7), 4) - 0.5
    stains = noise(random, side, 1.8, 1) - 0.5
    shade = 1 + grain * random.uniform(0.3, 1.0) + stains * random.uniform(0.1, 0.6)
    return _calm(random, 1)[0] * shade[..., None]


def _marble(random: Random, split: str, side: int) -> Texture:
    """Polished stone with veins, mostly light."""
    first = light_colour(random) if random.random() < 0.6 else _calm(random, 1)[0]
    vein = first * random.uniform(0.25, 0.8)
    picture = marble(random, side, np.stack([vein, first, first]))
    cloud = noise(random, side, 2.0, 2) - 0.5
    return picture * (1 + cloud * random.uniform(0.0, 0.4))[..., None]


def _calm(random: Random, count: int) -> Colours:
    """Return ``count`` earthen or grey colours (count, 3)."""
    if random.random() < 0.6:
        return earthen(random, count)
    return random.uniform(0.1, 0.9, (count, 1)) * random.uniform(0.92, 1.0, (count, 3))


def _cells(random: Random, side: int, count: int) -> tuple[Texture, Texture, NDArray[np.int64]]:
    """Split a seamless square into about ``count`` x ``count`` cells around random points.

    Returns:
        For each pixel (side, side): the distance to its point and how much farther the second nearest point
        is, both in cells, and the number of its cell.
    """
    x, y = unit_grid(side)
    jitter = random.uniform(-0.45, 0.45, (count, count, 2))
    u, v = x * count, y * count
    i, j = u.astype(int), v.astype(int)
    first, second = np.full((side, side), np.inf), np.full((side, side), np.inf)
    cell = np.zeros((side, side), dtype=np.int64)
    for di in (-1, 0, 1):
        for dj in (-1, 0, 1):
            a, b = (i + di) % count, (j + dj) % count
            away = np.hypot(i + di + 0.5 + jitter[b, a, 0] - u, j + dj + 0.5 + jitter[b, a, 1] - v)
            nearer = away < first
            second = np.where(nearer, first, np.minimum(second, away))
            first, cell = np.where(nearer, away, first), np.where(nearer, b * count + a, cell)
    return first, second - first, cell


Painter = Callable[[Random, str, int], Texture]

GROUNDS: dict[str, tuple[float, Painter, tuple[float, float]]] = {
    "mixed": (0.26, mixed, (1.2, 4.0)),
    "plain": (0.18, _plain, (2.0, 6.0)),
    "tiles": (0.1, _tiles, (1.0, 4.0)),
    "planks": (0.1, _planks, (1.5, 4.0)),
    "wood": (0.07, _wood, (1.5, 4.0)),
    "cloth": (0.08, _cloth, (0.8, 3.0)),
    "gravel": (0.05, _gravel, (1.0, 3.5)),
    "terrazzo": (0.03, _terrazzo, (1.0, 3.0)),
    "grass": (0.04, _grass, (1.0, 3.0)),
    "asphalt": (0.05, _asphalt, (1.0, 3.0)),
    "marble": (0.04, _marble, (2.0, 5.0)),
}
"""The kinds of ground: how often each is drawn, what paints it, and the range of its size (see Ground)."""

MATTE = ("cloth", "gravel", "grass", "asphalt")
"""The kinds that never shine."""
