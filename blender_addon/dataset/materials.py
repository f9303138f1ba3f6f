"""Materials: baked image textures on Blender's Principled shader, with the finishes of real things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from .patterns import Texture, label, palette, texture
from .plain_pictures import plain
from .streams import Random


def image(name: str, picture: Texture) -> bpy.types.Image:
    """Return a Blender image of an sRGB picture (H, W, 3) in [0, 1] whose first row is on top."""
    height, width = picture.shape[:2]
    pixels = np.ones((height, width, 4), dtype=np.float32)
    pixels[..., :3] = picture[::-1]  # Blender's first row is the lowest
    made: Any = bpy.data.images.new(name, width, height)
    made.pixels.foreach_set(pixels.ravel())
    return made


@dataclass(frozen=True)
class Finish:
    """How a surface takes light: the inputs of Blender's Principled shader beside its colour.

    Attributes:
        kind: its name in :data:`FINISHES`.
        roughness, metallic, coat, sheen, transmission: 0 to 1.
        coat_roughness: of the clear coat, 0 to 1.
    """

    kind: str
    roughness: float
    metallic: float = 0.0
    coat: float = 0.0
    coat_roughness: float = 0.03
    sheen: float = 0.0
    transmission: float = 0.0


FINISHES = {
    "usual": 0.52,
    "metal": 0.07,
    "glossy": 0.14,
    "ceramic": 0.1,
    "cloth": 0.13,
    "glass": 0.025,
    "translucent": 0.015,
}
"""How often a part of an object has each finish."""


def finish(random: Random, kind: str | None = None) -> Finish:
    """Return a random finish, of a given kind or of one drawn by the shares of :data:`FINISHES`."""
    if kind is None:
        kind = str(random.choice(list(FINISHES), p=np.array(list(FINISHES.values()))))
    if kind == "metal":
        return Finish(kind, random.uniform(0.08, 0.45), metallic=1.0)
    if kind == "glossy":
        return Finish(kind, random.uniform(0.03, 0.2))
    if kind == "ceramic":
        glaze = random.uniform(0.01, 0.12)
        return Finish(kind, random.uniform(0.3, 0.7), coat=random.uniform(0.6, 1), coat_roughness=glaze)
    if kind == "cloth":
        return Finish(kind, random.uniform(0.9, 1.0), sheen=random.uniform(0.0, 0.6))
    if kind == "glass":
        return Finish(kind, random.uniform(0.0, 0.15), transmission=1.0)
    if kind == "translucent":
        return Finish(kind, random.uniform(0.3, 0.7), transmission=random.uniform(0.4, 0.9))
    coat = random.uniform(0.2, 1.0) if random.random() < 0.12 else 0.0
    return Finish(kind, random.uniform(0.2, 0.95), coat=coat)


def textured(name: str, picture: Texture, *, roughness: float) -> bpy.types.Material:
    """Return a Principled material whose base colour is ``picture``, laid out by the mesh's UV map."""
    return finished(name, picture, Finish("usual", roughness))


def finished(name: str, picture: Texture, look: Finish) -> bpy.types.Material:
    """Return a Principled material with a finish; ``picture`` is laid out by the mesh's UV map."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree: Any = material.node_tree
    nodes, links = tree.nodes, tree.links
    shader = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Roughness"].default_value = look.roughness
    shader.inputs["Metallic"].default_value = look.metallic
    shader.inputs["Coat Weight"].default_value = look.coat
    shader.inputs["Coat Roughness"].default_value = look.coat_roughness
    shader.inputs["Sheen Weight"].default_value = look.sheen
    shader.inputs["Transmission Weight"].default_value = look.transmission
    node = nodes.new("ShaderNodeTexImage")
    node.image = image(name, picture)
    links.new(node.outputs["Color"], shader.inputs["Base Color"])
    return material


def glowing(name: str, picture: Texture, strength: float) -> bpy.types.Material:
    """Return an emitting material: what is far away keeps its look under any lamp."""
    material: Any = bpy.data.materials.new(name)
    material.use_nodes = True
    material.cycles.emission_sampling = (
        "NONE"  # lit by lamps and the world; a lamp as large as this only adds noise
    )
    tree: Any = material.node_tree
    nodes, links = tree.nodes, tree.links
    nodes.remove(next(node for node in nodes if node.type == "BSDF_PRINCIPLED"))
    shader = nodes.new("ShaderNodeEmission")
    shader.inputs["Strength"].default_value = strength
    node = nodes.new("ShaderNodeTexImage")
    node.image = image(name, picture)
    links.new(node.outputs["Color"], shader.inputs["Color"])
    output = next(n for n in nodes if n.type == "OUTPUT_MATERIAL")
    links.new(shader.outputs[0], output.inputs["Surface"])
    return material


def wardrobe(random: Random, name: str, split: str) -> list[bpy.types.Material]:
    """Return an object's four materials: body, accent, detail, decal (the slots of a surface).

    Each part of it has a finish of its own, or all parts have the same. Some objects are plain all over, and
    a part of any object may be plain.
    """
    colours = palette(random, 4)
    plainness = float(random.choice([0.08, 0.5, 1.0], p=[0.62, 0.2, 0.18]))
    uniform = finish(random) if random.random() < 0.3 else None
    made = []
    for slot, part in enumerate(("body", "accent", "detail", "decal")):
        look = finish(random) if uniform is None else uniform
        clear = look.transmission > 0
        if part == "decal" and plainness < 1:
            picture = label(random, split, 192)
        elif clear and random.random() < 0.7:
            picture = plain(random, 64, 1 - random.uniform(0.05, 0.5) * random.random(3))
        elif random.random() < plainness:
            picture = plain(random, 64 if slot else 128, None if random.random() < 0.7 else colours[slot])
        else:
            shades = np.roll(colours, -slot, axis=0)[: int(random.integers(2, 4))]
            if part == "detail" and random.random() < 0.5:
                shades = shades * 0.25
            picture = texture(random, split, 256 if slot == 0 else 128, decals=slot == 0, fixed=shades)
        made.append(finished(f"{name} {part}", picture, look))
    return made
