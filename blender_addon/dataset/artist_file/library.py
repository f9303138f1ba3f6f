"""Loading objects from a library of an artist's objects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy

from .checks import BlendFileError, check
from .opening import reason_of


def load(library: Path, names: Sequence[str]) -> list[bpy.types.Object]:
    """Add objects of a library to the current scene and return them in order.

    Args:
        library: what :func:`.collect.collect` wrote.
        names: of the objects; a repeated one gives objects that share their mesh.

    Raises:
        BlendFileError: the library is gone, damaged, or has no such object.
    """
    check(library)
    try:
        with bpy.data.libraries.load(str(library), link=False) as (stored, wanted):
            for name in names:
                if name not in stored.objects:
                    raise BlendFileError(f"{library}: holds no object '{name}'. Collect its objects again.")
            wanted.objects = list(dict.fromkeys(names))
    except OSError as error:
        raise BlendFileError(f"{library}: {reason_of(error)}. Collect its objects again.") from error
    # Blender replaces the names in the list by the objects; one may get another name in this file.
    known = dict(zip(dict.fromkeys(names), wanted.objects, strict=True))
    used: set[str] = set()
    things = []
    for name in names:
        thing = known[name].copy() if name in used else known[name]
        used.add(name)
        bpy.context.scene.collection.objects.link(thing)
        things.append(thing)
    return things
