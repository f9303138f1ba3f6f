"""Detect Objects, as a function: the photo goes to the worker, what it finds becomes assets."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from ..preferences import worker_settings
from ..scene.assets import require_photo
from ..scene.photo import photo_bytes
from ..storage import user_folder
from .apply import apply_detection, detection_options
from .result import Detection
from .task import DetectionTask

NOTHING_FOUND = (
    "Nothing was found in this photo. Drag a rectangle around an object with Add Asset from Box, or lower "
    "the threshold."
)


def start_detection(
    scene: bpy.types.Scene, threshold: float | None = None, prompt: str = ""
) -> DetectionTask:
    """Ask the worker what a scene's photo shows, and return at once.

    Raises:
        UserError: no photo, or one that cannot be read.
    """
    require_photo(scene)
    photo = photo_bytes(scene.neural_assets.photo)
    options = detection_options(scene, threshold, prompt)
    return DetectionTask(photo, options, worker_settings(), user_folder("logs"))


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
