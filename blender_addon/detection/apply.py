"""Detected objects as assets: empties in a collection of their own, under the camera that was found."""

from __future__ import annotations

import colorsys
from typing import Any

import bpy
import numpy as np

from na_core.geometry.camera import pitch_and_roll
from na_core.scene import Box

from ..scene.adjust import set_photo_camera
from ..scene.assets import add_asset, asset_objects, require_photo
from ..scene.stored import camera_of
from .result import DetectedObject, Detection

COLLECTION = "Detected Objects"
DUPLICATE_IOU = 0.5
"""Overlap of two rectangles (IoU) from which a detection is an asset that is there already."""

HUE_STEP = 0.618
"""Turn of the colour wheel between one asset's colour and the next one's: neighbours never look alike."""


def detection_options(
    scene: bpy.types.Scene, threshold: float | None = None, prompt: str = ""
) -> dict[str, Any]:
    """Return what of a scene's photo is known, as a detection's options.

    The camera's height is the scene's scale. Its lens is known where the photo told it; the whole camera is
    where it was matched, or assets already stand under it.

    Raises:
        UserError: no photo yet.
    """
    options = camera_options(scene, kept=is_camera_known(scene))
    if threshold is not None:
        options["threshold"] = threshold
    if prompt:
        options["prompt"] = prompt
    return options


def camera_options(scene: bpy.types.Scene, *, kept: bool) -> dict[str, Any]:
    """Return what of the camera that took a scene's photo is known, as a detection's options.

    Args:
        scene: with a photo.
        kept: take the camera as it stands; else only the lens that the photo told, and the height.

    Raises:
        UserError: no photo yet.
    """
    require_photo(scene)
    settings = scene.neural_assets
    camera = camera_of(settings.source_camera)
    width, height = settings.photo.size
    options: dict[str, Any] = {"camera_height": max(float(camera.world_from_camera[2, 3]), 1e-3)}
    if kept or not settings.focal_length_assumed:
        options["focal"] = camera.fx * width / max(width, height)
    if kept:
        options["pitch"], options["roll"] = pitch_and_roll(camera.world_from_camera[2, :3])
    return options


def apply_camera(scene: bpy.types.Scene, detection: Detection) -> None:
    """Make the camera that was found the one that took the photo.

    Assets that are there already keep their boxes, and the camera that they were captured with.

    Raises:
        UserError: no photo any more.
    """
    require_photo(scene)
    set_photo_camera(scene, detection.camera)
    scene.neural_assets.camera_matched = False
    scene.neural_assets.focal_length_doubt = detection.focal_doubt


def in_scene(scene: bpy.types.Scene, detection: Detection, box: Box) -> np.ndarray:
    """Return a box (4, 4) of a detection under the camera that took the scene's photo."""
    mine = camera_of(scene.neural_assets.source_camera).world_from_camera
    return mine @ np.linalg.inv(detection.camera.world_from_camera) @ box.world_from_box


def apply_detection(scene: bpy.types.Scene, detection: Detection) -> list[bpy.types.Object]:
    """Make assets of what was found, but for what is an asset already; return the new empties.

    The camera becomes the one that was found, unless it was known.

    Raises:
        UserError: no photo any more.
    """
    require_photo(scene)
    if not is_camera_known(scene):
        apply_camera(scene, detection)
    new = []
    for thing in detection.objects:
        if asset_at(scene, thing.rectangle) is not None:
            continue
        new.append(_asset(scene, thing, in_scene(scene, detection, thing.box)))
    return new


def is_camera_known(scene: bpy.types.Scene) -> bool:
    """Tell whether the photo's camera was matched, or assets of the photo stand under it already."""
    photo = scene.neural_assets.photo
    mine = (item.neural_asset for item in asset_objects(scene))
    return scene.neural_assets.camera_matched or any(asset.photo == photo for asset in mine)


def overlap(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    """Return the intersection over union of two rectangles (x0, y0, x1, y1)."""
    wide = min(first[2], second[2]) - max(first[0], second[0])
    high = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(wide, 0.0) * max(high, 0.0)
    areas = ((r[2] - r[0]) * (r[3] - r[1]) for r in (first, second))
    return shared / max(sum(areas) - shared, 1e-12)


def asset_at(scene: bpy.types.Scene, rectangle: tuple[float, ...]) -> bpy.types.Object | None:
    """Return the asset whose rectangle in the scene's photo this is, more or less; None if there is none."""
    photo = scene.neural_assets.photo
    near = [
        (overlap(rectangle, tuple(item.neural_asset.source_box_2d)), item)
        for item in asset_objects(scene)
        if item.neural_asset.photo == photo
    ]
    best = max(near, key=lambda pair: pair[0], default=(0.0, None))
    return best[1] if best[0] >= DUPLICATE_IOU else None


def _asset(scene: bpy.types.Scene, thing: DetectedObject, world_from_box: np.ndarray) -> bpy.types.Object:
    """Make one asset: named, coloured, with its score, in the collection of detected objects."""
    x0, y0, x1, y1 = (min(max(value, 0.0), 1.0) for value in thing.rectangle)
    rectangle = (x0, y0, x1, y1) if x1 - x0 > 1e-3 and y1 - y0 > 1e-3 else None
    name = thing.name.replace("_", " ").title()
    empty = add_asset(world_from_box, rectangle, name, scene=scene)
    empty.neural_asset.score = thing.score
    empty.show_name = True
    hue = HUE_STEP * len(asset_objects(scene)) % 1.0
    empty.color = (*colorsys.hsv_to_rgb(hue, 0.7, 1.0), 1.0)
    collection = _collection(scene)
    scene.collection.objects.unlink(empty)
    collection.objects.link(empty)
    return empty


def _collection(scene: bpy.types.Scene) -> bpy.types.Collection:
    """Return the scene's collection of detected objects, new if need be."""
    for collection in scene.collection.children:
        if collection.name.split(".")[0] == COLLECTION:
            return collection
    collection = bpy.data.collections.new(COLLECTION)
    collection.color_tag = "COLOR_04"
    scene.collection.children.link(collection)
    return collection
