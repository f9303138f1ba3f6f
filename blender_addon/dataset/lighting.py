"""Lighting: lamps and the world's light, from a hard sun in the dark to an overcast sky."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from .layout import View
from .stage_parts import Array, Builder
from .streams import Random

HDRIS = {
    "train": ("city", "forest", "interior", "studio", "sunset"),
    "validation": ("night",),
    "test": ("courtyard", "sunrise"),
}
"""Blender's own studio HDRIs, by split."""

LIGHTS = {"hdri": 0.42, "lamps": 0.2, "hard": 0.14, "overcast": 0.1, "window": 0.14}
"""How often a stage is lit in each way.

hdri: one of :data:`HDRIS`, often with lamps. lamps: one or two lamps in an evenly lit world. hard: one small
lamp or sharp sun, the world dark. overcast: a bright sky and no lamp. window: a wide area lamp from the side.
"""


def draw_light(random: Random) -> str:
    """Return how a stage is lit, a name in :data:`LIGHTS`."""
    return str(random.choice(list(LIGHTS), p=np.array(list(LIGHTS.values()))))


def light(builder: Builder, number: int, kind: str) -> bpy.types.World:
    """Light a stage in a way of :data:`LIGHTS`; return its world."""
    random = builder.random
    world: Any = bpy.data.worlds.new(f"world {number} {kind}")
    world.use_nodes = True
    tree: Any = world.node_tree
    node = next(n for n in tree.nodes if n.type == "BACKGROUND")
    lowest, highest = {
        "hdri": (0.4, 1.5),
        "lamps": (0.15, 0.8),
        "hard": (0.02, 0.12),
        "overcast": (0.7, 1.5),
        "window": (0.05, 0.3),
    }[kind]
    node.inputs["Strength"].default_value = _between(random, lowest, highest)
    if kind == "hdri":
        _surround(builder, tree, node)
        world.cycles.sampling_method, world.cycles.sample_map_resolution = "MANUAL", 128
    else:
        node.inputs["Color"].default_value = (*_tint(random, 0.1), 1.0)
    if kind in ("hdri", "lamps"):
        for i in range(int(random.integers(0 if kind == "hdri" else 1, 3))):
            _lamp(builder, f"lamp {number}.{i}", 1.0 if i == 0 else 0.3)
    elif kind == "hard":
        _hard_lamp(builder, f"lamp {number}")
    elif kind == "window":
        _window_lamp(builder, f"lamp {number}")
    return world


def _between(random: Random, low: float, high: float) -> float:
    """Return a number between ``low`` and ``high``, every factor as likely as another."""
    return math.exp(random.uniform(math.log(low), math.log(high)))


def _tint(random: Random, amount: float) -> Array:
    """Return a colour (3,) between warm and cool, of mean about 1."""
    warmth = random.normal(0, amount)
    return np.clip(np.array([1 + warmth, 1.0, 1 - warmth * 1.3]), 0.25, 2.0)


def _surround(builder: Builder, tree: Any, background: Any) -> None:
    """Light a world with one of Blender's studio HDRIs, turned about the vertical."""
    random = builder.random
    folder = bpy.utils.system_resource("DATAFILES", path="studiolights/world")
    path = Path(folder) / f"{random.choice(HDRIS[builder.split])}.exr"
    picture = tree.nodes.new("ShaderNodeTexEnvironment")
    picture.image = bpy.data.images.load(str(path), check_existing=True)
    turn = tree.nodes.new("ShaderNodeMapping")
    turn.inputs["Rotation"].default_value = (0.0, 0.0, random.uniform(0, 2 * math.pi))
    where = tree.nodes.new("ShaderNodeTexCoord")
    tree.links.new(where.outputs["Generated"], turn.inputs["Vector"])
    tree.links.new(turn.outputs["Vector"], picture.inputs["Vector"])
    tree.links.new(picture.outputs["Color"], background.inputs["Color"])


def _lamp(builder: Builder, name: str, share: float) -> None:
    """Add a sun or a square area lamp from anywhere above."""
    random = builder.random
    strength = _between(random, 1.5, 8.0) * share
    sun = random.random() < 0.5
    distance = max(builder.room.radius * random.uniform(2.0, 4.0), 1.2)
    width = _between(random, 0.5, 30) if sun else random.uniform(0.15, 0.7)
    azimuth, elevation = random.uniform(0, 2 * math.pi), random.uniform(15, 75)
    _hang(builder, _light_data(name, sun, strength, width, distance), azimuth, elevation, distance)


def _hard_lamp(builder: Builder, name: str) -> None:
    """Add the only lamp of a dark world: its shadows have sharp edges."""
    random = builder.random
    strength = _between(random, 2.0, 8.0)
    sun = random.random() < 0.6
    distance = max(builder.room.radius * random.uniform(2.5, 4.5), 1.5)
    width = _between(random, 0.5, 2) if sun else random.uniform(0.02, 0.08)
    azimuth = random.uniform(-1.15, 0.15) * math.pi  # from behind the cameras or from a side, mostly
    elevation = random.uniform(18, 70)
    _hang(builder, _light_data(name, sun, strength, width, distance), azimuth, elevation, distance)


def _window_lamp(builder: Builder, name: str) -> None:
    """Add a wide lamp low at the left or right, as a window is."""
    random = builder.random
    distance = max(builder.room.radius * random.uniform(2.0, 4.0), 1.2)
    width, strength = random.uniform(0.5, 1.3), _between(random, 1.5, 8.0)
    azimuth = (0.0 if random.random() < 0.5 else math.pi) + random.normal(0, 0.4)
    elevation = random.uniform(18, 40)
    _hang(builder, _light_data(name, False, strength, width, distance), azimuth, elevation, distance)


def _light_data(name: str, sun: bool, irradiance: float, width: float, distance: float) -> Any:
    """Return a sun, or a square area lamp that looks about as bright from the origin.

    Args:
        name: of it.
        sun: or else an area lamp.
        irradiance: of a sun, in W/m².
        width: degrees that a sun takes up in the sky; side of an area lamp, as a share of its distance.
        distance: of an area lamp in metres.
    """
    data: Any = bpy.data.lights.new(name, "SUN" if sun else "AREA")
    if sun:
        data.energy, data.angle = irradiance, math.radians(width)
    else:
        data.energy, data.size = irradiance * distance**2 * math.pi * 2.0, distance * width
    return data


def _hang(builder: Builder, data: Any, azimuth: float, elevation: float, distance: float) -> None:
    """Put a lamp at ``distance`` from the origin and aim it there; cameras do not see it.

    Args:
        builder: of the stage.
        data: the lamp.
        azimuth: radians from +X, counter-clockwise from above.
        elevation: degrees above the ground.
        distance: metres.
    """
    data.color = tuple(_tint(builder.random, 0.15))
    height = math.radians(elevation)
    towards = np.array(
        [math.cos(azimuth) * math.cos(height), math.sin(azimuth) * math.cos(height), math.sin(height)]
    )
    thing: Any = bpy.data.objects.new(data.name, data)
    view = View(towards * distance, np.zeros(3), 0.0, 1.0)
    thing.matrix_world = Matrix(view.world_from_camera().tolist())
    thing.visible_camera = False
    builder.collection.objects.link(thing)
