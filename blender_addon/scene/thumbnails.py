"""Thumbnails: every asset's preview is what its photo shows of it, in lists and in the asset browser."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import NDArray

from na_core.scene import Rectangle

PHOTO_SIDE = 512
"""Longer side in pixels of the small photo that thumbnails are cut from."""

SIDE = 64
"""Side of a thumbnail in pixels."""

MARGIN = 0.15
"""Of a thumbnail around its object, in sizes of the object."""

SAMPLES = 2
"""Across and down, of each pixel."""


def keep_small_photo(photo: bpy.types.Image) -> None:
    """Give a photo a small copy of itself as its preview; a large one's pixels take their time only once."""
    width, height = photo.size
    if width == 0 or height == 0:
        return
    buffer = np.empty(width * height * 4, dtype=np.float32)
    photo.pixels.foreach_get(buffer)
    scale = min(1.0, PHOTO_SIDE / max(width, height))
    _set_preview(
        photo, _sampled(buffer.reshape(height, width, 4), (0, 0, 1, 1), (width * scale, height * scale))
    )


def set_thumbnail(asset: bpy.types.Object) -> None:
    """Make the preview of an asset what its photo shows inside its rectangle; without a photo, none."""
    photo = asset.neural_asset.photo
    x0, y0, x1, y1 = asset.neural_asset.source_box_2d
    if photo is None or x1 <= x0 or y1 <= y0:
        return
    if not _has_picture(photo):
        keep_small_photo(photo)
        if not _has_picture(photo):
            return
    width, height = photo.preview.image_size
    pixels = np.empty(width * height * 4, dtype=np.float32)
    photo.preview.image_pixels_float.foreach_get(pixels)
    side = (1 + 2 * MARGIN) * max((x1 - x0) * width, (y1 - y0) * height)
    across, up = (x0 + x1) / 2, 1 - (y0 + y1) / 2  # Blender's rows begin at the bottom
    half = side / 2 / width, side / 2 / height
    window = across - half[0], up - half[1], across + half[0], up + half[1]
    _set_preview(asset, _sampled(pixels.reshape(height, width, 4), window, (SIDE, SIDE)))


def has_thumbnail(asset: bpy.types.Object) -> bool:
    """Tell whether an asset has a preview that Blender did not draw."""
    return _has_picture(asset)


def _has_picture(item: bpy.types.ID) -> bool:
    preview = item.preview
    return preview is not None and preview.is_image_custom and min(preview.image_size) > 0


def _set_preview(item: bpy.types.ID, pixels: NDArray[np.float32]) -> None:
    """Set the preview of a data-block to pixels (H, W, 4), the bottom row first."""
    preview = item.preview_ensure()
    preview.image_size = pixels.shape[1], pixels.shape[0]
    preview.image_pixels_float.foreach_set(np.ascontiguousarray(pixels).ravel())


def _sampled(
    pixels: NDArray[np.float32], window: Rectangle, size: tuple[float, float]
) -> NDArray[np.float32]:
    """Return a window (x0, y0, x1, y1) of pixels (H, W, 4), from 0 to 1, at a size (width, height).

    Each is the mean of a few samples. What lies outside the picture is transparent.
    """
    wide, high = (max(1, round(side)) * SAMPLES for side in size)
    x = (window[0] + (np.arange(wide) + 0.5) / wide * (window[2] - window[0])) * pixels.shape[1]
    y = (window[1] + (np.arange(high) + 0.5) / high * (window[3] - window[1])) * pixels.shape[0]
    columns, rows = np.floor(x).astype(int), np.floor(y).astype(int)
    inside = ((rows >= 0) & (rows < pixels.shape[0]))[:, None] & (columns >= 0) & (columns < pixels.shape[1])
    taken = pixels.take(rows, axis=0, mode="clip").take(columns, axis=1, mode="clip") * inside[..., None]
    return taken.reshape(high // SAMPLES, SAMPLES, wide // SAMPLES, SAMPLES, 4).mean(axis=(1, 3))
