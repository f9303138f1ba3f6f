"""An artist's .blend as a source of objects: checked and read without touching this process's Blender."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
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
        path: of that .blend; :func:`blender_addon.dataset.blend_objects.load` reads it.
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


def collect(source: str | Path, library: str | Path) -> Library:
    """Write the objects of an artist's .blend into a library; the artist's file is left alone.

    A Blender of its own does it, so the caller needs none, and one that a damaged file crashes is an error.
    What counts as an object: see :func:`blender_addon.dataset.blend_objects.collect`.

    Args:
        source: the artist's .blend.
        library: the .blend to write.

    Raises:
        BlendFileError: missing, damaged, from a Blender that is too new, or without usable meshes.
    """
    check(source)
    context = multiprocessing.get_context("spawn")  # Blender does not survive a fork
    try:
        with ProcessPoolExecutor(1, context) as pool:
            return pool.submit(_collect, Path(source).absolute(), Path(library).absolute()).result()
    except BrokenProcessPool as error:
        raise BlendFileError(
            f"{source}: Blender crashed while reading it. Open it in Blender and save it again; if it opens "
            "there, simplify it: memory may have run out."
        ) from error


def _collect(source: Path, library: Path) -> Library:
    from . import blend_objects

    return blend_objects.collect(source, library)
