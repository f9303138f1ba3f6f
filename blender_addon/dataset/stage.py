"""The stage: ground or table, walls or a far backdrop, clutter, lamps and the world's light.

A scene has one or two stages, of which a frame shows one. Nothing on a stage is labelled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from .families.carved import ALL_FAMILIES
from .layout import View
from .materials import glowing, textured, wardrobe
from .objects import build
from .patterns import Texture, earthen, panorama, texture
from .streams import Random
from .surfaces import Surface, extrusion, lathe, moved, rounded_box, turned

LIGHTS = {
    "train": ("city", "forest", "interior", "studio", "sunset"),
    "validation": ("night",),
    "test": ("courtyard", "sunrise"),
}
"""Blender's own studio HDRIs, by split."""

Array = np.ndarray


@dataclass(frozen=True)
class Stage:
    """What is shown or hidden as a whole."""

    collection: bpy.types.Collection
    world: bpy.types.World

    def show(self, others: Sequence[Stage]) -> None:
        """Show this stage, and none of the others."""
        for stage in others:
            stage.collection.hide_render = stage is not self
        scene: Any = bpy.context.scene
        scene.world = self.world


@dataclass(frozen=True)
class Room:
    """What a stage is built around.

    Attributes:
        views: every camera that looks at it.
        radius: of the disc in metres that the objects stand on.
        footprints: (n, 4, 2) metres, every place where an object ever stands.
    """

    views: Sequence[View]
    radius: float
    footprints: Array

    @property
    def reach(self) -> float:
        """Metres from the origin to the farthest corner of an object."""
        return max(self.radius, float(np.linalg.norm(self.footprints, axis=-1).max()))

    @property
    def cameras(self) -> Array:
        """Where the cameras are, (n, 3) metres."""
        return np.array([view.position for view in self.views])


@dataclass(frozen=True)
class _Builder:
    random: Random
    split: str
    room: Room
    collection: bpy.types.Collection

    def add(self, name: str, surface: Surface, material: bpy.types.Material) -> None:
        """Put a surface on the stage."""
        mesh = bpy.data.meshes.new(name)
        mesh.from_pydata(surface.vertices.tolist(), [], [list(face) for face in surface.faces])
        if surface.uv is not None:
            mesh.uv_layers.new(name="UVMap").data.foreach_set("uv", surface.uv.astype(np.float32).ravel())
        mesh.materials.append(material)
        mesh.polygons.foreach_set("use_smooth", np.full(len(mesh.polygons), surface.smooth))
        self.collection.objects.link(bpy.data.objects.new(name, mesh))

    def wide(self, side: int = 512) -> Texture:
        """Return a texture for a large surface: calmer than an object's, mostly of earthen colours."""
        shades = earthen(self.random, 3) if self.random.random() < 0.55 else None
        picture = texture(self.random, self.split, side, decals=False, fixed=shades, photos=0.35)
        calm = self.random.uniform(0.35, 1.0)
        return picture * calm + picture.mean(axis=(0, 1)) * (1 - calm)


def build_stage(random: Random, split: str, number: int, room: Room) -> Stage:
    """Build a stage around a room and return it, shown."""
    scene: Any = bpy.context.scene
    collection = bpy.data.collections.new(f"stage {number}")
    scene.collection.children.link(collection)
    builder = _Builder(random, split, room, collection)
    floor = _ground(builder)
    kind = random.random()
    hdri = random.random() < 0.5
    if kind < 0.55:
        _walls(builder, floor)
    elif kind < (0.8 if not hdri else 0.65):
        _backdrop(builder)
    _clutter(builder, floor)
    return Stage(collection, _light(builder, number, hdri))


def _sheet(corners: Sequence[tuple[float, float, float]], tile: float) -> Surface:
    """Return a rectangle; corner 1 and 3 neighbour corner 0, its texture repeats every ``tile`` metres."""
    points = np.array(corners)
    w, h = np.linalg.norm(points[1] - points[0]) / tile, np.linalg.norm(points[3] - points[0]) / tile
    return Surface(points, ((0, 1, 2, 3),), np.array([(0, 0), (w, 0), (w, h), (0, h)]), smooth=False)


def _flat(surface: Surface, tile: float) -> Surface:
    """Return the surface with its texture seen from above, repeated every ``tile`` metres."""
    uv = np.concatenate([surface.vertices[list(face)][:, :2] / tile for face in surface.faces])
    return Surface(surface.vertices, surface.faces, uv, smooth=False)


def _ground(builder: _Builder) -> float:
    """Build what the objects stand on, at height 0; return the height of the floor in metres.

    Either the floor itself, sometimes with a rug, or a table over a lower floor.
    """
    random, room = builder.random, builder.room
    extent, floor = 30.0, 0.0
    tile = room.radius * random.uniform(1.2, 4.0)
    rough = 1 - 0.7 * random.random() ** 2
    top = textured("ground", builder.wide(), roughness=rough)
    if random.random() < 0.35:
        floor = -random.uniform(0.4, 0.8)
        thick, over = random.uniform(0.02, 0.06), room.reach + random.uniform(0.04, 0.5)
        if random.random() < 0.3:
            disc = [(1e-4, -thick), (over, -thick), (over, 0), (1e-4, 0)]
            board = lathe(disc, 64)
        else:
            size = (2 * over, 2 * over * random.uniform(1, 1.4), thick)
            board = moved(rounded_box(size, thick * 0.3), (0, 0, -thick / 2))
        builder.add("table", turned(_flat(board, tile), "z", random.normal(0, 12)), top)
        top = textured("floor", builder.wide(), roughness=random.uniform(0.3, 1))
        tile = random.uniform(0.5, 2.0)
    elif random.random() < 0.3:
        rug = room.reach * random.uniform(0.5, 1.3)
        outline = rounded_box((2 * rug, 2 * rug * random.uniform(0.6, 1.2), 0.004), 0.001)
        rug_picture = textured("rug", texture(random, builder.split, 256), roughness=1.0)
        lying = turned(_flat(outline, rug * random.uniform(0.4, 2.1)), "z", random.uniform(0, 90))
        builder.add("rug", moved(lying, (0, 0, -0.001)), rug_picture)
    corners = [(-extent, -extent, floor), (extent, -extent, floor), (extent, extent, floor)]
    builder.add("ground", _sheet([*corners, (-extent, extent, floor)], tile), top)
    return floor


def _walls(builder: _Builder, floor: float) -> None:
    """Build one to three walls that hold every camera and object; the cameras look roughly along +Y."""
    random, room, cameras = builder.random, builder.room, builder.room.cameras
    back = max(room.radius * random.uniform(1.4, 3.2), room.reach) + 0.15
    side = max(float(np.abs(cameras[:, 0]).max()) + 0.4, room.radius * random.uniform(1.7, 3.0), room.reach)
    side += 0.2
    back = max(back, float(cameras[:, 1].max()) + 0.4)
    height = random.uniform(2.2, 4.0)
    near = float(cameras[:, 1].min()) - 6
    material = textured("wall", builder.wide(), roughness=random.uniform(0.4, 0.95))
    tile = random.uniform(0.6, 2.5)
    low, far = floor, side + 4
    walls = [[(-far, back, low), (far, back, low), (far, back, height), (-far, back, height)]]
    count = int(random.integers(1, 4))
    if count > 1:
        walls.append([(side, back, low), (side, near, low), (side, near, height), (side, back, height)])
    if count > 2:
        walls.append([(-side, near, low), (-side, back, low), (-side, back, height), (-side, near, height)])
    for i, corners in enumerate(walls):
        builder.add(f"wall {i}", _sheet(corners, tile), material)
    if random.random() < 0.5:
        board = rounded_box((2 * far, 0.03, random.uniform(0.06, 0.15)), 0.006)
        look = textured("skirting", texture(random, builder.split, 64), roughness=0.6)
        builder.add("skirting", moved(board, (0, back - 0.015, floor + 0.05)), look)
    for i in range(int(random.integers(0, 3))):  # pictures, windows, shelves
        w, h = random.uniform(0.3, 1.2, size=2)
        depth = 0.03 if i == 0 else random.uniform(0.02, 0.2)
        at = (random.uniform(-0.6, 0.6) * side, back - depth / 2, random.uniform(0.2, 1.3) + h / 2)
        frame = rounded_box((w, depth, h), 0.005)
        uv = np.concatenate([frame.vertices[list(face)][:, (0, 2)] / (w, h) + 0.5 for face in frame.faces])
        art = Surface(frame.vertices + at, frame.faces, uv, smooth=False)
        if random.random() < 0.3:
            builder.add("window", art, glowing("window", panorama(random, 256, 192), random.uniform(0.8, 2)))
        else:
            look = textured("picture", texture(random, builder.split, 256), roughness=0.5)
            builder.add("picture", art, look)


def _backdrop(builder: _Builder) -> None:
    random = builder.random
    dome = lathe([(14.0, -0.9), (14.0, 9.0)], 48)
    assert dome.uv is not None
    inward = Surface(
        dome.vertices,
        tuple(face[::-1] for face in dome.faces),
        dome.uv.reshape(-1, 4, 2)[:, ::-1].reshape(-1, 2),
    )
    look = glowing("backdrop", panorama(random, 1536, 384), random.uniform(0.6, 1.3))
    builder.add("backdrop", inward, look)


def _clutter(builder: _Builder, floor: float) -> None:
    """Strew unlabelled things about, behind and beside the objects: real rooms are not empty."""
    random, room = builder.random, builder.room
    centre = np.zeros(2)
    away = np.array([np.linalg.norm(camera[:2] - centre) for camera in room.cameras])
    taken = [(point, 0.12) for point in room.footprints.reshape(-1, 2)]
    for i in range(int(random.choice([0, 0, 1, 2, 3, 5, 8]))):
        size = room.radius * random.uniform(0.25, 1.0)
        for _ in range(20):
            angle, distance = random.uniform(0, 2 * math.pi), room.reach * random.uniform(1.05, 2.2)
            at = np.array([math.cos(angle), math.sin(angle)]) * distance
            apart = np.array([np.linalg.norm(camera[:2] - at) for camera in room.cameras])
            hides = (apart < away * 0.95 + size).any()  # not between a camera and the objects
            if hides or any(np.linalg.norm(at - p) < r + size * 0.75 for p, r in taken):
                continue
            taken.append((at, size * 0.75))
            _furnish(builder, f"clutter {i}", size, at, floor)
            break


def _furnish(builder: _Builder, name: str, size: float, at: Array, floor: float) -> None:
    random = builder.random
    if random.random() < 0.35:  # a plain block or post
        shape = [rounded_box(random.uniform(0.2, 1, size=3) * size, 0.01)]
        if random.random() < 0.3:
            peak = (random.uniform(-0.2, 0.6), random.uniform(0.4, 1))
            outline = [(0, 0), (random.uniform(0.3, 1), 0), peak]
            shape = [extrusion(outline, random.uniform(0.2, 0.8))]
    else:
        shape = ALL_FAMILIES[str(random.choice(list(ALL_FAMILIES)))](random)
    materials = wardrobe(random, name, builder.split)
    thing = build(name, shape, size, random.uniform(0.8, 2.0), materials, builder.collection)
    mesh: Any = thing.data
    low = min(vertex.co.z for vertex in mesh.vertices)
    thing.rotation_euler = (0, 0, random.uniform(0, 2 * math.pi))
    thing.location = (*at, floor - low)


def _tint(random: Random, amount: float) -> Array:
    """Return a colour (3,) between warm and cool, of mean about 1."""
    warmth = random.normal(0, amount)
    return np.clip(np.array([1 + warmth, 1.0, 1 - warmth * 1.3]), 0.25, 2.0)


def _light(builder: _Builder, number: int, hdri: bool) -> bpy.types.World:
    random = builder.random
    world: Any = bpy.data.worlds.new(f"world {number}")
    world.use_nodes = True
    tree: Any = world.node_tree
    node = next(n for n in tree.nodes if n.type == "BACKGROUND")
    if hdri:
        _surround(builder, tree, node)
        world.cycles.sampling_method, world.cycles.sample_map_resolution = "MANUAL", 128
        node.inputs["Strength"].default_value = math.exp(random.uniform(math.log(0.4), math.log(1.5)))
    else:
        node.inputs["Color"].default_value = (*_tint(random, 0.1), 1.0)
        node.inputs["Strength"].default_value = math.exp(random.uniform(math.log(0.15), math.log(0.8)))
    for i in range(int(random.integers(0 if hdri else 1, 3))):
        _lamp(builder, f"lamp {number}.{i}", 1.0 if i == 0 else 0.3)
    return world


def _surround(builder: _Builder, tree: Any, background: Any) -> None:
    """Light a world with one of Blender's studio HDRIs, turned about the vertical."""
    random = builder.random
    folder = bpy.utils.system_resource("DATAFILES", path="studiolights/world")
    path = Path(folder) / f"{random.choice(LIGHTS[builder.split])}.exr"
    picture = tree.nodes.new("ShaderNodeTexEnvironment")
    picture.image = bpy.data.images.load(str(path), check_existing=True)
    turn = tree.nodes.new("ShaderNodeMapping")
    turn.inputs["Rotation"].default_value = (0.0, 0.0, random.uniform(0, 2 * math.pi))
    where = tree.nodes.new("ShaderNodeTexCoord")
    tree.links.new(where.outputs["Generated"], turn.inputs["Vector"])
    tree.links.new(turn.outputs["Vector"], picture.inputs["Vector"])
    tree.links.new(picture.outputs["Color"], background.inputs["Color"])


def _lamp(builder: _Builder, name: str, share: float) -> None:
    random = builder.random
    strength = math.exp(random.uniform(math.log(1.5), math.log(8.0))) * share
    sun = random.random() < 0.5
    data: Any = bpy.data.lights.new(name, "SUN" if sun else "AREA")
    data.color = tuple(_tint(random, 0.15))
    azimuth, height = random.uniform(0, 2 * math.pi), math.radians(random.uniform(25, 75))
    towards = np.array(
        [math.cos(azimuth) * math.cos(height), math.sin(azimuth) * math.cos(height), math.sin(height)]
    )
    distance = max(builder.room.radius * random.uniform(2.0, 4.0), 1.2)
    if sun:
        data.energy = strength
        data.angle = math.radians(random.uniform(2, 20))
    else:
        data.size = distance * random.uniform(0.15, 0.7)
        data.energy = strength * distance**2 * math.pi * 2.0  # the sun's irradiance at the middle
    thing = bpy.data.objects.new(name, data)
    view = View(towards * distance, np.zeros(3), 0.0, 1.0)
    thing.matrix_world = Matrix(view.world_from_camera().tolist())
    builder.collection.objects.link(thing)
