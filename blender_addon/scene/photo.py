"""Photos: Blender images whose file bytes travel to the worker."""

from __future__ import annotations

import hashlib
import os

import bpy
import numpy as np
from numpy.typing import NDArray

from na_core.scene import MAX_SIDE, Photo

from ..errors import UserError
from .srgb import srgb_from_linear

WORKER_FORMATS = ("JPEG", "PNG", "WEBP")
"""Blender's names of the file formats that the worker reads; anything else is packed again as PNG."""


def photo_bytes(image: bpy.types.Image) -> bytes:
    """Return the bytes of the photo's file: packed into the .blend, or on disk if someone unpacked it.

    Raises:
        UserError: neither can be read.
    """
    if image.packed_file is not None:
        return bytes(image.packed_file.data)
    try:
        with open(photo_path(image), "rb") as file:
            data = file.read()
    except OSError as error:
        raise missing_photo(image) from error
    if not data:
        raise unreadable_photo(image)
    return data


def photo_path(image: bpy.types.Image) -> str:
    """Return where the file of a photo that is not packed lies."""
    path: str = bpy.path.abspath(image.filepath, library=image.library)
    return path


def missing_photo(image: bpy.types.Image) -> UserError:
    """Return the error of a photo whose file is gone."""
    return UserError(
        f"The photo '{image.name}' cannot be read: it is not packed, and its file '{photo_path(image)}' is "
        "missing.",
        "Put the file back, or import the photo again.",
        operator="neural_assets.import_photo",
    )


def photo_of(image: bpy.types.Image) -> tuple[Photo, bytes]:
    """Return the photo's message and its bytes.

    Raises:
        UserError: the file cannot be read, or holds no picture.
    """
    data = photo_bytes(image)
    if image.size[0] == 0 or image.size[1] == 0:
        raise unreadable_photo(image)
    return Photo(hashlib.sha256(data).hexdigest()), data


def load_photo(path: str, orientation: int = 1) -> bpy.types.Image:
    """Load and pack a photo, upright and in a form that the worker reads.

    The file's own bytes are kept where possible. A photo that is stored turned (Blender ignores EXIF
    orientation), larger than MAX_SIDE pixels, deeper than 8 bits or in another format becomes a PNG.

    Args:
        path: of the file.
        orientation: EXIF orientation, 1 to 8.

    Raises:
        UserError: no such file, or no picture in it.
    """
    if not os.path.isfile(path):
        raise UserError(f"There is no photo at '{path}'.", "Choose a file that exists.")
    problem = UserError(
        f"'{os.path.basename(path)}' is not a photo that Blender can read.",
        "Choose a JPEG, PNG, WebP or TIFF file.",
    )
    try:
        image = bpy.data.images.load(path, check_existing=False)
    except RuntimeError as error:
        raise problem from error
    try:
        if image.size[0] == 0 or image.size[1] == 0:
            raise problem
        plain = image.file_format in WORKER_FORMATS and not image.is_float and image.depth <= 32
        if plain and orientation == 1 and max(image.size) <= MAX_SIDE:
            image.pack()
            return image
        upright = _packed_png(image, orientation)
    except BaseException:
        bpy.data.images.remove(image)
        raise
    bpy.data.images.remove(image)
    return upright


def upright_pixels(pixels: NDArray[np.float32], orientation: int) -> NDArray[np.float32]:
    """Return pixels (H, W, C), top row first, turned as EXIF orientation 1 to 8 asks for."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    return pixels[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


def _packed_png(image: bpy.types.Image, orientation: int) -> bpy.types.Image:
    width, height = image.size
    buffer = np.empty(width * height * 4, dtype=np.float32)
    image.pixels.foreach_get(buffer)
    if image.is_float:
        buffer = _srgb_from_linear(buffer)
    pixels = upright_pixels(buffer.reshape(height, width, 4)[::-1], orientation)
    turned = bpy.data.images.new(image.name, pixels.shape[1], pixels.shape[0], alpha=False)
    turned.pixels.foreach_set(np.ascontiguousarray(pixels[::-1]).ravel())
    longest = max(turned.size)
    if longest > MAX_SIDE:
        turned.scale(*(max(1, round(side * MAX_SIDE / longest)) for side in turned.size))
    turned.update()
    turned.pack()
    return turned


def _srgb_from_linear(buffer: NDArray[np.float32]) -> NDArray[np.float32]:
    linear = np.clip(buffer, 0.0, 1.0)
    srgb = srgb_from_linear(linear)
    srgb[3::4] = linear[3::4]
    return srgb.astype(np.float32)


def unreadable_photo(image: bpy.types.Image) -> UserError:
    """Return the error of a photo that holds no picture."""
    return UserError(
        f"The photo '{image.name}' cannot be read: it holds no picture.",
        "Import the photo again.",
        operator="neural_assets.import_photo",
    )


def keep_painted(image: bpy.types.Image) -> None:
    """Pack a photo as it was painted: its file's bytes are what travels to the worker.

    Raises:
        UserError: it is linked from another file.
    """
    if image.library is not None:
        raise UserError(f"The photo '{image.name}' is linked from another file.", "Make it local first.")
    image.pack()


def photo_backgrounds(
    camera: bpy.types.Object, photo: bpy.types.Image
) -> list[bpy.types.CameraBackgroundImage]:
    """Return what shows a photo, or a layer of it, behind a camera's view."""
    shown = []
    for background in camera.data.background_images:
        image = background.image
        if image is not None and (image == photo or image.neural_layer.photo == photo):
            shown.append(background)
    return shown
