"""Contact sheets: scenes at a glance, with their boxes drawn over the pictures."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from na_core.data.labels import FrameLabels
from na_core.data.scenes import Scene, scenes
from na_core.geometry.boxes import project_boxes
from na_core.scene import Box, Camera

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

Colour = tuple[int, int, int]

WHITE: Colour = (255, 255, 255)

EDGES = tuple((a, a ^ bit) for a in range(8) for bit in (1, 2, 4) if a < a ^ bit)
"""The twelve edges of a box as pairs of corner indices."""

FRONT_EDGES = frozenset(edge for edge in EDGES if not (edge[0] & 2 or edge[1] & 2))
"""Those around the face towards local -Y, drawn thicker."""


def contact_sheet(
    place: str | Path,
    out: str | Path,
    limit: int = 16,
    *,
    frames: int | None = None,
    seed: int = 0,
    labels: bool = True,
    side: int = 256,
) -> Path:
    """Write a picture of scenes, a row each, a column for each frame; or of random frames. Return its path.

    Args:
        place: a data set, one of its splits, a single scene, or a shard.
        out: the picture to write; its suffix says the format.
        limit: how many scenes at most, evenly spread over the data set.
        frames: how many random frames to show instead, in a grid that is nearly square.
        seed: of their choice; see :func:`random_frames`.
        labels: whether 3D boxes (front face thick), 2D boxes, numbers and visible shares are drawn.
        side: pixels of the longer side of each picture on the sheet.

    Raises:
        FileNotFoundError: there is no complete scene.
    """
    found = [scene for scene in scenes(place) if scene.labels.frames]
    if not found:
        raise FileNotFoundError(f"{place}: no complete scene here")
    if frames is None:
        picked = {int(v) for v in np.linspace(0, len(found) - 1, min(limit, len(found)))}
        rows = [[(found[i], k) for k in range(len(found[i].labels.frames))] for i in sorted(picked)]
    else:
        chosen = random_frames(found, frames, seed)
        columns = math.ceil(math.sqrt(len(chosen)))
        rows = [chosen[i : i + columns] for i in range(0, len(chosen), columns)]
    sheet = laid_out([[_cell(scene, k, side, labels) for scene, k in row] for row in rows])
    target = Path(out)
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(target)
    return target


def random_frames(found: Sequence[Scene], count: int, seed: int) -> list[tuple[Scene, int]]:
    """Draw so many different frames of scenes, or all: the same seed draws the same.

    No scene gives another one before every scene has given one.
    """
    random = np.random.default_rng(seed)
    orders = [random.permutation(len(scene.labels.frames)) for scene in found]
    drawn: list[tuple[Scene, int]] = []
    for turn in range(max(len(order) for order in orders)):
        for i in random.permutation(len(found)):
            if turn < len(orders[i]):
                drawn.append((found[i], int(orders[i][turn])))
    return drawn[:count]


def laid_out(rows: Sequence[Sequence[Image.Image]]) -> Image.Image:
    """Return one picture that shows rows of pictures below each other, on dark grey."""
    from PIL import Image

    width = max(sum(cell.width for cell in row) for row in rows)
    height = sum(max(cell.height for cell in row) for row in rows)
    sheet = Image.new("RGB", (width, height), (24, 24, 24))
    y = 0
    for row in rows:
        x = 0
        for cell in row:
            sheet.paste(cell, (x, y))
            x += cell.width
        y += max(cell.height for cell in row)
    return sheet


def _cell(scene: Scene, frame: int, side: int, labels: bool) -> Image.Image:
    from PIL import Image, ImageDraw, ImageOps

    image = ImageOps.contain(Image.fromarray(scene.picture(frame)), (side, side))
    if labels:
        draw_labels(image, scene.labels.frames[frame])
        _write(ImageDraw.Draw(image), 2, 1, f"{scene.name}/{frame}", WHITE)
    return image


def colour_of(index: int) -> Colour:
    """Return the colour (r, g, b) in 0..255 that stands for object ``index``."""
    r, g, b = colorsys.hsv_to_rgb(index * 0.381966 % 1, 0.85, 1.0)
    return int(r * 255), int(g * 255), int(b * 255)


def draw_boxes(image: Image.Image, camera: Camera, boxes: Sequence[Box | None]) -> None:
    """Draw 3D boxes on what a camera took, each in its colour; front faces are thick."""
    from PIL import ImageDraw

    draw = ImageDraw.Draw(image)
    for i, box in enumerate(boxes):
        if box is None:
            continue
        corners = project_boxes([camera], box.world_from_box[None])[0, 0]
        points = corners[:, :2] * image.size - 0.5
        for a, b in EDGES:
            if corners[a, 2] > 0 and corners[b, 2] > 0:
                thick = 3 if (a, b) in FRONT_EDGES else 1
                draw.line([tuple(points[a]), tuple(points[b])], fill=colour_of(i), width=thick)


def draw_labels(image: Image.Image, frame: FrameLabels) -> None:
    """Draw a frame's boxes, visible bounds, object numbers and visible shares on its picture.

    Numbers come last, so that no object's bounds cross them.
    """
    from PIL import ImageDraw

    draw_boxes(image, frame.camera, frame.boxes)
    draw, (width, height) = ImageDraw.Draw(image), image.size
    titles = []
    for i, (x0, y0, x1, y1) in enumerate(frame.boxes_2d):
        if frame.boxes[i] is not None and x1 > x0 and y1 > y0:
            draw.rectangle((x0 * width, y0 * height, x1 * width - 1, y1 * height - 1), outline=WHITE)
            titles.append((x0 * width + 2, y0 * height + 1, f"{i + 1} {frame.visible[i]:.0%}", colour_of(i)))
    for x, y, text, ink in titles:
        _write(draw, min(x, width - draw.textlength(text) - 2), y, text, ink)


def _write(draw: ImageDraw.ImageDraw, x: float, y: float, text: str, ink: Colour) -> None:
    """Write text on a black ground."""
    left, top, right, bottom = draw.textbbox((x, y), text)
    draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), fill=(0, 0, 0))
    draw.text((x, y), text, fill=ink)
