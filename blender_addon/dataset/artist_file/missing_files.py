"""What a .blend needs of other files: taken into it, or missed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import bpy

from .naming import named_in_short


def make_local() -> None:
    """Take what the file links from others into it, lest the library need them."""
    for kind in (bpy.data.materials, bpy.data.node_groups, bpy.data.images):
        for item in list(kind):
            if item.library is not None:
                item.make_local()


def missing_files(things: Sequence[bpy.types.Object]) -> list[str]:
    """Return warnings for files that the objects' materials need and that are not there."""
    images = {
        image
        for thing in things
        for material in thing.data.materials
        if material is not None and material.node_tree is not None
        for image in _images(material.node_tree)
    }
    lost_textures = sorted(Path(path).name for path in map(_missing_path, images) if path)
    notes = []
    if lost_textures:
        notes.append(
            f"Missing textures, which render pink: {named_in_short(lost_textures)}. Put the files where the "
            ".blend looks for them, or pack them (File > External Data > Pack Resources)."
        )
    files = [Path(bpy.path.abspath(library.filepath)) for library in bpy.data.libraries]
    lost_libraries = sorted(file.name for file in files if not file.is_file())
    if lost_libraries:
        notes.append(f"Missing linked files, whose objects are not there: {named_in_short(lost_libraries)}.")
    return notes


def _images(tree: bpy.types.NodeTree) -> Iterator[bpy.types.Image]:
    """Yield the images of a node tree and of the groups in it."""
    for node in tree.nodes:
        if getattr(node, "image", None) is not None:
            yield node.image
        if getattr(node, "node_tree", None) is not None:
            yield from _images(node.node_tree)


def _missing_path(image: bpy.types.Image) -> str:
    """Return the path of an image's file if it is neither packed nor there, else an empty text."""
    if image.packed_file is not None or image.source not in ("FILE", "SEQUENCE", "MOVIE", "TILED"):
        return ""
    path = bpy.path.abspath(image.filepath)
    if image.source == "TILED":
        tiles = path.replace("<UDIM>", str(image.tiles[0].number))
        return "" if Path(tiles).is_file() or "<UVTILE>" in path else path
    return "" if Path(path).is_file() else path
