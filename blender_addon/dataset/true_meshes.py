"""The meshes of rendered scenes' objects, made again from the scenes' seeds: what an artist would bring."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from na_core.data.labels import MESHES_FILE
from na_core.data.scenes import Scene
from na_core.scene import Mesh

from ..scene.meshes import materials_of, mesh_file
from .capture import silence
from .generate import scene_things
from .objects import tight_box
from .order import Order
from .thing import Thing


def write_meshes(scene: Scene, out: Path) -> int:
    """Write the meshes of a scene's objects, with their textures, and return how many there are.

    Blender's current file is replaced. What is there already is left as it is.

    Args:
        scene: that ``dataset render`` made, not of an artist's file.
        out: gets a folder with the scene's name.

    Raises:
        ValueError: the scene's seed makes other objects.
        OSError: a file cannot be written.
    """
    folder = out / scene.name
    if (folder / MESHES_FILE).exists():
        return 0
    things = _things(scene, out)
    folder.mkdir(parents=True, exist_ok=True)
    listed: dict[str, Any] = {}
    for name, thing in things.items():
        mesh, files = _mesh_of(thing)
        for sha256, data in files.items():
            (folder / sha256).write_bytes(data)
        listed[name] = mesh.to_dict()
    (folder / MESHES_FILE).write_text(json.dumps(listed, indent=1), encoding="utf-8")
    return len(listed)


def _things(scene: Scene, out: Path) -> dict[str, Thing]:
    """Return a scene's objects by their names; copies are what they are copies of."""
    labels = scene.labels
    names = [label.name for label in labels.objects]
    originals = [name for name in names if not name.endswith(" copy")]
    for count in (None, len(originals)):  # the seed says how many there are, or the order did
        bpy.ops.wm.read_factory_settings(use_empty=True)
        with silence():
            made = scene_things(Order(out=out, split=labels.split, objects=count), labels.seed)
        known = {thing.object.name: thing for thing in made}
        if sorted(known) == sorted(originals):
            return {name: known[name.removesuffix(" copy")] for name in names}
    raise ValueError(
        f"{scene.name}: its seed makes other objects. Only scenes of the generator's own objects have meshes."
    )


def _mesh_of(thing: Thing) -> tuple[Mesh, dict[str, bytes]]:
    """Return an object's mesh in the coordinates of its tight box, and its files by SHA-256."""
    depsgraph = bpy.context.evaluated_depsgraph_get()
    evaluated = thing.object.evaluated_get(depsgraph)
    world_from_box = tight_box(thing.object, depsgraph)
    box_from_object = np.linalg.inv(world_from_box) @ np.array(evaluated.matrix_world, dtype=np.float64)
    data: Any = evaluated.data
    file, content = mesh_file(data, box_from_object)
    materials, files = materials_of(thing.object)
    return Mesh(file, materials), {**files, file.sha256: content}
