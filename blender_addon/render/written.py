"""Whether a picture that Blender wrote is whole: on a full disk it leaves a truncated one and calls it saved.

Nothing that is raised once Blender writes reaches the user: a broken picture is removed, so that a rerun
without Overwrite makes it again, and the next frame, or whoever asked for all of them, says so. Only the end
of a file is read, so a check takes no time beside a frame.
"""

from __future__ import annotations

import contextlib
import struct
import sys
from pathlib import Path
from typing import Any, BinaryIO

import bpy
from bpy.app.handlers import persistent

from ..errors import UserError
from ..names import ENGINE
from .disk_space import MOVIE_FORMATS

SMALLEST = 16
"""Bytes of a file below which it is no picture of any kind."""

PNG_END = b"IEND\xaeB`\x82"
JPEG_END = b"\xff\xd9"
EXR_MAGIC = b"v/1\x01"
EXR_MULTIPART, EXR_UNUSUAL = 0x1000, 0x200 | 0x800
"""Bits of an OpenEXR file's version: several parts; tiles or deep pixels, which Blender does not write."""

LINES_PER_CHUNK = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256}
"""Of an OpenEXR file, by its compression (OpenEXR File Layout)."""

_broken: list[Path] = []


def check_written() -> None:
    """Check that no picture of an animation was found broken since the last check.

    Raises:
        UserError: one was; it is removed.
    """
    if _broken:
        path = _broken[0]
        _broken.clear()
        raise _not_whole(path)


def _not_whole(path: Path) -> UserError:
    return UserError(
        f"The picture '{path}' was not written whole, as on a full disk, and is removed again.",
        "Free some space, and render again; without Overwrite, what is there is kept.",
    )


def is_whole(path: Path) -> bool:
    """Tell whether a picture's file is complete, as far as its format tells: PNG, JPEG and OpenEXR do.

    Of other formats it must hold more than a few bytes.
    """
    try:
        size = path.stat().st_size
        if size < SMALLEST:
            return False
        with open(path, "rb") as file:
            start = file.read(4)
            if start == b"\x89PNG":
                return _end(file, size, len(PNG_END)) == PNG_END
            if start[:2] == b"\xff\xd8":
                return JPEG_END in _end(file, size, 64)
            if start == EXR_MAGIC:
                return _exr_is_whole(file, size)
            return True
    except (OSError, struct.error, ValueError, LookupError):
        return False


def _end(file: BinaryIO, size: int, count: int) -> bytes:
    file.seek(max(0, size - count))
    return file.read(count)


def _exr_is_whole(file: BinaryIO, size: int) -> bool:
    """Tell whether every chunk of an OpenEXR file lies in it; its tables of them are written last."""
    (version,) = struct.unpack("<i", file.read(4))
    if version & EXR_UNUSUAL:
        return True
    several = bool(version & EXR_MULTIPART)
    counts = [_chunks(_header(file))]
    while several and (more := _header(file)):
        counts.append(_chunks(more))
    offsets = struct.unpack(f"<{sum(counts)}Q", file.read(8 * sum(counts)))
    if not offsets or min(offsets) == 0:
        return False
    before_length = 8 if several else 4  # the part's number, and the line's
    file.seek(max(offsets) + before_length)
    (length,) = struct.unpack("<i", file.read(4))
    return max(offsets) + before_length + 4 + length <= size


def _header(file: BinaryIO) -> dict[bytes, bytes]:
    """Return the values of a part's header by name; nothing after the last part."""
    values = {}
    while name := _word(file):
        _word(file)  # its type
        (length,) = struct.unpack("<i", file.read(4))
        values[name] = file.read(length)
    return values


def _chunks(header: dict[bytes, bytes]) -> int:
    """Return how many chunks a part has."""
    if b"chunkCount" in header:
        return int(struct.unpack("<i", header[b"chunkCount"])[0])
    _, top, _, bottom = struct.unpack("<4i", header[b"dataWindow"])
    return -(-(bottom - top + 1) // LINES_PER_CHUNK[header[b"compression"][0]])


def _word(file: BinaryIO) -> bytes:
    """Return the text up to the next zero byte.

    Raises:
        ValueError: the file ends before.
    """
    word = b""
    while (byte := file.read(1)) != b"\0":
        if not byte or len(word) > 255:
            raise ValueError("no OpenEXR header")
        word += byte
    return word


@persistent
def _after_write(scene: bpy.types.Scene, *_: Any) -> None:
    render = scene.render
    if render.engine != ENGINE or render.image_settings.file_format in MOVIE_FORMATS:
        return
    # Blender does not say whether it wrote a frame of an animation or a still.
    frame = Path(bpy.path.abspath(render.frame_path(frame=scene.frame_current)))
    still = Path(bpy.path.abspath(render.filepath))
    stills = [still, still.with_name(still.name + render.file_extension)]
    there = [path for path in (frame, *stills) if path.is_file()]
    path = max(there, key=lambda each: each.stat().st_mtime_ns, default=None)
    if path is not None and not is_whole(path):
        with contextlib.suppress(OSError):
            path.unlink()
        print(f"Neural Assets: {_not_whole(path)}", file=sys.stderr)
        if path == frame:
            _broken.append(path)


def register() -> None:
    """Look at each picture of an animation once it is written."""
    bpy.app.handlers.render_write.append(_after_write)


def unregister() -> None:
    """Look at none any more."""
    bpy.app.handlers.render_write.remove(_after_write)
    _broken.clear()
