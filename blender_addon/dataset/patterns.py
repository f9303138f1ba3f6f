"""Baked textures: fine, asymmetric patterns as numpy pictures.

Cycles takes two to three times as long when it evaluates procedural shader nodes; a picture costs nothing.
All pictures are (H, W, 3) float in [0, 1], sRGB, the first row on top. Most repeat without a seam.
"""

from __future__ import annotations

import colorsys
import importlib.util
import math
import string
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .streams import Random

Texture = NDArray[np.float64]
"""(height, width, 3) sRGB in [0, 1], the first row on top; or one channel (height, width)."""

PHOTO_NAMES = {
    "train": ("brick.png", "gravel.png", "hubble_deep_field.jpg", "ihc.png", "retina.jpg", "page.png"),
    "validation": ("grass.png", "coins.png"),
    "test": ("moon.png", "text.png"),
}
"""Material photos that scikit-image bundles, by split. Its everyday photos are kept for testing only."""


def noise(
    random: Random, side: int, slope: float, low: float = 1.0, *, stretch: float = 1.0, angle: float = 0.0
) -> Texture:
    """Return seamless noise (side, side) in [0, 1] with a power spectrum f**-slope above ``low`` cycles.

    Its features are ``stretch`` times as long as wide, along a direction ``angle`` radians from X.
    """
    fx, fy = np.fft.rfftfreq(side)[None] * side, np.fft.fftfreq(side)[:, None] * side
    c, s = math.cos(angle), math.sin(angle)
    frequency = np.hypot((fx * c + fy * s) * stretch, fy * c - fx * s) if stretch != 1 else np.hypot(fy, fx)
    weight = np.where(frequency >= low, np.maximum(frequency, 1) ** (-slope), 0.0)
    phase = random.uniform(0, 2 * math.pi, weight.shape)
    field = np.fft.irfft2(weight * np.exp(1j * phase), s=(side, side))
    field = (field - field.mean()) / max(float(field.std()), 1e-12)
    return np.clip(field / 5 + 0.5, 0, 1)


def colour(random: Random, *, vivid: float = 0.5) -> NDArray[np.float64]:
    """Return a random sRGB colour (3,); ``vivid`` in [0, 1] raises its mean saturation."""
    saturation = random.beta(1.2 + 2 * vivid, 2.2)
    value = random.beta(3.0, 1.8) * 0.85 + 0.1
    return np.array(colorsys.hsv_to_rgb(random.random(), saturation, value))


def palette(random: Random, count: int) -> NDArray[np.float64]:
    """Return ``count`` sRGB colours (count, 3), the first two of distinct lightness.

    A part of the palettes keeps to the browns, beiges and greys that rooms are made of.
    """
    vivid = float(random.choice([0.0, 0.3, 0.7]))
    colours = np.stack([colour(random, vivid=vivid) for _ in range(count)])
    if random.random() < 0.4:
        colours = earthen(random, count)
    if count > 1 and np.ptp(colours[:2].mean(axis=1)) < 0.2:
        colours[1] = np.clip(colours[1] * 0.4 if colours[0].mean() > 0.4 else 0.6 + colours[1] * 0.4, 0, 1)
    return colours


def earthen(random: Random, count: int) -> NDArray[np.float64]:
    """Return ``count`` browns, beiges and greys (count, 3), of any lightness."""
    hues, saturations = random.normal(0.08, 0.03, count) % 1, random.beta(1.5, 3, count) * 0.8
    values = random.uniform(0.15, 0.95, count)
    return np.array([colorsys.hsv_to_rgb(*hsv) for hsv in zip(hues, saturations, values, strict=True)])


def unit_grid(side: int) -> tuple[Texture, Texture]:
    """Return the x and y (side, side) of pixel centres, both in (0, 1)."""
    line = (np.arange(side) + 0.5) / side
    return np.broadcast_to(line, (side, side)), np.broadcast_to(line[:, None], (side, side))


def blended(weight: Texture, colours: NDArray[np.float64]) -> Texture:
    """Blend colours (N, 3) by a weight in [0, 1] running through them."""
    steps = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(weight, steps, colours[:, c]) for c in range(3)], axis=-1)


def _sharp(weight: Texture, edge: float = 0.02) -> Texture:
    return np.clip((weight - 0.5) / edge + 0.5, 0, 1)


def _blotches(random: Random, side: int, colours: Texture) -> Texture:
    field = noise(random, side, random.uniform(1.6, 2.6), random.uniform(1, 4))
    sharp = random.uniform(0.02, 0.5)
    return blended(_sharp(field, sharp), colours)


def _stripes(random: Random, side: int, colours: Texture) -> Texture:
    x, y = unit_grid(side)
    a, b = int(random.integers(-6, 7)), int(random.integers(1, 7))
    wave = a * x + b * y + random.uniform(0, 0.6) * noise(random, side, 2.2, 1)
    duty = random.uniform(-0.6, 0.6)
    return blended(
        np.clip((np.sin(2 * math.pi * wave) + duty) * random.uniform(1, 12) * 0.5 + 0.5, 0, 1), colours
    )


def _checks(random: Random, side: int, colours: Texture) -> Texture:
    x, y = unit_grid(side)
    a, b = random.integers(2, 8, size=2)
    cells = random.random((b, a))
    picked = cells[(y * b).astype(int), (x * a).astype(int)]
    if random.random() < 0.4:
        picked = ((np.floor(x * a) + np.floor(y * b)) % 2) * 0.8 + picked * 0.2
    return blended(picked, colours)


def _plaid(random: Random, side: int, colours: Texture) -> Texture:
    lines = []
    for _ in range(2):
        widths = random.random(int(random.integers(4, 12)))
        lines.append(np.repeat(widths, math.ceil(side / len(widths)))[:side])
    return blended(lines[0][None] * 0.5 + lines[1][:, None] * 0.5, colours)


def _dots(random: Random, side: int, colours: Texture) -> Texture:
    x, y = unit_grid(side)
    field = np.zeros((side, side))
    for _ in range(int(random.integers(8, 40))):
        cx, cy, radius = random.random(), random.random(), random.uniform(0.02, 0.11)
        dx, dy = np.abs(x - cx), np.abs(y - cy)
        distance = np.hypot(np.minimum(dx, 1 - dx), np.minimum(dy, 1 - dy))
        field = np.where(distance < radius, random.uniform(0.4, 1), field)
    return blended(field, colours)


def _wood(random: Random, side: int, colours: Texture) -> Texture:
    x, y = unit_grid(side)
    planks = int(random.integers(1, 6))
    index = np.floor(y * planks).astype(int)
    shift = random.random(planks)[index]
    grain = noise(random, side, 1.4, 2)
    grain = np.roll(np.repeat(grain[:, :: max(1, side // 32)], side // 32, axis=1)[:, :side], 0, axis=1)
    rings = np.sin(
        2
        * math.pi
        * (
            y * planks * 2.3
            + shift * 3
            + 1.2 * noise(random, side, 2.4, 1)
            + 0.15 * np.sin(2 * math.pi * (x + shift))
        )
    )
    base = np.array([random.uniform(0.45, 0.85), 0, 0])
    base[1], base[2] = base[0] * random.uniform(0.6, 0.9), base[0] * random.uniform(0.3, 0.8)
    if random.random() < 0.3:  # stained or painted
        base = colours[0]
    picture = base * (0.72 + 0.16 * rings + 0.35 * (grain - 0.5) + 0.25 * (shift - 0.5))[..., None]
    gap = (y * planks) % 1 < 0.02 * planks / 2
    return np.where(gap[..., None] & (planks > 1), picture * 0.4, picture)


def _tiles(random: Random, side: int, colours: Texture) -> Texture:
    x, y = unit_grid(side)
    a, b = random.integers(2, 6, size=2)
    row = np.floor(y * b)
    offset = (row % 2) * (0.5 if random.random() < 0.5 else 0.0)
    u, v = (x * a + offset) % 1, (y * b) % 1
    shade = random.random((b, a))[row.astype(int), (x * a + offset).astype(int) % a]
    joint = np.minimum(np.minimum(u, 1 - u) / a, np.minimum(v, 1 - v) / b) * side < random.uniform(1.5, 4)
    tile = colours[0] * (0.75 + 0.35 * shade)[..., None]
    return np.where(joint[..., None], colours[-1], tile)


def marble(random: Random, side: int, colours: Texture) -> Texture:
    """Return polished stone: from the first colour in its veins to the last between them."""
    x, y = unit_grid(side)
    warp = noise(random, side, 1.9, 1)
    veins = np.abs(np.sin(2 * math.pi * (int(random.integers(1, 4)) * x + y + random.uniform(1, 3) * warp)))
    return blended(veins ** random.uniform(0.2, 1.5), colours)


def _plain(random: Random, side: int, colours: Texture) -> Texture:
    x, y = unit_grid(side)
    slope = np.sin(2 * math.pi * (x * random.integers(0, 2) + y + random.random())) * random.uniform(0, 0.15)
    return colours[0] * (1 + slope)[..., None]


PATTERNS: tuple[Callable[[Random, int, Texture], Texture], ...] = (
    _blotches,
    _stripes,
    _checks,
    _plaid,
    _dots,
    _wood,
    _tiles,
    marble,
    _plain,
)


@lru_cache(maxsize=16)
def _photo_file(name: str) -> Texture | None:
    """Return a bundled photo as a square picture, or None where scikit-image does not bundle it."""
    from PIL import Image

    spec = importlib.util.find_spec("skimage")  # finds it without the slow import
    path = Path(spec.origin).parent / "data" / name if spec and spec.origin else None
    if path is None or not path.is_file():
        return None
    with Image.open(path) as file:
        image = file.convert("RGB")
    side = min(image.size)
    image = image.crop((0, 0, side, side)).resize((512, 512), Image.Resampling.LANCZOS)
    return np.asarray(image, dtype=np.float64) / 255


def _photo(random: Random, split: str, side: int) -> Texture | None:
    """Return a crop of a material photo, turned, recoloured; None where scikit-image is missing."""
    from PIL import Image

    source = _photo_file(str(random.choice(PHOTO_NAMES[split])))
    if source is None:
        return None
    size = int(random.integers(160, 512))
    x, y = random.integers(0, 513 - size, size=2)
    crop = np.rot90(source[y : y + size, x : x + size], int(random.integers(4)))
    picture = (
        np.asarray(
            Image.fromarray((crop * 255).astype(np.uint8)).resize((side, side), Image.Resampling.BICUBIC),
            np.float64,
        )
        / 255
    )
    grey = picture.mean(axis=-1)
    grey = (grey - grey.min()) / max(float(np.ptp(grey)), 1e-6)
    if random.random() < 0.6:
        return blended(grey, palette(random, 2))
    return np.clip(picture * random.uniform(0.7, 1.3, size=3), 0, 1)


def _decals(random: Random, picture: Texture, count: int) -> Texture:
    """Print words, letters and shapes onto a picture."""
    from PIL import Image, ImageDraw, ImageFont

    side = picture.shape[0]
    image = Image.fromarray((np.clip(picture, 0, 1) * 255).astype(np.uint8))
    for _ in range(count):
        ink = tuple(int(v * 255) for v in colour(random, vivid=0.9))
        kind = int(random.integers(5))
        width = int(side * random.uniform(0.12, 0.45))
        stamp = Image.new("L", (width, width), 0)
        draw = ImageDraw.Draw(stamp)
        if kind <= 2:
            word = "".join(
                random.choice(list(string.ascii_letters + string.digits))
                for _ in range(random.integers(1, 6))
            )
            size = max(8, int(width / max(1.0, 0.62 * len(word))))
            draw.text(
                (width / 2, width / 2), word, fill=255, anchor="mm", font=ImageFont.load_default(size=size)
            )
        elif kind == 3:
            corners = random.uniform(0, width, size=(int(random.integers(3, 6)), 2))
            draw.polygon([tuple(p) for p in corners], fill=255)
        else:
            draw.ellipse((2, width * 0.2, width - 2, width * 0.8), fill=255)
            draw.ellipse((width * 0.25, width * 0.35, width * 0.6, width * 0.65), fill=0)
        stamp = stamp.rotate(float(random.choice([0, 0, 90, 180, 270, 20, -35])), expand=True)
        left, top = (int(v) for v in random.uniform(0, side - width, size=2))
        image.paste(ink, (left, top), stamp)
    return np.asarray(image, dtype=np.float64) / 255


def texture(
    random: Random,
    split: str,
    side: int,
    *,
    decals: bool = True,
    fixed: Texture | None = None,
    photos: float = 0.16,
) -> Texture:
    """Return a random texture (side, side, 3).

    Args:
        random: the stream.
        split: decides which material photos may occur.
        side: pixels.
        decals: whether words and shapes may be printed on it.
        fixed: colours (N, 3) to use instead of random ones.
        photos: how often a material photo is taken instead of a pattern.
    """
    colours = palette(random, int(random.integers(2, 5))) if fixed is None else fixed
    photo = _photo(random, split, side) if random.random() < photos else None
    if photo is not None:
        picture = photo
    else:
        picture = PATTERNS[int(random.integers(len(PATTERNS)))](random, side, colours)
        if random.random() < 0.25:
            other = PATTERNS[int(random.integers(len(PATTERNS)))](random, side, palette(random, 2))
            share: Texture = _sharp(noise(random, side, 2.4, 1), 0.1)[..., None] * random.uniform(0.4, 1)
            picture = picture * (1 - share) + other * share
    fine = noise(random, side, random.uniform(0.6, 1.5), 3) - 0.5
    coarse = noise(random, side, 2.2, 1) - 0.5
    picture = picture * (1 + fine * random.uniform(0.08, 0.6) + coarse * random.uniform(0.05, 0.6))[..., None]
    if decals and random.random() < 0.55:
        picture = _decals(random, picture, int(random.integers(1, 6)))
    return np.clip(picture, 0.02, 0.95)


def label(random: Random, split: str, side: int) -> Texture:
    """Return a label: a bright or dark ground with words, shapes and a border."""
    ground = palette(random, 2)
    picture = texture(random, split, side, decals=False, fixed=ground) * 0.25 + ground[0] * 0.75
    if random.random() < 0.6:
        edge = int(side * random.uniform(0.02, 0.08))
        framed = np.broadcast_to(ground[1], picture.shape).copy()
        framed[edge:-edge, edge:-edge] = picture[edge:-edge, edge:-edge]
        picture = framed
    return np.clip(_decals(random, picture, int(random.integers(3, 9))), 0.02, 0.95)


def panorama(random: Random, width: int, height: int) -> Texture:
    """Return a far backdrop (height, width, 3): hazy ridges under a shaded sky."""
    x = np.arange(width)
    rows = np.linspace(1, 0, height)[:, None]
    low, high = colour(random, vivid=0.2) * 0.4 + 0.45, colour(random, vivid=0.5) * 0.5 + 0.3
    sky = low + (high - low) * np.clip(rows, 0, 1)[..., None]
    side = 256
    cloud = noise(random, side, 1.8, 2)
    cloud = cloud[np.ix_((np.arange(height) * side // height) % side, (x * side * 4 // width) % side)]
    picture = sky + random.uniform(0, 0.5) * np.clip(cloud - 0.5, 0, 1)[..., None]
    for i in range(int(random.integers(1, 5))):
        line = sum(
            random.uniform(0.2, 1) / k * np.sin(2 * math.pi * k * x / width + random.uniform(0, 6))
            for k in (2, 5, 9, 17, 40)
        )
        ridge = 0.5 - 0.1 * i + 0.06 * line
        ink = colour(random, vivid=0.3) * (0.4 + 0.5 * cloud[..., None])
        haze = 0.55 - 0.13 * i
        picture = np.where((rows < ridge)[..., None], ink * (1 - haze) + low * haze, picture)
    return np.clip(picture, 0.02, 0.95)
