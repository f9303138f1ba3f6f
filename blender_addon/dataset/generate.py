"""Generate: one scene, from its seed to its finished folder."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from na_core.data.labels import LABELS_FILE, LABELS_VERSION
from na_core.geometry.camera import camera_from_projection
from na_core.scene import Box, Camera

from .annotations import mask_bounds, silhouette_area, visible_share
from .artist_file.checks import Library
from .artist_file.library import load
from .capture import prepare, silence
from .clips import Clip, State, plan
from .families import SYMMETRY
from .families.carved import ALL_FAMILIES
from .far_side import search_tree
from .folders import partial_folder, scene_folder
from .frame_files import Focus, FrameFiles
from .lamps import lights
from .layout import Pose, View, corners, spread, through_another_lens
from .materials import wardrobe
from .objects import build, outline, tight_box
from .order import MAXIMUM_OBJECTS, MINIMUM_OBJECTS, Order
from .stage import Room, build_stage
from .streams import stream
from .thing import Thing


def generate(order: Order, seed: int) -> bool:
    """Render one scene; return False if it was there already.

    The scene is written to a hidden sibling that is renamed when complete, so that a reader never sees half a
    scene. Blender's current file is replaced. The same order and seed give the same bytes.

    Raises:
        OSError, RuntimeError: a file cannot be written, or Blender failed; nothing is left behind.
    """
    folder = scene_folder(order, seed)
    if folder.exists():
        return False
    partial = partial_folder(order, seed)
    shutil.rmtree(partial, ignore_errors=True)
    try:
        partial.mkdir(parents=True)
        with silence():
            labels = _render_scene(order, seed, partial)
        (partial / LABELS_FILE).write_text(_in_lines(labels), encoding="utf-8")
        try:
            partial.rename(folder)
        except OSError:
            if not folder.exists():  # another process finished the same scene first
                raise
            return False
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        # A disk that fills up in the middle of a file does not say which.
        raise OSError(error.errno, error.strerror, str(partial)) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return True


def _render_scene(order: Order, seed: int, folder: Path) -> dict[str, Any]:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    kind, aspect = order.clip_of(seed), order.height / order.width
    things = scene_things(order, seed)
    if kind == "duplicate":
        things += _copies(things)
    sizes = [thing.size for thing in things]
    clip = plan(kind, stream(order.split, seed, "layout"), sizes, order.frames, aspect)
    if order.lenses:
        random = stream(order.split, seed, "lenses")
        states = tuple(
            dataclasses.replace(state, view=through_another_lens(random, state.view, order.unusual))
            for state in clip.states
        )
        clip = dataclasses.replace(clip, states=states)
    stages = [
        build_stage(stream(order.split, seed, "stage", k), order.split, k, _room(clip, k, sizes))
        for k in range(clip.stages)
    ]
    camera = _camera()
    prepare(order.width, order.height)
    random = stream(order.split, seed, "focus")
    blur = random.uniform(0, 0.04 if random.random() < 0.1 else 0.02) if random.random() < 0.5 else 0.0
    files = FrameFiles(order, seed, folder, things)
    frames: list[dict[str, Any]] = []
    for number, state in enumerate(clip.states):
        for thing, pose in zip(things, state.poses, strict=True):
            _pose(thing, pose)
        stages[state.stage].show(stages)
        label_camera = _look(camera, state.view, order.width, order.height)
        following = clip.states[number + 1 : number + 2]
        same_next = not following or following[0].stage == state.stage
        focus = _focus(state.view, label_camera, camera, blur)
        names, index = files.write(number, state.stage, label_camera, focus, same_next)
        frames.append(names | _labels(things, state, label_camera, index))
    return {
        "schema_version": LABELS_VERSION,
        "seed": seed,
        "split": order.split,
        "clip": kind,
        "width": order.width,
        "height": order.height,
        "objects": [
            {"name": thing.object.name, "family": thing.family, "symmetry": thing.symmetry}
            for thing in things
        ],
        "frames": frames,
        "edits": [dataclasses.asdict(edit) for edit in clip.edits],
        "lights": [light.to_dict() for number, stage in enumerate(stages) for light in lights(stage, number)],
    }


def _in_lines(labels: dict[str, Any]) -> str:
    """Return the labels as JSON, a line for each field, object, frame and edit."""

    def lines(value: object) -> str:
        if not isinstance(value, list) or not value:
            return json.dumps(value)
        return "[\n  " + ",\n  ".join(json.dumps(item, separators=(",", ":")) for item in value) + "\n ]"

    return "{\n " + ",\n ".join(f"{json.dumps(k)}: {lines(v)}" for k, v in labels.items()) + "\n}\n"


def _labels(
    things: Sequence[Thing], state: State, camera: Camera, index: NDArray[np.uint8]
) -> dict[str, Any]:
    """Return what the labels say of a frame beside its files."""
    height, width = index.shape
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
        boxes.append(Box(tight_box(thing.object, depsgraph)).to_dict())
        matrix = np.array(thing.object.evaluated_get(depsgraph).matrix_world)
        world = thing.outline.vertices @ matrix[:3, :3].T + matrix[:3, 3]
        whole = silhouette_area(camera, world, thing.outline.faces, width, height)
        visible.append(round(visible_share(seen, whole), 4))
    return {
        "stage": state.stage,
        "camera": camera.to_dict(),
        "boxes": boxes,
        "boxes_2d": bounds,
        "visible": visible,
    }


def scene_things(order: Order, seed: int) -> list[Thing]:
    """Return the objects of a scene, the same whatever else the order asks for."""
    random = stream(order.split, seed, "objects")
    span = (MINIMUM_OBJECTS, MAXIMUM_OBJECTS + 1)
    number = int(random.integers(*span)) if order.objects is None else order.objects
    base = random.uniform(0.24, 0.42)
    sizes = [float(base * random.uniform(0.7, 1.35)) for _ in range(number)]
    if order.library is not None:
        made = _from_library(order.library, random, sizes)
    else:
        made = _from_families(order, seed, random, sizes)
    things = []
    depsgraph = bpy.context.evaluated_depsgraph_get()
    for i, (thing, family, symmetry) in enumerate(made):
        thing.pass_index = i + 1
        size = np.linalg.norm(tight_box(thing, depsgraph)[:3, :3], axis=0)
        shape = outline(thing)
        things.append(Thing(thing, shape, search_tree(shape), size, family, symmetry))
    return things


def _copies(things: Sequence[Thing]) -> list[Thing]:
    """Return a copy of each object, which shares its mesh and materials."""
    scene: Any = bpy.context.scene
    copies = []
    for i, thing in enumerate(things):
        copy = thing.object.copy()
        copy.name, copy.pass_index = f"{thing.object.name} copy", len(things) + i + 1
        scene.collection.objects.link(copy)
        copies.append(dataclasses.replace(thing, object=copy))
    return copies


def _from_families(
    order: Order, seed: int, random: np.random.Generator, sizes: Sequence[float]
) -> list[tuple[bpy.types.Object, str, int]]:
    scene: Any = bpy.context.scene
    names = list(order.families or ALL_FAMILIES)
    made = []
    for i, size in enumerate(sizes):
        family = str(random.choice(names))
        surfaces = ALL_FAMILIES[family](stream(order.split, seed, "shape", i))
        materials = wardrobe(stream(order.split, seed, "material", i), f"object {i}", order.split)
        density = random.uniform(0.8, 2.0)
        thing = build(f"{family} {i + 1}", surfaces, size, density, materials, scene.collection)
        made.append((thing, family, SYMMETRY.get(family, 1)))
    return made


def _from_library(
    library: Library, random: np.random.Generator, sizes: Sequence[float]
) -> list[tuple[bpy.types.Object, str, int]]:
    """Return objects of an artist's file, each once while there are enough; symmetry 1, as it is unknown."""
    chosen = [library.names[int(i)] for i in random.permutation(len(library.names))]
    while len(chosen) < len(sizes):
        chosen.append(str(random.choice(library.names)))
    chosen = chosen[: len(sizes)]
    made = []
    for thing, name, size in zip(load(library.path, chosen), chosen, sizes, strict=True):
        thing.data = thing.data.copy()  # a repeated object shares its mesh, but not its size
        scale = size / max(thing.dimensions)
        thing.data.transform(Matrix.Diagonal((scale, scale, scale, 1.0)))
        made.append((thing, name, 1))
    return made


def _room(clip: Clip, number: int, sizes: Sequence[NDArray[np.float64]]) -> Room:
    states = [state for state in clip.states if state.stage == number]
    prints = [
        corners(pose, size)
        for state in states
        for pose, size in zip(state.poses, sizes, strict=True)
        if pose is not None
    ]
    return Room([state.view for state in states], spread(sizes), np.array(prints).reshape(-1, 4, 2))


def _camera() -> bpy.types.Object:
    scene: Any = bpy.context.scene
    data = bpy.data.cameras.new("camera")
    data.sensor_fit = "HORIZONTAL"
    data.clip_start = 0.02
    thing = bpy.data.objects.new("camera", data)
    scene.collection.objects.link(thing)
    scene.camera = thing
    return thing


def _focus(view: View, camera: Camera, thing: bpy.types.Object, blur: float) -> Focus:
    """Return the focus (metres, f-number) that blurs what is very far by ``blur`` picture widths."""
    if blur <= 0:
        return None
    lens: Any = thing.data
    distance = float(np.linalg.norm(view.position - view.target))
    aperture = blur * distance / camera.fx
    return distance, lens.lens / 1000 / aperture


def _pose(thing: Thing, pose: Pose | None) -> None:
    thing.object.hide_render = pose is None
    if pose is not None:
        thing.object.location = (pose.x, pose.y, float(thing.size[2]) * pose.scale / 2)
        thing.object.rotation_euler = (0, 0, pose.yaw)
        thing.object.scale = (pose.scale,) * 3


def _look(thing: bpy.types.Object, view: View, width: int, height: int) -> Camera:
    """Aim Blender's camera; return the camera of the labels, read back from Blender."""
    thing.matrix_world = Matrix(view.world_from_camera().tolist())
    lens: Any = thing.data
    lens.angle_x = view.field
    depsgraph = bpy.context.evaluated_depsgraph_get()
    evaluated = thing.evaluated_get(depsgraph)
    projection = evaluated.calc_matrix_camera(depsgraph, x=width, y=height)
    return camera_from_projection(np.array(evaluated.matrix_world), np.array(projection))
