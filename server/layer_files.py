"""Layers as files that any program opens: PNG for pictures, OpenEXR for what is none, and a sheet of all."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from na_core.data.contact_sheet import colour_of, draw_boxes, laid_out
from na_core.layers.pictures import LayerPictures
from na_core.scene import Box, Camera
from server.exr import write_exr
from server.whole_files import written_whole

SHEET_SIDE = 512
"""Longer side in pixels of each picture on the sheet."""

TINT = 0.6
"""How much of an object's colour lies over it on the sheet."""


def write_layers(pictures: LayerPictures, camera: Camera, boxes: Sequence[Box], folder: Path) -> list[Path]:
    """Write a photo's layers into a folder and return the files, the sheet last.

    For each object ``outline_01.png`` (8-bit grey) and ``shadow_01.exr`` (RGB, what the plate is multiplied
    by in linear light); ``plate.png``, ``depth.exr`` (one channel, metres), ``normals.exr`` (X, Y and Z in
    the world) and ``sheet.png``. Each is written whole or not at all.

    Args:
        pictures: the layers.
        camera, boxes: of the photo, for the sheet.
        folder: made if need be; files of the same names are replaced.

    Raises:
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number in range(pictures.objects):
        name = f"{number + 1:02d}"
        written.append(_write_png(folder / f"outline_{name}.png", Image.fromarray(pictures.outline(number))))
        written.append(write_exr(folder / f"shadow_{name}.exr", {"RGB": pictures.shadow(number)}))
    written.append(_write_png(folder / "plate.png", Image.fromarray(pictures.plate)))
    written.append(write_exr(folder / "depth.exr", {"Y": pictures.depth}))
    written.append(write_exr(folder / "normals.exr", {"RGB": pictures.normals.astype(np.float16)}))
    written.append(_write_png(folder / "sheet.png", sheet_of(pictures, camera, boxes)))
    return written


def sheet_of(pictures: LayerPictures, camera: Camera, boxes: Sequence[Box]) -> Image.Image:
    """Return the photo with its boxes, outlines, plate, shadows, depth and normals on one picture."""
    height, width = pictures.depth.shape
    scale = min(1, SHEET_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    cells = [Image.fromarray(each).resize(size, Image.Resampling.BOX) for each in _shown(pictures)]
    draw_boxes(cells[0], camera, boxes)
    return laid_out([cells[:3], cells[3:]])


def _shown(pictures: LayerPictures) -> Iterator[NDArray[np.uint8]]:
    """Yield the photo and each layer as people look at it, (H, W, 3)."""
    yield pictures.photo
    tints = np.array([*(colour_of(number) for number in range(pictures.objects)), (0, 0, 0)], np.float32)
    share = TINT * pictures.alpha[..., None] / np.float32(255)
    yield (pictures.photo + share * (tints[pictures.owner] - pictures.photo)).astype(np.uint8)
    yield pictures.plate
    yield (255 * pictures.light.astype(np.float32).clip(0, 1) ** (1 / 2.2)).astype(np.uint8)
    nearness = 1 / pictures.depth.clip(1e-6)
    low, high = np.percentile(nearness, (1, 99))
    grey = ((nearness - low) / max(high - low, 1e-9)).clip(0, 1)
    yield np.repeat((255 * grey).astype(np.uint8)[..., None], 3, axis=2)
    yield (255 * (pictures.normals / 2 + 0.5)).astype(np.uint8)


def _write_png(file: Path, picture: Image.Image) -> Path:
    with written_whole(file) as partial:
        picture.save(partial, format="PNG")
    return file
