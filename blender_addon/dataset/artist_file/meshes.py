"""Meshes: what groups of objects evaluate to, and one object made of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from .groups import Group

MAX_POLYGONS = 5_000_000
"""An object with more polygons, instances included, would take gigabytes in every process."""


def evaluate(groups: Sequence[Group]) -> tuple[dict[Group, list[bpy.types.Mesh]], list[str]]:
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
                if polygons[group] <= MAX_POLYGONS:
                    mesh = _world_mesh(evaluated, instance.is_instance, instance.matrix_world, depsgraph)
                    meshes[group].append(mesh)
    full = [group for group in groups if polygons[group] > MAX_POLYGONS]
    for group in full:
        meshes[group].clear()
    return meshes, [group.name for group in full]


def bounds(meshes: Sequence[bpy.types.Mesh]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the lowest and highest coordinates (3,) of meshes; empty arrays if there are none."""
    ends = []
    for mesh in meshes:
        flat = np.empty(len(mesh.vertices) * 3, dtype=np.float32)
        mesh.vertices.foreach_get("co", flat)
        points = flat.reshape(-1, 3).astype(np.float64)
        ends += [points.min(axis=0), points.max(axis=0)]
    return (np.min(ends, axis=0), np.max(ends, axis=0)) if ends else (np.empty(0), np.empty(0))


def joined(name: str, meshes: Sequence[bpy.types.Mesh]) -> bpy.types.Object:
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
    low, high = bounds([mesh])
    mesh.transform(Matrix.Translation((-(low + high) / 2).tolist()))
    mesh.name = first.name
    return first


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
