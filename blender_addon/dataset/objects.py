"""Objects: from surfaces to a Blender mesh in its canonical frame, and its tight box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .surfaces import Surface

MOST_FACES = 20_000
"""From so many polygons on, an outline is decimated to about as many: they are drawn one by one."""


def _nearest_axis_uv(surface: Surface) -> NDArray[np.float64]:
    """Return texture coordinates (loops, 2) in metres, projected along each face's nearest axis.

    The six directions look at different parts of the texture, so that opposite sides differ.
    """
    offsets = np.array([(0.0, 0.0), (0.37, 0.21), (0.11, 0.63), (0.71, 0.43), (0.53, 0.87), (0.29, 0.05)])
    out = []
    for face in surface.faces:
        points = surface.vertices[list(face)]
        after = np.roll(points, -1, axis=0)
        normal = np.cross(points, after).sum(axis=0)
        axis = int(np.argmax(np.abs(normal)))
        positive = int(normal[axis] > 0)
        i, j = {0: (1, 2), 1: (0, 2), 2: (0, 1)}[axis]
        # seen from outside, a front, right or top face has its first axis to the right; the others mirror it
        mirrored = positive == (axis == 1)
        flat = points[:, (i, j)] * (-1 if mirrored else 1, 1)
        out.append(flat + offsets[axis * 2 + positive])
    return np.concatenate(out)


def build(
    name: str,
    surfaces: Sequence[Surface],
    size: float,
    density: float,
    materials: Sequence[bpy.types.Material],
    collection: bpy.types.Collection,
) -> bpy.types.Object:
    """Return an object made of surfaces, its origin at the middle of its bounds.

    Args:
        name: of the object and its mesh.
        surfaces: in the family's own units.
        size: metres of the longest side.
        density: texture tiles along the longest side, where a surface has no coordinates of its own.
        materials: by slot.
        collection: to link the object to.
    """
    everything = np.concatenate([surface.vertices for surface in surfaces])
    low, high = everything.min(axis=0), everything.max(axis=0)
    scale = size / float((high - low).max())
    vertices = (everything - (low + high) / 2) * scale
    uv = np.concatenate(
        [
            surface.uv if surface.uv is not None else _nearest_axis_uv(surface) * (density * scale / size)
            for surface in surfaces
        ]
    )
    loops: list[int] = []
    starts, slots, smooth = [], [], []
    base = 0
    for surface in surfaces:
        for face in surface.faces:
            starts.append(len(loops))
            loops.extend(index + base for index in face)
            slots.append(surface.slot)
            smooth.append(surface.smooth)
        base += len(surface.vertices)
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", vertices.astype(np.float32).ravel())
    mesh.loops.add(len(loops))
    mesh.loops.foreach_set("vertex_index", np.array(loops, dtype=np.int32))
    mesh.polygons.add(len(starts))
    mesh.polygons.foreach_set("loop_start", np.array(starts, dtype=np.int32))
    for material in materials:
        mesh.materials.append(material)
    mesh.polygons.foreach_set("material_index", np.array(slots, dtype=np.int32))
    mesh.polygons.foreach_set("use_smooth", np.array(smooth, dtype=bool))
    mesh.uv_layers.new(name="UVMap").data.foreach_set("uv", uv.astype(np.float32).ravel())
    mesh.update(calc_edges=True)
    thing = bpy.data.objects.new(name, mesh)
    collection.objects.link(thing)
    return thing


def tight_box(thing: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> NDArray[np.float64]:
    """Return ``world_from_box`` (4, 4): the bounds, in the object's own axes, of its evaluated mesh."""
    evaluated = thing.evaluated_get(depsgraph)
    vertices = _vertices(evaluated.data)
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    local = np.diag([*np.maximum(high - low, 1e-6), 1.0])
    local[:3, 3] = (low + high) / 2
    return np.array(evaluated.matrix_world, dtype=np.float64) @ local


def _vertices(mesh: Any) -> NDArray[np.float64]:
    """Return the vertices (V, 3) of a mesh in its local frame."""
    flat = np.empty(len(mesh.vertices) * 3, dtype=np.float32)
    mesh.vertices.foreach_get("co", flat)
    return flat.reshape(-1, 3).astype(np.float64)


@dataclass(frozen=True)
class Outline:
    """A mesh for drawing silhouettes: vertices (V, 3) in the object's frame, and each polygon's indices."""

    vertices: NDArray[np.float64]
    faces: list[tuple[int, ...]]


def outline(thing: bpy.types.Object) -> Outline:
    """Return the outline of a mesh object: its mesh, decimated where it has very many polygons."""
    mesh: Any = thing.data
    if len(mesh.polygons) <= MOST_FACES:
        return Outline(_vertices(mesh), [tuple(polygon.vertices) for polygon in mesh.polygons])
    decimate: Any = thing.modifiers.new("outline", "DECIMATE")
    decimate.ratio = MOST_FACES / len(mesh.polygons)
    evaluated = thing.evaluated_get(bpy.context.evaluated_depsgraph_get())
    coarse: Any = evaluated.to_mesh()
    made = Outline(_vertices(coarse), [tuple(polygon.vertices) for polygon in coarse.polygons])
    evaluated.to_mesh_clear()
    thing.modifiers.remove(decimate)
    return made
