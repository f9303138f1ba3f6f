"""Detect Objects, as a function: the photo goes to the worker, what it finds becomes assets."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import bpy

from na_core.geometry.camera import pitch_and_roll
from na_core.scene import Camera, Rectangle

from ..preferences import worker_settings
from ..scene.photo import photo_bytes
from ..scene.stored import camera_of
from ..storage import user_folder
from ..worker.task import WorkerTask
from .apply import apply_camera, apply_detection, camera_options, detection_options
from .question import detection_question
from .result import Detection

NOTHING_FOUND = (
    "Nothing was found in this photo. Drag a rectangle around an object with Add Asset from Box, or lower "
    "the threshold."
)


def start_detection(
    scene: bpy.types.Scene, threshold: float | None = None, prompt: str = ""
) -> WorkerTask[Detection]:
    """Ask the worker what a scene's photo shows, and return at once.

    Raises:
        UserError: no photo, or one that cannot be read.
    """
    return _start(scene, detection_options(scene, threshold, prompt))


def _start(scene: bpy.types.Scene, options: dict[str, Any]) -> WorkerTask[Detection]:
    photo = photo_bytes(scene.neural_assets.photo)
    question = detection_question(photo, options)
    return WorkerTask(question, worker_settings(), user_folder("logs"), "looked for objects")


def start_camera_detection(scene: bpy.types.Scene) -> WorkerTask[Detection]:
    """Ask the worker which camera took a scene's photo, and return at once.

    Raises:
        UserError: no photo, or one that cannot be read.
    """
    return _start(scene, camera_options(scene, kept=False))


def start_fit(scene: bpy.types.Scene, rectangle: Rectangle) -> WorkerTask[Detection]:
    """Ask the worker for the 3D box of what is in a rectangle of a scene's photo, and return at once.

    The camera is taken as it stands.

    Raises:
        UserError: no photo, or one that cannot be read.
    """
    return _start(scene, camera_options(scene, kept=True) | {"rectangles": [rectangle]})


def detect_camera(
    scene: bpy.types.Scene | None = None, *, should_stop: Callable[[], bool] = lambda: False
) -> Camera:
    """Find the camera that took a scene's photo and make it the scene's; return it.

    Assets that are there already keep their boxes, and the camera that they were captured with. The focal
    length that the photo told stays.

    Args:
        scene: the current one if None.
        should_stop: polled at least every 50 ms.

    Raises:
        UserError: no photo, or the worker cannot be started or refused.
        RenderCancelled: ``should_stop`` returned true.
    """
    scene = scene or bpy.context.scene
    apply_camera(scene, start_camera_detection(scene).wait(should_stop))
    return camera_of(scene.neural_assets.source_camera)


def camera_summary(scene: bpy.types.Scene) -> str:
    """Return what is known of the camera that took a scene's photo, as a sentence."""
    camera = camera_of(scene.neural_assets.source_camera)
    pitch, roll = (math.degrees(angle) for angle in pitch_and_roll(camera.world_from_camera[2, :3]))
    field = 2 * math.degrees(math.atan(0.5 / camera.fx))
    doubt = scene.neural_assets.focal_length_doubt
    sure = f", focal length ± {doubt:.0%}" if doubt > 0 else ""
    return f"The camera sees {field:.0f}° across, pitch {pitch:.1f}°, roll {roll:.1f}°{sure}"


def detect(
    scene: bpy.types.Scene | None = None,
    *,
    threshold: float | None = None,
    prompt: str = "",
    should_stop: Callable[[], bool] = lambda: False,
) -> list[bpy.types.Object]:
    """Find the objects in a scene's photo and make assets of them; return the new empties.

    Objects that are assets already stay as they are. The camera becomes the one that was found, unless
    assets already stand under it. An empty list says that nothing (new) was found.

    Args:
        scene: the current one if None.
        threshold: least score in [0, 1]; the detector's own if None.
        prompt: names of what to find, "mug. laptop. plant": needs weights, which the preferences name;
            without it the embedded detector looks.
        should_stop: polled at least every 50 ms.

    Raises:
        UserError: no photo, or the worker cannot be started or refused.
        RenderCancelled: ``should_stop`` returned true.
    """
    scene = scene or bpy.context.scene
    return apply_detection(scene, start_detection(scene, threshold, prompt).wait(should_stop))


def summary(detection: Detection, new: list[bpy.types.Object]) -> str:
    """Return what a detection brought, as a sentence."""
    if not detection.objects:
        return NOTHING_FOUND
    if not new:
        return f"All {len(detection.objects)} objects that were found are assets already."
    names = ", ".join(item.name for item in new)
    return f"{len(new)} found: {names}"
