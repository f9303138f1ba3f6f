"""Objects out of an artist's .blend: everything that belongs together as one mesh, ready to be placed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from .blend_file import BlendFileError, Library, check
from .capture import silence

THINNEST = 0.01
"""An object whose shortest side is below this share of its longest has no thickness: a ground, a sheet."""

MOST_POLYGONS = 5_000_000
"""An object with more polygons, instances included, would take gigabytes in every process."""

NAMES_SHOWN = 8
"""A sentence about many objects names at most so many."""


@dataclass(frozen=True)
class Group:
    """What becomes one object: its name, and the objects of the file that belong to it."""

    name: str
    members: frozenset[bpy.types.Object]


def collect(source: Path, library: Path) -> Library:
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
        notes = _open(source)
        groups, camera = _groups()
        held = Counter(thing.type.lower() for thing in bpy.data.objects)
        _show_as_rendered(groups)
        meshes, full = _evaluate(groups)
        kept, flat, around = [], [], []
        for group in groups:
            low, high = _bounds(meshes[group])
            if not len(low):
                continue
            if not (high - low).min() >= THINNEST * (high - low).max():
                flat.append(group.name)
            elif camera is not None and (low <= camera).all() and (camera <= high).all():
                around.append(group.name)
            else:
                kept.append(group)
        notes += _left_out("too many polygons", full)
        notes += _left_out("no thickness", flat)
        notes += _left_out("around the camera", around)
        if not kept:
            raise BlendFileError(f"{source}: {_nothing(held)} {' '.join(notes)}".rstrip())
        _free_the_names()
        things = [_joined(group.name, meshes[group]) for group in kept]
        _make_local()
        notes += _missing_files(things)
        library.parent.mkdir(parents=True, exist_ok=True)
        bpy.data.libraries.write(str(library), set(things), path_remap="ABSOLUTE", fake_user=True)
    return Library(library, tuple(sorted(thing.name for thing in things)), tuple(notes))


def load(library: Path, names: Sequence[str]) -> list[bpy.types.Object]:
    """Add objects of a library to the current scene and return them in order.

    Args:
        library: what :func:`collect` wrote.
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
        raise BlendFileError(f"{library}: {_reason(error)}. Collect its objects again.") from error
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


def _open(source: Path) -> list[str]:
    """Open the file as the current one; return warnings."""
    version: tuple[int, ...] = ()
    try:
        # Asking for a list of what is in it is the quick way to Blender's own verdict.
        with bpy.data.libraries.load(str(source)) as (stored, _):
            version = tuple(getattr(stored, "version", ()))
        bpy.ops.wm.open_mainfile(filepath=str(source), load_ui=False, use_scripts=False)
    except (OSError, RuntimeError) as error:
        raise BlendFileError(f"{source}: {_verdict(_reason(error), version or _header(source))}") from error
    if version[:2] > bpy.app.version[:2]:
        return [
            f"The file is from Blender {_dotted(version)} and read by {_dotted(bpy.app.version)}: what is "
            "new in it may be lost."
        ]
    return []


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


def _reason(error: Exception) -> str:
    """Return the last part of Blender's message, without the path that the caller names anyway."""
    text = " ".join(str(error).split()).removeprefix("Error: ")
    return text.rpartition("': ")[2].rpartition("', ")[2].rstrip(".") or type(error).__name__


def _groups() -> tuple[list[Group], NDArray[np.float64] | None]:
    """Return what may become objects, and where the scene's camera is (3,): None for assets."""
    assets = [Group(item.name, frozenset(_family(item))) for item in bpy.data.objects if item.asset_data]
    marked = [collection for collection in bpy.data.collections if collection.asset_data]
    assets += [Group(collection.name, frozenset(collection.all_objects)) for collection in marked]
    if assets:  # one inside another is a part of it
        return [group for group in assets if not any(group.members < other.members for other in assets)], None
    shown = frozenset(_rendered(bpy.context.view_layer.layer_collection))
    camera = bpy.context.scene.camera
    roots = [thing for thing in bpy.context.scene.objects if thing.parent is None]
    return [Group(root.name, frozenset(_family(root)) & shown) for root in roots], (
        np.array(camera.matrix_world.translation) if camera else None
    )


def _family(root: bpy.types.Object) -> list[bpy.types.Object]:
    return [root, *root.children_recursive]


def _rendered(layer: bpy.types.LayerCollection) -> Iterator[bpy.types.Object]:
    """Yield the objects of a view layer's collection that are rendered as far as collections say."""
    if not layer.exclude and not layer.collection.hide_render:
        yield from layer.collection.objects
        for child in layer.children:
            yield from _rendered(child)


def _show_as_rendered(groups: Sequence[Group]) -> None:
    """Make the viewport, the only evaluation that a script gets, show the groups as a render would."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    active = layer.objects.active
    if active is not None and active.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    scene.render.use_simplify = False
    # One collection that nothing hides, for all of them: assets may be in no scene.
    stage = bpy.data.collections.new("collected")
    scene.collection.children.link(stage)
    for thing in frozenset().union(*(group.members for group in groups)):
        stage.objects.link(thing)
    for thing in bpy.data.objects:
        thing.hide_viewport = False
        thing.show_instancer_for_viewport = thing.show_instancer_for_render
        for modifier in thing.modifiers:
            modifier.show_viewport = modifier.show_render
            if hasattr(modifier, "render_levels"):
                modifier.levels = modifier.render_levels
    layer.update()
    for thing in stage.objects:
        thing.hide_set(False)


def _evaluate(groups: Sequence[Group]) -> tuple[dict[Group, list[bpy.types.Mesh]], list[str]]:
    """Return each group's evaluated meshes in world coordinates, and the names of groups too large."""
    meshes: dict[Group, list[bpy.types.Mesh]] = {group: [] for group in groups}
    polygons: Counter[Group] = Counter()
    depsgraph = bpy.context.evaluated_depsgraph_get()
    for instance in depsgraph.object_instances:
        # Curves, text, metaballs and instances all come as further items of type mesh.
        evaluated = instance.object
        holder = (instance.parent if instance.is_instance else evaluated).original
        if not isinstance(evaluated.data, bpy.types.Mesh) or holder.hide_render:
            continue
        if not len(evaluated.data.polygons):
            continue
        if instance.is_instance:
            if holder.instance_type == "COLLECTION" and evaluated.original.hide_render:
                continue
        elif not instance.show_self:
            continue
        for group in groups:
            if holder in group.members:
                polygons[group] += len(evaluated.data.polygons)
                if polygons[group] <= MOST_POLYGONS:
                    mesh = _world_mesh(evaluated, instance.is_instance, instance.matrix_world, depsgraph)
                    meshes[group].append(mesh)
    full = [group for group in groups if polygons[group] > MOST_POLYGONS]
    for group in full:
        meshes[group].clear()
    return meshes, [group.name for group in full]


def _world_mesh(
    evaluated: bpy.types.Object, is_instance: bool, world_from_object: Matrix, depsgraph: bpy.types.Depsgraph
) -> bpy.types.Mesh:
    """Return a new mesh of an item of the depsgraph in world coordinates, with its materials."""
    if is_instance:  # perhaps a passing stand-in for a curve's mesh: Blender 4.2 crashes converting these
        import bmesh  # which exists only once bpy is loaded, and sorts before it

        mesh = bpy.data.meshes.new(evaluated.name)
        copy = bmesh.new()
        source: Any = evaluated.data
        copy.from_mesh(source)
        copy.to_mesh(mesh)
        copy.free()
        mesh.materials.clear()
        for material in source.materials:
            mesh.materials.append(material.original if material else None)
    else:
        mesh = bpy.data.meshes.new_from_object(evaluated, preserve_all_data_layers=True, depsgraph=depsgraph)
    for i, slot in enumerate(evaluated.material_slots):
        if slot.link == "OBJECT" and i < len(mesh.materials):  # Blender gives the mesh's own instead
            mesh.materials[i] = slot.material.original if slot.material else None
    mesh.transform(world_from_object)
    if world_from_object.determinant() < 0:
        mesh.flip_normals()
    return mesh


def _bounds(meshes: Sequence[bpy.types.Mesh]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and highest coordinates (3,) of meshes; empty arrays if there are none."""
    ends = []
    for mesh in meshes:
        flat = np.empty(len(mesh.vertices) * 3, dtype=np.float32)
        mesh.vertices.foreach_get("co", flat)
        points = flat.reshape(-1, 3).astype(np.float64)
        ends += [points.min(axis=0), points.max(axis=0)]
    return (np.min(ends, axis=0), np.max(ends, axis=0)) if ends else (np.empty(0), np.empty(0))


def _free_the_names() -> None:
    """Rename what the file holds, so that the new objects can have its names."""
    for number, thing in enumerate(list(bpy.data.objects)):
        if thing.library is None:
            thing.name = f"collected {number}"


def _joined(name: str, meshes: Sequence[bpy.types.Mesh]) -> bpy.types.Object:
    """Return one object of meshes in one coordinate system, its origin in the middle of its bounds."""
    things = [bpy.data.objects.new(name, mesh) for mesh in meshes]
    for thing in things:
        bpy.context.scene.collection.objects.link(thing)
    first = things[0]
    if len(things) > 1:
        with bpy.context.temp_override(
            active_object=first, object=first, selected_objects=things, selected_editable_objects=things
        ):
            bpy.ops.object.join()
    mesh: Any = first.data
    low, high = _bounds([mesh])
    mesh.transform(Matrix.Translation((-(low + high) / 2).tolist()))
    mesh.name = first.name
    return first


def _make_local() -> None:
    """Take what the file links from others into it, lest the library need them."""
    for kind in (bpy.data.materials, bpy.data.node_groups, bpy.data.images):
        for item in list(kind):
            if item.library is not None:
                item.make_local()


def _missing_files(things: Sequence[bpy.types.Object]) -> list[str]:
    """Return warnings for files that the objects' materials need and that are not there."""
    images = {
        image
        for thing in things
        for material in thing.data.materials
        if material is not None and material.node_tree is not None
        for image in _images(material.node_tree)
    }
    gone = sorted(Path(path).name for path in map(_missing_path, images) if path)
    notes = []
    if gone:
        notes.append(
            f"Missing textures, which render pink: {_named(gone)}. Put the files where the .blend looks for "
            "them, or pack them (File > External Data > Pack Resources)."
        )
    files = [Path(bpy.path.abspath(library.filepath)) for library in bpy.data.libraries]
    lost = sorted(file.name for file in files if not file.is_file())
    if lost:
        notes.append(f"Missing linked files, whose objects are not there: {_named(lost)}.")
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


def _left_out(reason: str, names: Sequence[str]) -> list[str]:
    return [f"Left out ({reason}): {_named(names)}."] if names else []


def _named(names: Sequence[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _nothing(held: Counter[str]) -> str:
    kinds = ", ".join(f"{count} x {kind}" for kind, count in sorted(held.items()))
    return (
        f"holds no object to render, only {kinds or 'an empty scene'}. Add objects with a mesh that are "
        "enabled in renders and have a thickness."
    )
