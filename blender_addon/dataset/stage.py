"""The stage: ground, walls or a far backdrop, lamps and the world's light. Fixed within a clip."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from .layout import View
from .materials import glowing, textured
from .patterns import Picture, Random, panorama, texture
from .surfaces import Surface, lathe, moved, rounded_box


def _sheet(corners: Sequence[tuple[float, float, float]], tile: float) -> Surface:
    """Return a rectangle; corner 1 and 3 neighbour corner 0, its texture repeats every ``tile`` metres."""
    points = np.array(corners)
    w, h = np.linalg.norm(points[1] - points[0]) / tile, np.linalg.norm(points[3] - points[0]) / tile
    return Surface(points, ((0, 1, 2, 3),), np.array([(0, 0), (w, 0), (w, h), (0, h)]), smooth=False)


def _add(name: str, surface: Surface, material: bpy.types.Material) -> None:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(surface.vertices.tolist(), [], [list(face) for face in surface.faces])
    if surface.uv is not None:
        mesh.uv_layers.new(name="UVMap").data.foreach_set("uv", surface.uv.astype(np.float32).ravel())
    mesh.materials.append(material)
    scene: Any = bpy.context.scene
    scene.collection.objects.link(bpy.data.objects.new(name, mesh))


def _wide(random: Random, split: str, side: int) -> Picture:
    """Return a texture for a large surface: calmer than an object's, without decals."""
    picture = texture(random, split, side, decals=False, photos=0.35)
    calm = random.uniform(0.35, 1.0)
    return picture * calm + picture.mean(axis=(0, 1)) * (1 - calm)


def build_stage(random: Random, split: str, views: Sequence[View], radius: float) -> None:
    """Build ground, walls or a far backdrop, and light, around objects within ``radius`` metres."""
    ground = _wide(random, split, 512)
    extent = 30.0
    floor = [(-extent, -extent, 0), (extent, -extent, 0), (extent, extent, 0), (-extent, extent, 0)]
    tile = radius * random.uniform(1.2, 4.0)
    _add("ground", _sheet(floor, tile), textured("ground", ground, roughness=1 - 0.7 * random.random() ** 2))
    kind = random.random()
    if kind < 0.62:
        _walls(random, split, views, radius)
    elif kind < 0.9:
        backdrop = moved(lathe([(14.0, -0.1), (14.0, 9.0)], 48), (0, 0, 0))
        inward = Surface(
            backdrop.vertices,
            tuple(face[::-1] for face in backdrop.faces),
            backdrop.uv.reshape(-1, 4, 2)[:, ::-1].reshape(-1, 2) if backdrop.uv is not None else None,
        )
        _add("backdrop", inward, glowing("backdrop", panorama(random, 1536, 384), random.uniform(0.6, 1.3)))
    _light(random, radius)


def _walls(random: Random, split: str, views: Sequence[View], radius: float) -> None:
    """Build one to three walls that hold every camera and object; the cameras look roughly along +Y."""
    cameras = np.array([view.position for view in views])
    back = radius * random.uniform(1.6, 3.5) + 0.2
    side = max(float(np.abs(cameras[:, 0]).max()) + 0.4, radius * random.uniform(1.7, 3.0) + 0.2)
    height = random.uniform(2.2, 4.0)
    near = float(cameras[:, 1].min()) - 6
    paper = _wide(random, split, 512)
    material = textured("wall", paper, roughness=random.uniform(0.4, 0.95))
    tile = random.uniform(0.6, 2.5)
    walls = [[(-side - 4, back, 0), (side + 4, back, 0), (side + 4, back, height), (-side - 4, back, height)]]
    count = int(random.integers(1, 4))
    if count > 1:
        walls.append([(side, back, 0), (side, near, 0), (side, near, height), (side, back, height)])
    if count > 2:
        walls.append([(-side, near, 0), (-side, back, 0), (-side, back, height), (-side, near, height)])
    for i, corners in enumerate(walls):
        _add(f"wall {i}", _sheet(corners, tile), material)
    if random.random() < 0.5:
        board = moved(
            rounded_box((2 * side + 8, 0.03, random.uniform(0.06, 0.15)), 0.006), (0, back - 0.015, 0.05)
        )
        _add("skirting", board, textured("skirting", texture(random, split, 64), roughness=0.6))
    if random.random() < 0.45:
        w, h = random.uniform(0.4, 1.2, size=2)
        at = (random.uniform(-0.6, 0.6) * side, back - 0.02, random.uniform(0.4, 1.3) + h / 2)
        frame = rounded_box((w, 0.03, h), 0.005)
        uv = np.concatenate([frame.vertices[list(face)][:, (0, 2)] / (w, h) + 0.5 for face in frame.faces])
        art = Surface(frame.vertices + at, frame.faces, uv, smooth=False)
        _add("picture", art, textured("picture", texture(random, split, 256), roughness=0.5))


def _tint(random: Random, amount: float) -> np.ndarray:
    """Return a colour (3,) between warm and cool, of mean about 1."""
    warmth = random.normal(0, amount)
    return np.clip(np.array([1 + warmth, 1.0, 1 - warmth * 1.3]), 0.25, 2.0)


def _light(random: Random, radius: float) -> None:
    world = bpy.data.worlds.new("world")
    scene: Any = bpy.context.scene
    scene.world = world
    world.use_nodes = True
    tree: Any = world.node_tree
    node = next(n for n in tree.nodes if n.type == "BACKGROUND")
    node.inputs["Color"].default_value = (*_tint(random, 0.1), 1.0)
    node.inputs["Strength"].default_value = math.exp(random.uniform(math.log(0.15), math.log(0.8)))
    for i in range(int(random.integers(1, 3))):
        strength = math.exp(random.uniform(math.log(1.5), math.log(8.0))) * (1.0 if i == 0 else 0.3)
        sun = random.random() < 0.5
        data: Any = bpy.data.lights.new(f"lamp {i}", "SUN" if sun else "AREA")
        data.color = tuple(_tint(random, 0.15))
        azimuth, height = random.uniform(0, 2 * math.pi), math.radians(random.uniform(25, 75))
        towards = np.array(
            [math.cos(azimuth) * math.cos(height), math.sin(azimuth) * math.cos(height), math.sin(height)]
        )
        distance = max(radius * random.uniform(2.0, 4.0), 1.2)
        if sun:
            data.energy = strength
            data.angle = math.radians(random.uniform(2, 20))
        else:
            data.size = distance * random.uniform(0.15, 0.7)
            data.energy = strength * distance**2 * math.pi * 2.0  # the sun's irradiance at the middle
        thing = bpy.data.objects.new(f"lamp {i}", data)
        thing.matrix_world = Matrix(
            View(towards * distance, np.zeros(3), 0.0, 1.0).world_from_camera().tolist()
        )
        scene.collection.objects.link(thing)
