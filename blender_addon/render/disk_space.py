"""Room for the picture on the output's disk, checked before a frame is rendered.

Measured on 4.2, 5.0 and 5.2 with a full file system: Blender raises for JPEG, but for PNG and OpenEXR it
leaves a truncated file, prints "Saved" and calls the render finished. Nothing can be done once it writes
(an exception in a ``render_write`` handler is only printed), so a frame that may not fit is not started.
"""

from __future__ import annotations

import contextlib
import os
import shutil

import bpy

from ..errors import UserError

OVERHEAD = 64 * 1024
"""Bytes beyond the pixels: headers, metadata, tables."""

BYTES_PER_CHANNEL = {"8": 1, "10": 2, "12": 2, "16": 2, "32": 4}
CHANNELS = {"BW": 1, "RGB": 3, "RGBA": 4}
MOVIE_FORMATS = ("FFMPEG", "AVI_JPEG", "AVI_RAW")


def check_disk_space(scene: bpy.types.Scene) -> None:
    """Check that the scene's current frame fits on the disk that its output path names.

    A path that does not exist yet counts by its nearest existing parent; other troubles of the path are
    Blender's to report.

    Raises:
        UserError: too little space.
    """
    error = full_disk(scene.render.frame_path(frame=scene.frame_current), largest_file(scene))
    if error is not None:
        raise error


def full_disk(path: str, needed: int) -> UserError | None:
    """Return the error of a file that may not fit on its disk; None where it does.

    Args:
        path: of the file, which may begin with ``//``.
        needed: its bytes.
    """
    folder = os.path.dirname(os.path.abspath(bpy.path.abspath(path)))
    while not os.path.isdir(folder):
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return None
    with contextlib.suppress(OSError):
        free += os.path.getsize(path)  # overwritten, so its space comes back
    if free >= needed:
        return None
    return UserError(
        f"The disk of the output folder '{folder}' is full: {_size(free)} free, "
        f"and the picture may need {_size(needed)}.",
        "Free some space, or choose another folder under Output Properties > Output.",
    )


def largest_file(scene: bpy.types.Scene) -> int:
    """Return the bytes of the scene's picture without any compression; a movie grows by less per frame."""
    render, settings = scene.render, scene.render.image_settings
    pixels = render.resolution_x * render.resolution_y * render.resolution_percentage**2 // 10000
    if settings.file_format in MOVIE_FORMATS:
        return pixels + OVERHEAD
    channels = CHANNELS.get(settings.color_mode, 4)
    depth = 4 if settings.file_format == "HDR" else BYTES_PER_CHANNEL.get(settings.color_depth, 2)
    layers = (
        2 if settings.file_format == "OPEN_EXR_MULTILAYER" else 1
    )  # Combined, and the Composite beside it
    return int(pixels * channels * depth * layers * 1.05) + OVERHEAD


def _size(count: int) -> str:
    return f"{count / 2**20:.1f} MiB" if count >= 2**20 else f"{count / 2**10:.0f} KiB"
