"""Object families that need Blender to make their mesh: Suzanne, solid text and boolean solids."""

from __future__ import annotations

import string
from typing import Any

import bmesh
import bpy
import numpy as np

from ..streams import Random
from ..surfaces import Surface, ball, cylinder, moved, rounded_box, turned, worn
from . import CARVED, FAMILIES
from .family import Family


def _surface(mesh: bpy.types.Mesh, slot: int, smooth: bool) -> Surface:
    vertices = np.empty(len(mesh.vertices) * 3, dtype=np.float32)
    mesh.vertices.foreach_get("co", vertices)
    faces = tuple(tuple(polygon.vertices) for polygon in mesh.polygons)
    return Surface(vertices.reshape(-1, 3).astype(np.float64), faces, None, slot, smooth)


def _evaluated(thing: bpy.types.Object, slot: int, smooth: bool) -> Surface:
    scene: Any = bpy.context.scene
    scene.collection.objects.link(thing)
    evaluated = thing.evaluated_get(bpy.context.evaluated_depsgraph_get())
    surface = _surface(evaluated.to_mesh(), slot, smooth)
    evaluated.to_mesh_clear()
    bpy.data.objects.remove(thing)
    return surface


def suzanne(random: Random) -> list[Surface]:
    """Return Suzanne, Blender's monkey, on a small stand."""
    builder = bmesh.new()
    bmesh.ops.create_monkey(builder)
    mesh = bpy.data.meshes.new("suzanne")
    builder.to_mesh(mesh)
    builder.free()
    thing = bpy.data.objects.new("suzanne", mesh)
    smooth: Any = thing.modifiers.new("smooth", "SUBSURF")
    smooth.levels = 1
    head = _evaluated(thing, 0, True)
    bpy.data.meshes.remove(mesh)
    stretch = np.array([random.uniform(0.85, 1.15), random.uniform(0.85, 1.2), random.uniform(0.85, 1.15)])
    head = Surface(head.vertices * stretch, head.faces)
    low = float(head.vertices[:, 2].min())
    neck = moved(cylinder(0.4, 0.35, 20, top=0.3), (0, 0.1, low - 0.1))
    plate = moved(rounded_box((1.2, 0.9, 0.12), 0.03), (0, 0.1, low - 0.1))
    return [head, worn(neck, 2), worn(plate, 1)]


def solid_text(random: Random) -> list[Surface]:
    """Return two to four extruded letters that stand on a plinth, readable from the front."""
    letters = "".join(
        random.choice(list(string.ascii_uppercase + "234567")) for _ in range(int(random.integers(2, 5)))
    )
    curve: Any = bpy.data.curves.new("text", "FONT")
    curve.body = letters
    curve.extrude = random.uniform(0.08, 0.25)
    curve.bevel_depth = 0.015
    curve.resolution_u = 3
    curve.align_x = "CENTER"
    text = _evaluated(bpy.data.objects.new("text", curve), 0, False)
    bpy.data.curves.remove(curve)
    text = turned(text, "x", 90)
    span = float(np.ptp(text.vertices[:, 0]))
    middle = float(text.vertices[:, 0].mean())
    plinth = moved(rounded_box((span * 1.05, 0.6, 0.12), 0.02), (middle, 0, -0.05))
    return [text, worn(plinth, 1)]


def carving(random: Random) -> list[Surface]:
    """Return a rounded block with bites taken out of it (booleans)."""
    size = random.uniform(0.6, 1.2, size=3)
    block = moved(rounded_box(size, random.uniform(0.03, 0.12)), (0, 0, size[2] / 2))
    scene: Any = bpy.context.scene
    made = [_object("block", block)]
    for i in range(int(random.integers(1, 4))):
        if random.random() < 0.5:
            bite = ball(random.uniform(0.2, 0.4) * size.mean(), 20)
        else:
            bite = turned(
                moved(cylinder(random.uniform(0.1, 0.22), 3, 20), (0, 0, -1.5)),
                str(random.choice(["x", "y"])),
                90,
            )
        # bites prefer the front: the solid shows which way it faces
        at = (
            random.uniform(-0.45, 0.45) * size[0],
            random.uniform(-0.6, 0.1) * size[1],
            random.uniform(0.4, 1) * size[2],
        )
        cutter = _object(f"bite {i}", moved(bite, at))
        scene.collection.objects.link(cutter)
        modifier: Any = made[0].modifiers.new(f"bite {i}", "BOOLEAN")
        modifier.object, modifier.operation, modifier.solver = cutter, "DIFFERENCE", "EXACT"
        made.append(cutter)
    meshes = [thing.data for thing in made]
    carved = _evaluated(made[0], 0, False)
    for cutter in made[1:]:
        bpy.data.objects.remove(cutter)
    bpy.data.batch_remove(meshes)
    badge = moved(
        rounded_box((size[0] * 0.3, 0.06, size[2] * 0.15), 0.01), (0.1, -size[1] / 2, size[2] * 0.15)
    )
    return [carved, worn(badge, 3)]


def _object(name: str, surface: Surface) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(surface.vertices.tolist(), [], [list(face) for face in surface.faces])
    if mesh.validate():
        raise RuntimeError(f"{name}: a surface with broken faces")
    welded = bmesh.new()
    welded.from_mesh(mesh)
    bmesh.ops.remove_doubles(welded, verts=welded.verts[:], dist=1e-5)
    welded.to_mesh(mesh)
    welded.free()
    return bpy.data.objects.new(name, mesh)


ALL_FAMILIES: dict[str, Family] = {
    **FAMILIES,
    **dict(zip(CARVED, (suzanne, solid_text, carving), strict=True)),
}
"""Every family by name, in a fixed order."""
