"""Edit Outline, Edit Shadow and Edit Plate, as functions: a layer becomes an image that is painted."""

from __future__ import annotations

from collections.abc import Callable

import bpy
import numpy as np
from numpy.typing import NDArray

from na_core.scene import LayersRequest

from ..errors import UserError
from ..preferences import worker_settings
from ..scene.assets import require_photo
from ..scene.frame import PhotoStore, photo_message
from ..scene.painting import (
    LABELS,
    Layer,
    ObjectLayer,
    new_layer_image,
    painted_layer,
    set_object_layer,
    set_plate,
)
from ..scene.srgb import srgb_from_linear
from ..scene.stored import box_of
from ..storage import user_folder
from ..worker.task import WorkerTask
from .photo_layers import start_layers
from .question import layers_question
from .result import PhotoLayers

ShouldStop = Callable[[], bool]


def never() -> bool:
    """Go on."""
    return False


def edit_outline(
    asset: bpy.types.Object, *, scene: bpy.types.Scene | None = None, should_stop: ShouldStop = never
) -> bpy.types.Image:
    """Return the image of an asset's outline, white where the photo shows the object, to be painted.

    The first time it is made of the network's outline; from then on it is the outline.

    Args:
        asset: whose outline.
        scene: that it is in; the current one if None.
        should_stop: polled at least every 50 ms.

    Raises:
        UserError: it is no asset of the scene, or the worker cannot be started or refused.
        RenderCancelled: ``should_stop`` returned true.
    """
    return _edited(scene or bpy.context.scene, asset, "outline", should_stop)


def edit_shadow(
    asset: bpy.types.Object, *, scene: bpy.types.Scene | None = None, should_stop: ShouldStop = never
) -> bpy.types.Image:
    """Return the image of an asset's shadow, white where there is none, to be painted; see edit_outline."""
    return _edited(scene or bpy.context.scene, asset, "shadow_image", should_stop)


def edit_plate(scene: bpy.types.Scene | None = None, *, should_stop: ShouldStop = never) -> bpy.types.Image:
    """Return the image of what is behind a scene's objects, to be painted; see edit_outline."""
    return _edited(scene or bpy.context.scene, None, "plate", should_stop)


def reset_outline(asset: bpy.types.Object, *, scene: bpy.types.Scene | None = None) -> None:
    """Let the network find an asset's outline again. The image stays in the file while anything uses it."""
    set_object_layer(scene or bpy.context.scene, asset, "outline", None)


def reset_shadow(asset: bpy.types.Object, *, scene: bpy.types.Scene | None = None) -> None:
    """Let the network find an asset's shadow again."""
    set_object_layer(scene or bpy.context.scene, asset, "shadow_image", None)


def reset_plate(scene: bpy.types.Scene | None = None) -> None:
    """Let what is behind a scene's objects be made up again."""
    set_plate(scene or bpy.context.scene, None)


def start_editing(scene: bpy.types.Scene, asset: bpy.types.Object | None) -> WorkerTask[PhotoLayers]:
    """Ask the worker for the layers of an asset's photo, or of a scene's, and return at once.

    Raises:
        UserError: there is no photo, or the asset is not in a frame of the scene.
    """
    if asset is None:
        return start_layers(scene)
    require_photo(scene)
    photos, view_layer = PhotoStore(), scene.view_layers[0]
    view_layer.update()
    frame = photo_message(view_layer.depsgraph, photos)
    wanted = box_of(asset.neural_asset.source_box)
    for number, placed in enumerate(frame.assets):
        if placed.asset.name == asset.name and placed.asset.source_box == wanted:
            question = layers_question(LayersRequest(frame, number), photos.bytes_by_sha256)
            return WorkerTask(question, worker_settings(), user_folder("logs"), "took the photo apart")
    raise UserError(
        f"'{asset.name}' is no asset that this scene shows.",
        "Choose one that is neither hidden nor disabled in renders.",
    )


def finish_editing(
    scene: bpy.types.Scene, asset: bpy.types.Object | None, layer: Layer, found: PhotoLayers
) -> bpy.types.Image:
    """Make the image of a layer of what the worker found, and let it count from now on."""
    name = (scene if asset is None else asset).name
    pixels = found.plate if asset is None else _of_object(asset, layer, found)
    image = new_layer_image(f"{name} {LABELS[layer]}", pixels, is_data=layer == "outline")
    if asset is None:
        set_plate(scene, image)
    else:
        set_object_layer(scene, asset, _object_layer(layer), image)
    return image


def _edited(
    scene: bpy.types.Scene, asset: bpy.types.Object | None, layer: Layer, should_stop: ShouldStop
) -> bpy.types.Image:
    if asset is not None and not asset.neural_asset.is_asset:
        raise UserError(f"'{asset.name}' is not an asset.", "Choose the empty of an asset.")
    image = painted_layer(scene if asset is None else asset, layer)
    return image or finish_editing(scene, asset, layer, start_editing(scene, asset).wait(should_stop))


def _of_object(asset: bpy.types.Object, layer: Layer, found: PhotoLayers) -> NDArray[np.uint8]:
    number = found.boxes.index(box_of(asset.neural_asset.source_box))
    if layer == "outline":
        return found.outlines[number]
    return np.asarray(np.rint(255 * srgb_from_linear(found.shadows[number].clip(0, 1))), np.uint8)


def _object_layer(layer: Layer) -> ObjectLayer:
    assert layer != "plate"
    return layer
