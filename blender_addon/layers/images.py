"""Layers as Blender images: made on demand, painted over when they are made again."""

from __future__ import annotations

import colorsys
import hashlib
from collections.abc import Iterable, Mapping

import bpy
import numpy as np
from numpy.typing import NDArray

from ..errors import UserError
from ..scene.photo import photo_backgrounds
from ..scene.properties import LAYERS
from .result import PhotoLayers

LABELS = {kind: label for kind, label, *_ in LAYERS}

FLOAT = {"shadows", "depth", "normals"}
"""Layers that are no colours: 32-bit images, whose values are as they are."""

TURN = 0.381966
"""Between the hues of objects: none is near another's."""


def layer_image(photo: bpy.types.Image, kind: str) -> bpy.types.Image | None:
    """Return the image that shows a layer of a photo; None if none was made."""
    return next(
        (
            image
            for image in bpy.data.images
            if image.neural_layer.photo == photo and image.neural_layer.kind == kind
        ),
        None,
    )


def show_layers(photo: bpy.types.Image, layers: PhotoLayers, made_of: str) -> dict[str, bpy.types.Image]:
    """Make the images of a photo's layers, or paint over the ones that there are; return them by kind.

    Args:
        photo: that was taken apart.
        layers: what it was taken apart into.
        made_of: what tells its boxes apart, see :func:`boxes_key`.
    """
    found = {}
    for kind, values in _pictures(layers).items():
        image = layer_image(photo, kind) or _new_image(photo, kind, layers.size)
        if tuple(image.size) != layers.size:
            image.scale(*layers.size)
        image.pixels.foreach_set(np.ascontiguousarray(values[::-1], dtype=np.float32).ravel())
        image.update()
        image.pack()
        image.neural_layer.made_of = made_of
        found[kind] = image
    return found


def show_in_camera(scene: bpy.types.Scene, kind: str | None) -> None:
    """Show a layer of a scene's photo behind its camera's view, or the photo itself (None).

    Raises:
        UserError: there is no such image, or the camera shows neither the photo nor a layer of it.
    """
    photo = scene.neural_assets.photo
    image = photo if kind is None or photo is None else layer_image(photo, kind)
    if image is None:
        what = "There is no such image yet."
        raise UserError(what, "Press Show Layers.", operator="neural_assets.show_layers")
    camera = scene.camera
    shown = [] if camera is None or camera.type != "CAMERA" else photo_backgrounds(camera, photo)
    if not shown:
        raise UserError(
            "The scene's camera does not show the photo.",
            "Make the photo's camera the scene's, or import the photo again.",
        )
    for background in shown:
        background.image = image


def boxes_key(boxes: Iterable[Iterable[float]]) -> str:
    """Return what tells numbers of boxes and cameras apart."""
    numbers = np.concatenate([np.zeros(0, np.float32), *(np.asarray(box, np.float32) for box in boxes)])
    return hashlib.sha256(numbers.tobytes()).hexdigest()[:16]


def colour_of(number: int) -> tuple[float, float, float]:
    """Return the colour, sRGB from 0 to 1, that stands for an object."""
    return colorsys.hsv_to_rgb(number * TURN % 1, 0.85, 1.0)


def _new_image(photo: bpy.types.Image, kind: str, size: tuple[int, int]) -> bpy.types.Image:
    name = f"{photo.name} {LABELS[kind]}"
    image = bpy.data.images.new(name, *size, alpha=True, float_buffer=kind in FLOAT)
    image.neural_layer.photo, image.neural_layer.kind = photo, kind
    return image


def _pictures(layers: PhotoLayers) -> Mapping[str, NDArray[np.float32]]:
    """Return what each image shows, (H, W, 4), the top row first."""
    width, height = layers.size
    outlines, shadows = np.zeros((height, width, 4), np.float32), np.ones((height, width, 4), np.float32)
    for number, outline in enumerate(layers.outlines):
        share = outline[..., None].astype(np.float32) / 255
        tint = np.array([*colour_of(number), 1.0], np.float32)
        outlines += share * (tint - outlines)
    for shadow in layers.shadows:
        shadows[..., :3] *= shadow
    return {
        "outlines": outlines,
        "plate": _opaque(layers.plate.astype(np.float32) / 255),
        "shadows": shadows,
        "depth": _opaque(np.repeat(layers.depth[..., None], 3, axis=2)),
        "normals": _opaque(layers.normals),
    }


def _opaque(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return pictures (H, W, 3) with an alpha of 1."""
    return np.concatenate([colours, np.ones_like(colours[..., :1])], axis=2)
