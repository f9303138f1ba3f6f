"""The stage: ground or table, walls or a far backdrop, clutter, lamps and the world's light.

A scene has one or two stages, of which a frame shows one. Nothing on a stage is labelled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from .families.carved import ALL_FAMILIES
from .grounds import lay_ground, sweep
from .lighting import draw_light, light
from .materials import textured, wardrobe
from .objects import build
from .patterns import texture
from .rooms import backdrop, walls
from .stage_parts import Array, Builder, Room, joined
from .streams import Random
from .surfaces import ball, extrusion, moved, rounded_box, turned

__all__ = ["Room", "Stage", "build_stage"]


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


def build_stage(random: Random, split: str, number: int, room: Room) -> Stage:
    """Build a stage around a room and return it, shown."""
    scene: Any = bpy.context.scene
    collection = bpy.data.collections.new(f"stage {number}")
    scene.collection.children.link(collection)
    builder = Builder(random, split, room, collection)
    lit_by, kind = draw_light(random), random.random()
    if kind < 0.12:
        sweep(builder)
        floor, cluttered = 0.0, random.random() < 0.3
    else:
        floor, cluttered = lay_ground(builder), True
        if kind < 0.58:
            walls(builder, floor, lit_by)
        elif kind < (0.8 if lit_by != "hdri" else 0.68):
            backdrop(builder)
    if cluttered:
        _clutter(builder, floor)
        if floor == 0 and random.random() < 0.15:
            _litter(builder)
    return Stage(collection, light(builder, number, lit_by))


def _clutter(builder: Builder, floor: float) -> None:
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


def _furnish(builder: Builder, name: str, size: float, at: Array, floor: float) -> None:
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


def _litter(builder: Builder) -> None:
    """Strew small pebbles, chips and crumbs around the objects, all of one material."""
    random, room = builder.random, builder.room
    middles = room.footprints.mean(axis=1)
    radii = np.linalg.norm(room.footprints - middles[:, None], axis=-1).max(axis=1)
    pieces = []
    for _ in range(int(random.integers(8, 40))):
        size = random.uniform(0.006, 0.03)
        at = random.normal(0, room.reach * 0.9, 2)
        if (np.linalg.norm(middles - at, axis=1) < radii + size).any():
            continue
        proportions = size * random.uniform(0.25, 1, 3)
        piece = ball(proportions, 8) if random.random() < 0.5 else rounded_box(2 * proportions, segments=1)
        pieces.append(moved(turned(piece, "z", random.uniform(0, 180)), (*at, proportions[2] * 0.9)))
    if pieces:
        look = textured("litter", texture(random, builder.split, 128), roughness=random.uniform(0.4, 1))
        builder.add("litter", joined(pieces), look)
