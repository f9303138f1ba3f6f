"""The layers of a scene's photo, as functions: asked of the worker, by the names of assets, and as images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from na_core.scene import Frame, LayersRequest

from ..preferences import worker_settings
from ..scene.assets import require_photo
from ..scene.frame import PhotoStore, photo_message
from ..storage import user_folder
from ..worker.task import WorkerTask
from .images import boxes_key, layer_image, show_layers
from .question import layers_question
from .result import PhotoLayers


@dataclass(frozen=True)
class NamedLayers:
    """The layers of a photo, (H, W) or (H, W, C), the top row first; objects by the names of their assets.

    Attributes:
        outlines: (H, W) uint8, how much of each pixel an object covers; 255 all of it.
        shadows: (H, W, 3) float32, what its shadow multiplies the plate by, in linear light; 1 where none is.
        plate: (H, W, 3) uint8 sRGB, the photo without its objects and their shadows.
        depth: (H, W) float32, metres along the viewing direction: objects, and the ground or dome behind.
        normals: (H, W, 3) float32, unit vectors in the world.
    """

    outlines: dict[str, NDArray[np.uint8]]
    shadows: dict[str, NDArray[np.float32]]
    plate: NDArray[np.uint8]
    depth: NDArray[np.float32]
    normals: NDArray[np.float32]


def start_layers(scene: bpy.types.Scene) -> WorkerTask[PhotoLayers]:
    """Ask the worker what a scene's photo is taken apart into, and return at once.

    Raises:
        UserError: no photo, or one that cannot be read.
    """
    frame, photos = _photographed(scene)
    question = layers_question(LayersRequest(frame), photos.bytes_by_sha256)
    return WorkerTask(question, worker_settings(), user_folder("logs"), "took the photo apart")


def layers(
    scene: bpy.types.Scene | None = None, *, should_stop: Callable[[], bool] = lambda: False
) -> NamedLayers:
    """Return what a scene's photo is taken apart into: outlines, shadows, plate, depth and normals.

    Args:
        scene: the current one if None.
        should_stop: polled at least every 50 ms.

    Raises:
        UserError: no photo, or the worker cannot be started or refused.
        RenderCancelled: ``should_stop`` returned true.
    """
    scene = scene or bpy.context.scene
    found = start_layers(scene).wait(should_stop)
    names = _names(scene, found)
    return NamedLayers(
        outlines=dict(zip(names, found.outlines, strict=True)),
        shadows=dict(zip(names, found.shadows, strict=True)),
        plate=found.plate,
        depth=found.depth,
        normals=found.normals,
    )


def images_of_layers(
    scene: bpy.types.Scene | None = None, *, should_stop: Callable[[], bool] = lambda: False
) -> dict[str, bpy.types.Image]:
    """Make images of the layers of a scene's photo, or make those that there are anew; return them by kind.

    Kinds are "outlines", "plate", "shadows", "depth" and "normals".

    Args:
        scene: the current one if None.
        should_stop: polled at least every 50 ms.

    Raises:
        UserError: no photo, or the worker cannot be started or refused.
        RenderCancelled: ``should_stop`` returned true.
    """
    scene = scene or bpy.context.scene
    key = made_of(scene)
    return show_layers(scene.neural_assets.photo, start_layers(scene).wait(should_stop), key)


def made_of(scene: bpy.types.Scene) -> str:
    """Return what tells the boxes and the camera apart that a scene's photo is taken apart with."""
    settings = scene.neural_assets
    camera = settings.source_camera
    stored = [camera.world_from_camera, (camera.fx, camera.fy, camera.cx, camera.cy)]
    return boxes_key([*stored, *(item.world_from_box for item in settings.hidden_boxes)])


def are_out_of_date(scene: bpy.types.Scene) -> bool:
    """Tell whether there are images of layers that were made with other boxes than the scene's."""
    photo = scene.neural_assets.photo
    image = None if photo is None else layer_image(photo, "outlines")
    return image is not None and image.neural_layer.made_of != made_of(scene)


def _photographed(scene: bpy.types.Scene) -> tuple[Frame, PhotoStore]:
    require_photo(scene)
    view_layer, photos = scene.view_layers[0], PhotoStore()
    view_layer.update()
    return photo_message(view_layer.depsgraph, photos), photos


def _names(scene: bpy.types.Scene, found: PhotoLayers) -> list[str]:
    """Return the names of objects, no two alike; hidden boxes, the first ones, bear those of assets."""
    names: list[str] = []
    for item in scene.neural_assets.hidden_boxes:
        again = sum(name == item.name or name.startswith(f"{item.name} (") for name in names)
        names.append(f"{item.name} ({again + 1})" if again else item.name)
    return [*names, *(f"Object {number + 1}" for number in range(len(names), len(found.boxes)))]
