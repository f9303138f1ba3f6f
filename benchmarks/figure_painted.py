"""The picture of docs/layers.md of layers that were corrected by hand: an outline without its spoon, a plate.

    python benchmarks/figure_painted.py

What a brush would paint is painted as polygons and colours: the photograph of coffee comes with scikit-image.
"""

from __future__ import annotations

import os

import bpy
import cv2
import numpy as np
from coffee_scene import coffee_scene
from numpy.typing import NDArray
from pictures import IMAGES, save_for_docs
from PIL import Image, ImageDraw

from blender_addon import api

BOX, PLACE, RECTANGLE = (0.17, 0.17, 0.125), (-0.005, 0.345, 0.0625), (0.275, 0.03, 0.7, 0.78)
MOVED = (0.035, 0.0, 0.0)

SPOON = [
    *((412, 58), (432, 58), (432, 110), (404, 170), (394, 235), (414, 290), (395, 332), (340, 336)),
    *((320, 300), (328, 262), (350, 247), (374, 215), (393, 175), (406, 135)),
]
"""Corners, in pixels of the photograph, of what the network took for a part of the cup."""

SAUCER = (278, 229, 196, 153)
"""Middle and half axes of its ellipse, in pixels."""

Picture = NDArray[np.uint8]


def polygon(shape: tuple[int, ...], corners: list[tuple[int, int]]) -> NDArray[np.bool_]:
    """Return the pixels (H, W) of a polygon."""
    mask = Image.new("1", (shape[1], shape[0]))
    ImageDraw.Draw(mask).polygon(corners, fill=1)
    return np.asarray(mask)


def painted_plate(photo: Picture, outline: Picture) -> Picture:
    """Return the photograph without the cup: the saucer goes on beneath it, and the spoon lies on it."""
    spoon = polygon(photo.shape, SPOON)
    grown = cv2.dilate((outline > 20).astype(np.uint8), np.ones((15, 15))) > 0
    hole = grown & ~(spoon & (outline < 128))
    row, column = np.mgrid[: photo.shape[0], : photo.shape[1]]
    x, y, across, down = SAUCER
    saucer = ((column - x) / across) ** 2 + ((row - y) / down) ** 2 < 1
    seen = saucer & ~grown & ~spoon
    plate = photo.copy()
    rows = [r for r in range(len(photo)) if (seen & (np.abs(row - r) < 25)).sum() > 50]
    known = {r: np.median(photo[seen & (np.abs(row - r) < 25)], axis=0) for r in rows}
    brush = np.array([known[min(rows, key=lambda other: abs(other - r))] for r in range(len(photo))])
    plate[hole & saucer] = brush[row[hole & saucer]]
    wood = hole & ~saucer
    plate = np.where(wood[..., None], cv2.inpaint(plate, wood.astype(np.uint8), 5, cv2.INPAINT_TELEA), plate)
    soft = cv2.GaussianBlur(plate, (0, 0), 4)
    return np.where((hole & saucer)[..., None], soft, plate)


def paint(image: bpy.types.Image, pixels: Picture) -> None:
    """Give an image pixels (H, W) or (H, W, 3), the top row first, as brushes do."""
    values = np.ones((*pixels.shape[:2], 4), np.float32)
    values[..., :3] = (pixels[::-1] / np.float32(255)).reshape(*pixels.shape[:2], -1)
    image.pixels.foreach_set(values.ravel())
    image.update()


def overlaid(photo: Picture, outline: Picture) -> Picture:
    """Return a photograph with an outline's pixels in turquoise."""
    share = outline[..., None] / 255 * 0.6
    return (photo * (1 - share) + np.array([0, 255, 255]) * share).astype(np.uint8)


def main() -> None:
    """Set the scene up, correct its layers, render it before and after, and save the picture."""
    scene, photo = coffee_scene()
    box = np.diag([*BOX, 1.0])
    box[:3, 3] = PLACE
    cup = api.add_asset(RECTANGLE, name="Cup", world_from_box=box, scene=scene)
    found = api.layers(scene).outlines["Cup"]
    outline, plate = api.edit_outline(cup, scene=scene), api.edit_plate(scene)
    place = cup.location.copy()
    for axis, step in enumerate(MOVED):
        cup.location[axis] += step
    before = api.render_frame(scene=scene)
    corrected = np.where(polygon(photo.shape, SPOON), 0, found).astype(np.uint8)
    made = painted_plate(photo, corrected)
    paint(outline, corrected)
    paint(plate, made)
    paint(api.edit_shadow(cup, scene=scene), np.full(photo.shape, 255, np.uint8))  # the saucer keeps it
    after = api.render_frame(scene=scene)
    cup.location = place
    unmoved = api.render_frame(scene=scene)
    assert np.array_equal(unmoved, photo)  # while it stands where it stood, the frame is the photograph
    api.stop_worker()
    upper = np.concatenate([overlaid(photo, found), overlaid(photo, corrected), made], axis=1)
    lower = np.concatenate([photo, before, after], axis=1)
    save_for_docs(Image.fromarray(np.concatenate([upper, lower])), IMAGES / "painted.webp")
    os._exit(0)  # some bpy wheels crash while the interpreter shuts down


if __name__ == "__main__":
    main()
