"""Extracting an artist's objects, in the Blender that this process is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import bpy

from ..capture import silence
from .checks import BlendFileError, Library, check
from .groups import find_groups, show_as_rendered
from .meshes import bounds, evaluate, joined
from .missing_files import make_local, missing_files
from .naming import named_in_short
from .opening import open_file

MIN_THICKNESS = 0.01
"""An object whose shortest side is below this share of its longest has no thickness: a ground, a sheet."""


def extract(source: Path, library: Path) -> Library:
    """Write the objects of an artist's .blend into a library. Blender's current file is replaced.

    What counts as an object: if the file holds assets (objects or collections marked for the asset browser),
    each of those. Otherwise each object without a parent, together with all that is parented to it, of the
    scene that the file opens with. Meshes, curves, surfaces, text, metaballs and instances count, as they
    render in the file's current frame: modifiers, shape keys and armatures applied. Left out are what is
    disabled in renders or lies in a collection that is disabled or excluded, lights, cameras, hair and
    volumes; objects without thickness (grounds, backdrops); and, unless it is an asset, what encloses the
    scene's camera (rooms, sky domes).

    Each object keeps the axes of the file's world: its front is towards -Y and its top towards +Z. It keeps
    its materials with all their nodes; its origin is the middle of its bounds, its size in metres is the
    file's. Python in the file does not run, so drivers that need it stand still.

    Args:
        source: the artist's .blend.
        library: the .blend to write, with packed textures inside and the others by absolute path.

    Raises:
        BlendFileError: missing, damaged, from a Blender that is too new, or without usable meshes.
    """
    check(source)
    with silence():
        notes = open_file(source)
        groups, camera = find_groups()
        held = Counter(thing.type.lower() for thing in bpy.data.objects)
        show_as_rendered(groups)
        meshes, full = evaluate(groups)
        kept, flat, surrounding = [], [], []
        for group in groups:
            low, high = bounds(meshes[group])
            if not len(low):
                continue
            if not (high - low).min() >= MIN_THICKNESS * (high - low).max():
                flat.append(group.name)
            elif camera is not None and (low <= camera).all() and (camera <= high).all():
                surrounding.append(group.name)
            else:
                kept.append(group)
        notes += _left_out("too many polygons", full)
        notes += _left_out("no thickness", flat)
        notes += _left_out("around the camera", surrounding)
        if not kept:
            raise BlendFileError(f"{source}: {_nothing(held)} {' '.join(notes)}".rstrip())
        _free_the_names()
        things = [joined(group.name, meshes[group]) for group in kept]
        make_local()
        notes += missing_files(things)
        library.parent.mkdir(parents=True, exist_ok=True)
        bpy.data.libraries.write(str(library), set(things), path_remap="ABSOLUTE", fake_user=True)
    return Library(library, tuple(sorted(thing.name for thing in things)), tuple(notes))


def _free_the_names() -> None:
    """Rename what the file holds, so that the new objects can have its names."""
    for number, thing in enumerate(list(bpy.data.objects)):
        if thing.library is None:
            thing.name = f"collected {number}"


def _left_out(reason: str, names: Sequence[str]) -> list[str]:
    return [f"Left out ({reason}): {named_in_short(names)}."] if names else []


def _nothing(held: Counter[str]) -> str:
    kinds = ", ".join(f"{count} x {kind}" for kind, count in sorted(held.items()))
    return (
        f"holds no object to render, only {kinds or 'an empty scene'}. Add objects with a mesh that are "
        "enabled in renders and have a thickness."
    )
