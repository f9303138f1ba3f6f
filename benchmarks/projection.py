"""How much faster boxes are projected together than one corner at a time through Blender's own function.

    .venv/bin/python benchmarks/projection.py

Projects 1,000 boxes over 100 frames with ``na_core.geometry.boxes.project_boxes``, and the same corners with
a loop over ``bpy_extras.object_utils.world_to_camera_view``, in one process and by turns. The loop runs over
all boxes of :data:`LOOP_FRAMES` frames, and its time per frame is scaled to all frames (a call costs the same
in every frame). Of both the fastest run counts, the one that other work on the machine disturbed least.
Writes ``projection_ratio`` into results.json beside this file.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import bpy
import numpy as np
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector
from numpy.typing import NDArray

from na_core.geometry.boxes import box_corners, box_matrix, project_boxes
from na_core.geometry.camera import camera_from_projection
from na_core.scene import Camera

BOXES = 1000
FRAMES = 100
LOOP_FRAMES = 10
RESULTS = Path(__file__).with_name("results.json")


def _boxes(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the boxes of one frame (N, 4, 4), in front of the camera."""
    places = zip(rng.uniform((-3, 4, 0), (3, 20, 2), (BOXES, 3)), rng.uniform(-3, 3, BOXES), strict=True)
    return np.stack([box_matrix(centre, rng.uniform(0.2, 2, 3), yaw) for centre, yaw in places])


def _camera(frame: int) -> bpy.types.Object:
    """Place the scene's camera for a frame; return it."""
    camera = bpy.context.scene.camera
    camera.location = (0.02 * frame, -0.03 * frame, 1.5)
    camera.rotation_euler = (1.4, 0, 0.002 * frame)
    bpy.context.view_layer.update()
    return camera


def _our_camera(frame: int) -> Camera:
    camera, render = _camera(frame), bpy.context.scene.render
    projection = camera.calc_matrix_camera(
        bpy.context.evaluated_depsgraph_get(), x=render.resolution_x, y=render.resolution_y
    )
    return camera_from_projection(np.array(camera.matrix_world), np.array(projection))


def _loop(corners: list[Vector], frame: int) -> tuple[list[Vector], float]:
    """Project corners one by one; return them and the seconds of the loop alone."""
    scene, camera = bpy.context.scene, _camera(frame)
    start = time.perf_counter()
    projected = [world_to_camera_view(scene, camera, corner) for corner in corners]
    return projected, time.perf_counter() - start


def measure() -> float:
    """Measure, check that both agree, print, merge into results.json and return the ratio."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    scene.collection.objects.link(scene.camera)

    still = _boxes(np.random.default_rng(0))
    moving = np.broadcast_to(still, (FRAMES, BOXES, 4, 4)).copy()
    moving[:, :, 0, 3] += np.linspace(0, 1, FRAMES)[:, None]
    cameras = [_our_camera(frame) for frame in range(FRAMES)]
    ours = project_boxes(cameras, moving)
    together, loop = [], []
    worst = 0.0
    for frame in range(0, FRAMES, FRAMES // LOOP_FRAMES):
        corners = [Vector(corner) for corner in box_corners(moving[frame]).reshape(-1, 3).tolist()]
        projected, elapsed = _loop(corners, frame)
        loop.append(elapsed)
        start = time.perf_counter()
        project_boxes(cameras, moving)
        together.append(time.perf_counter() - start)
        theirs = np.array(projected)
        theirs[:, 1] = 1 - theirs[:, 1]
        worst = max(worst, float(np.abs(theirs - ours[frame].reshape(-1, 3)).max()))
    if worst > 1e-4:
        raise RuntimeError(f"the two disagree by {worst:.1e}: their times mean nothing")
    ours_seconds, loop_seconds = min(together), min(loop) * FRAMES
    ratio = loop_seconds / ours_seconds
    print(
        f"{BOXES} boxes x {FRAMES} frames: project_boxes {ours_seconds:.3f} s, world_to_camera_view "
        f"{loop_seconds:.2f} s (fastest of {LOOP_FRAMES} frames x {FRAMES}), ratio {ratio:.0f}, "
        f"largest difference {worst:.1e}"
    )
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    results["projection_ratio"] = round(ratio, 1)
    RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return ratio


if __name__ == "__main__":
    measure()
