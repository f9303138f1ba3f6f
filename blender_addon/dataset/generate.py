"""Generate: one scene, from its seed to its finished folder."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from na_core.geometry.camera import camera_from_projection
from na_core.scene import Box, Camera

from .annotations import mask_bounds, silhouette, visible_share
from .capture import exposure, prepare, render_passes, to_srgb
from .carved import ALL_FAMILIES
from .layout import Pose, View, clip, spread
from .materials import wardrobe
from .objects import build, evaluated_vertices, faces_of, tight_box
from .stage import build_stage
from .streams import stream

LABELS_VERSION = 1
MINIMUM_OBJECTS, MAXIMUM_OBJECTS = 2, 6


def scene_folder(out: Path, split: str, seed: int) -> Path:
    """Return the folder of a finished scene."""
    return out / split / f"{seed:08d}"


def generate(
    out: Path,
    split: str,
    seed: int,
    *,
    frames: int,
    width: int,
    height: int,
    samples: int,
    threads: int = 0,
    objects: int | None = None,
) -> bool:
    """Render one scene; return False if it was there already.

    The scene is written to a temporary sibling that is renamed when complete, so that a reader never sees
    half a scene. Blender's current file is replaced. The same seed gives the same labels and, up to the noise
    of rendering, the same pictures.

    Args:
        out: the data set's folder.
        split: train, validation or test.
        seed: of the scene, 0 or more.
        frames: pictures of the scene.
        width, height: pixels.
        samples: per pixel.
        threads: of Cycles; 0 takes every core.
        objects: how many; by default 2 to 6.
    """
    folder = scene_folder(out, split, seed)
    if folder.exists():
        return False
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        labels = _render_scene(partial, split, seed, frames, width, height, samples, threads, objects)
        (partial / "scene.json").write_text(json.dumps(labels, indent=1) + "\n", encoding="utf-8")
        try:
            partial.rename(folder)
        except OSError:
            if not folder.exists():  # another process finished the same scene first
                raise
            return False
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return True


def _render_scene(
    folder: Path,
    split: str,
    seed: int,
    frames: int,
    width: int,
    height: int,
    samples: int,
    threads: int,
    count: int | None,
) -> dict[str, Any]:
    from PIL import Image

    bpy.ops.wm.read_factory_settings(use_empty=True)
    things, families = _objects(split, seed, count)
    depsgraph = bpy.context.evaluated_depsgraph_get()
    sizes = [np.linalg.norm(tight_box(thing, depsgraph)[:3, :3], axis=0) for thing in things]
    states = clip(stream(split, seed, "layout"), sizes, frames, height / width)
    build_stage(stream(split, seed, "stage"), split, [state.view for state in states], spread(sizes))
    camera = _camera()
    prepare(width, height, samples, threads)
    scene: Any = bpy.context.scene
    meshes = [faces_of(thing) for thing in things]

    labels: list[dict[str, Any]] = []
    factor = 1.0
    for number, state in enumerate(states):
        for thing, pose, size in zip(things, state.poses, sizes, strict=True):
            _pose(thing, pose, float(size[2]))
        label_camera = _look(camera, state.view, width, height)
        scene.cycles.seed = number
        colour, index = render_passes()
        if number == 0:  # one exposure for the clip: brightness belongs to the place, not to the frame
            factor = exposure(colour) * 2 ** stream(split, seed, "exposure").uniform(-0.4, 0.3)
        picture, mask = f"frame_{number:03d}.png", f"mask_{number:03d}.png"
        Image.fromarray(to_srgb(colour * factor)).save(folder / picture, compress_level=4)
        Image.fromarray(index).save(folder / mask, compress_level=4)
        depsgraph = bpy.context.evaluated_depsgraph_get()
        boxes: list[dict[str, Any] | None] = []
        bounds, visible = [], []
        for i, (thing, pose) in enumerate(zip(things, state.poses, strict=True)):
            seen = index == i + 1
            bounds.append(mask_bounds(seen))
            if pose is None:
                boxes.append(None)
                visible.append(0.0)
                continue
            boxes.append(Box(tight_box(thing, depsgraph)).to_dict())
            evaluated = thing.evaluated_get(depsgraph)
            matrix = np.array(evaluated.matrix_world)
            world = evaluated_vertices(evaluated) @ matrix[:3, :3].T + matrix[:3, 3]
            whole = silhouette(label_camera, world, meshes[i], width, height)
            visible.append(round(visible_share(seen, whole), 4))
        labels.append(
            {
                "picture": picture,
                "mask": mask,
                "camera": label_camera.to_dict(),
                "boxes": boxes,
                "boxes_2d": bounds,
                "visible": visible,
            }
        )
    return {
        "schema_version": LABELS_VERSION,
        "seed": seed,
        "split": split,
        "width": width,
        "height": height,
        "objects": [
            {"name": thing.name, "family": family} for thing, family in zip(things, families, strict=True)
        ],
        "frames": labels,
    }


def _objects(split: str, seed: int, count: int | None) -> tuple[list[bpy.types.Object], list[str]]:
    random = stream(split, seed, "objects")
    number = int(random.integers(MINIMUM_OBJECTS, MAXIMUM_OBJECTS + 1)) if count is None else count
    base = random.uniform(0.24, 0.42)
    things, families = [], []
    for i in range(number):
        family = str(random.choice(list(ALL_FAMILIES)))
        surfaces = ALL_FAMILIES[family](stream(split, seed, "shape", i))
        size = base * random.uniform(0.7, 1.35)
        materials = wardrobe(stream(split, seed, "material", i), f"object {i}", split)
        thing = build(f"{family} {i + 1}", surfaces, size, random.uniform(0.8, 2.0), materials)
        thing.pass_index = i + 1
        things.append(thing)
        families.append(family)
    return things, families


def _camera() -> bpy.types.Object:
    scene: Any = bpy.context.scene
    data = bpy.data.cameras.new("camera")
    data.sensor_fit = "HORIZONTAL"
    data.clip_start = 0.02
    thing = bpy.data.objects.new("camera", data)
    scene.collection.objects.link(thing)
    scene.camera = thing
    return thing


def _pose(thing: bpy.types.Object, pose: Pose | None, height: float) -> None:
    thing.hide_render = pose is None
    if pose is not None:
        thing.location = (pose.x, pose.y, height * pose.scale / 2)
        thing.rotation_euler = (0, 0, pose.yaw)
        thing.scale = (pose.scale,) * 3


def _look(thing: bpy.types.Object, view: View, width: int, height: int) -> Camera:
    """Aim Blender's camera; return the camera of the labels, read back from Blender."""
    thing.matrix_world = Matrix(view.world_from_camera().tolist())
    lens: Any = thing.data
    lens.angle_x = view.field
    depsgraph = bpy.context.evaluated_depsgraph_get()
    evaluated = thing.evaluated_get(depsgraph)
    projection = evaluated.calc_matrix_camera(depsgraph, x=width, y=height)
    return camera_from_projection(np.array(evaluated.matrix_world), np.array(projection))
