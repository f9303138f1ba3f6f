"""Materials: image textures baked by :mod:`.patterns` on Blender's Principled shader."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from .patterns import Texture, label, palette, texture
from .streams import Random


def image(name: str, picture: Texture) -> bpy.types.Image:
    """Return a Blender image of an sRGB picture (H, W, 3) in [0, 1] whose first row is on top."""
    height, width = picture.shape[:2]
    pixels = np.ones((height, width, 4), dtype=np.float32)
    pixels[..., :3] = picture[::-1]  # Blender's first row is the lowest
    made: Any = bpy.data.images.new(name, width, height)
    made.pixels.foreach_set(pixels.ravel())
    return made


def textured(
    name: str, picture: Texture, *, roughness: float, metallic: float = 0.0, coat: float = 0.0
) -> bpy.types.Material:
    """Return a Principled material whose base colour is ``picture``, laid out by the mesh's UV map."""
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    tree: Any = material.node_tree
    nodes, links = tree.nodes, tree.links
    shader = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Roughness"].default_value = roughness
    shader.inputs["Metallic"].default_value = metallic
    shader.inputs["Coat Weight"].default_value = coat
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
    """Return an object's four materials: body, accent, detail, decal (the slots of a surface)."""
    colours = palette(random, 4)
    made = []
    for slot, part in enumerate(("body", "accent", "detail", "decal")):
        if part == "decal":
            picture = label(random, split, 192)
        else:
            shades = np.roll(colours, -slot, axis=0)[: int(random.integers(2, 4))]
            if part == "detail" and random.random() < 0.5:
                shades = shades * 0.25
            picture = texture(random, split, 256 if slot == 0 else 128, decals=slot == 0, fixed=shades)
        metal = random.random() < 0.08
        made.append(
            textured(
                f"{name} {part}",
                picture,
                roughness=random.uniform(0.15, 0.4) if metal else random.uniform(0.2, 0.95),
                metallic=1.0 if metal else 0.0,
                coat=random.uniform(0.2, 1.0) if random.random() < 0.12 else 0.0,
            )
        )
    return made
