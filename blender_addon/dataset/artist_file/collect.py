"""Collecting an artist's objects without touching this process's Blender."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from .checks import BlendFileError, Library, check


def collect(source: str | Path, library: str | Path) -> Library:
    """Write the objects of an artist's .blend into a library; the artist's file is left alone.

    A Blender of its own does it, so the caller needs none, and one that a damaged file crashes is an error.
    What counts as an object: see :func:`blender_addon.dataset.artist_file.extract.extract`.

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
    from .extract import extract  # the Blender that it imports is this child process's alone

    return extract(source, library)
