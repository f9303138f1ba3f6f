"""Contact sheets: scenes at a glance, with their boxes drawn over the pictures."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from na_core.data.labels import FrameLabels, load_labels
from na_core.data.scenes import Scene, read_picture, scene_folders
from na_core.geometry.boxes import project_boxes

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

Colour = tuple[int, int, int]

EDGES = tuple((a, a ^ bit) for a in range(8) for bit in (1, 2, 4) if a < a ^ bit)
"""The twelve edges of a box as pairs of corner indices."""

FRONT_EDGES = frozenset(edge for edge in EDGES if not (edge[0] & 2 or edge[1] & 2))
"""Those around the face towards local -Y, drawn thicker."""


def contact_sheet(
    folder: str | Path, out: str | Path, limit: int = 16, *, labels: bool = True, side: int = 256
) -> Path:
    """Write a picture that shows scenes, one row each, one column for each frame.

    Args:
        folder: a data set, one of its splits, or a single scene.
        out: the picture to write; its suffix says the format.
        limit: how many scenes at most, evenly spread over the folder.
        labels: whether 3D boxes (front face thick), 2D boxes and numbers are drawn.
        side: pixels of the longer side of each picture on the sheet.

    Returns:
        The path of the sheet.

    Raises:
        FileNotFoundError: the folder holds no complete scene.
    """

    folders = scene_folders(folder)
    if not folders:
        raise FileNotFoundError(f"{folder}: no complete scene here")
    picked = [
        folders[i]
        for i in sorted({int(v) for v in np.linspace(0, len(folders) - 1, min(limit, len(folders)))})
    ]
    rows = []
    for path in picked:
        scene = Scene(path, load_labels(path))
        rows.append([_cell(scene, i, side, labels) for i in range(len(scene.labels.frames))])
    sheet = laid_out(rows)
    target = Path(out)
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(target)
    return target


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
    from PIL import Image, ImageDraw

    image = Image.fromarray(read_picture(scene.picture_path(frame)))
    factor = side / max(image.size)
    image = image.resize((max(1, round(image.width * factor)), max(1, round(image.height * factor))))
    if labels:
        draw = ImageDraw.Draw(image)
        draw_labels(draw, scene.labels.frames[frame], image.width, image.height)
        draw.text(
            (3, 2),
            f"{scene.folder.name}/{frame}",
            fill=(255, 255, 255),
            stroke_width=1,
            stroke_fill=(0, 0, 0),
        )
    return image


def colour_of(index: int) -> Colour:
    """Return the colour (r, g, b) in 0..255 that stands for object ``index``."""
    r, g, b = colorsys.hsv_to_rgb(index * 0.381966 % 1, 0.85, 1.0)
    return int(r * 255), int(g * 255), int(b * 255)


def draw_labels(draw: ImageDraw.ImageDraw, frame: FrameLabels, width: int, height: int) -> None:
    """Draw a frame's boxes, visible bounds and object numbers on a picture of the given size in pixels."""
    scale = np.array([width, height])
    for i, (box, rectangle) in enumerate(zip(frame.boxes, frame.boxes_2d, strict=True)):
        if box is None:
            continue
        ink = colour_of(i)
        corners = project_boxes([frame.camera], box.world_from_box[None])[0, 0]
        points = corners[:, :2] * scale - 0.5
        for a, b in EDGES:
            if corners[a, 2] > 0 and corners[b, 2] > 0:
                thick = 2 if (a, b) in FRONT_EDGES else 1
                draw.line([tuple(points[a]), tuple(points[b])], fill=ink, width=thick)
        x0, y0, x1, y1 = rectangle
        if x1 > x0 and y1 > y0:
            draw.rectangle(
                (x0 * width, y0 * height, x1 * width - 1, y1 * height - 1), outline=(255, 255, 255)
            )
            text = f"{i + 1} {frame.visible[i]:.0%}"
            draw.text(
                (x0 * width + 3, y0 * height + 1), text, fill=ink, stroke_width=1, stroke_fill=(0, 0, 0)
            )
