"""What can be told of an artist's .blend without Blender, and what became of its objects."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MAGIC = (b"BLENDER", b"\x28\xb5\x2f\xfd", b"\x1f\x8b")
"""How a .blend begins: plain, compressed with Zstandard, or with gzip (before Blender 3.0)."""


class BlendFileError(ValueError):
    """A .blend that gives no objects. The text begins with the file's name and ends with what to do."""


@dataclass(frozen=True)
class Library:
    """The objects of an artist's file, each one mesh, in a .blend that loads fast.

    Attributes:
        path: of that .blend; :func:`blender_addon.dataset.artist_file.library.load` reads it.
        names: of the objects, sorted; never empty.
        warnings: what the artist should know, as sentences: what was left out and why, missing textures.
    """

    path: Path
    names: tuple[str, ...]
    warnings: tuple[str, ...]


def check(source: str | Path) -> None:
    """Check what can be known of a .blend without Blender.

    Raises:
        BlendFileError: no such file, not readable, or not a .blend.
    """
    path = Path(source)
    try:
        with path.open("rb") as file:
            start = file.read(7)
    except FileNotFoundError as error:
        raise BlendFileError(f"{path}: there is no such file. Check the path.") from error
    except OSError as error:
        raise BlendFileError(f"{path}: cannot be read ({error.strerror}). Choose a .blend file.") from error
    if not start.startswith(MAGIC):
        raise BlendFileError(f"{path}: not a .blend file. Choose one that Blender saved.")
