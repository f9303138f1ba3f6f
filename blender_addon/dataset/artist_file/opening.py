"""Opening an artist's .blend, and saying in plain words why that failed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy

from .checks import BlendFileError


def open_file(source: Path) -> list[str]:
    """Open the file as the current one; return warnings."""
    version: tuple[int, ...] = ()
    try:
        # Asking for a list of what is in it is the quick way to Blender's own verdict.
        with bpy.data.libraries.load(str(source)) as (stored, _):
            version = tuple(getattr(stored, "version", ()))
        bpy.ops.wm.open_mainfile(filepath=str(source), load_ui=False, use_scripts=False)
    except (OSError, RuntimeError) as error:
        raise BlendFileError(f"{source}: {_verdict(reason_of(error), version or _header(source))}") from error
    if version[:2] > bpy.app.version[:2]:
        return [
            f"The file is from Blender {_dotted(version)} and read by {_dotted(bpy.app.version)}: what is "
            "new in it may be lost."
        ]
    return []


def reason_of(error: Exception) -> str:
    """Return the last part of Blender's message, without the path that the caller names anyway."""
    text = " ".join(str(error).split()).removeprefix("Error: ")
    return text.rpartition("': ")[2].rpartition("', ")[2].rstrip(".") or type(error).__name__


def _header(source: Path) -> tuple[int, ...]:
    """Return (major, minor) from the start of an uncompressed file, () where it does not say."""
    with source.open("rb") as file:
        start = file.read(17)
    digits = start.partition(b"v")[2]
    if start.startswith(b"BLENDER") and digits[:3].isdigit():
        number = int(digits[:4]) if digits[:4].isdigit() else int(digits[:3])  # four digits from 5.0 on
        return divmod(number, 100)
    return ()


def _verdict(reason: str, version: tuple[int, ...]) -> str:
    ours = bpy.app.version[:2]
    if version[:2] > ours or "newer version" in reason:
        theirs = f"Blender {_dotted(version)}" if version else "a newer Blender"
        return (
            f"it is from {theirs}, and Blender {_dotted(ours)} cannot read it ({reason}). Save it from "
            f"Blender {_dotted(ours)}, or render with a newer bpy."
        )
    return f"damaged or cut off ({reason}). Copy it again, or save it again from Blender."


def _dotted(version: Sequence[int]) -> str:
    return ".".join(str(number) for number in version[:2])
