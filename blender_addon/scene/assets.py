"""Assets: empties that are 3D boxes and remember what their photo shows."""

from __future__ import annotations

from collections.abc import Sequence

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import ArrayLike

from na_core.geometry.boxes import bounds_2d, source_quarter_turns
from na_core.geometry.lifting import LiftingError, box_from_rectangle
from na_core.scene import Box, Rectangle, SceneError

from ..errors import UserError
from .properties import AssetProperties
from .stored import box_of, camera_of, copy_camera, flat, has_camera
from .thumbnails import set_thumbnail

DEFAULT_NAME = "Asset"
DEPTH_RATIO = 0.7


def asset_objects(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """Return the scene's assets in the order of their names, those hidden from renders included."""
    found = (item for item in scene.objects if item.neural_asset.is_asset)
    return sorted(found, key=lambda item: item.name)


def box_of_rectangle(
    scene: bpy.types.Scene,
    rectangle: Sequence[float],
    *,
    depth_ratio: float = DEPTH_RATIO,
    yaw: float | None = None,
    ground_height: float = 0.0,
) -> Box:
    """Return the box on the ground whose outline a rectangle of the scene's photo is; no worker is asked.

    Args:
        scene: with a photo.
        rectangle: (x0, y0, x1, y1) in the photo.
        depth_ratio: the box's depth over its width.
        yaw: radians about world Z; None faces the camera that took the photo.
        ground_height: z of the plane that the object stands on, in metres.

    Raises:
        UserError: no photo, a rectangle outside it, or one that no box on the ground explains.
    """
    require_photo(scene)
    try:
        return box_from_rectangle(
            camera_of(scene.neural_assets.source_camera),
            check_rectangle(rectangle),
            ground_height=ground_height,
            depth_ratio=depth_ratio,
            yaw=yaw,
        )
    except LiftingError as error:
        raise UserError(str(error)) from error


def add_asset(
    world_from_box: ArrayLike,
    rectangle: Sequence[float] | None = None,
    name: str = DEFAULT_NAME,
    *,
    scene: bpy.types.Scene | None = None,
) -> bpy.types.Object:
    """Add the asset whose 3D box in the scene's photo is known.

    Args:
        world_from_box: (4, 4), maps the cube [-1/2, 1/2]^3 to the world; no shear, since an empty has none.
        rectangle: tight (x0, y0, x1, y1) around the object in the photo; the box's own bounds if None.
        name: of the new empty.
        scene: the current one if None.

    Raises:
        UserError: no photo yet, no such matrix, or the photo does not show the box.
    """
    scene = scene or bpy.context.scene
    require_photo(scene)
    try:
        box = Box(np.asarray(world_from_box, dtype=np.float64))
    except (SceneError, TypeError, ValueError) as error:
        raise UserError(f"The box of '{name}' is not a 4 x 4 matrix: {error}.") from error
    checked = check_rectangle(rectangle) if rectangle is not None else None
    if checked is None and bounds_2d(camera_of(scene.neural_assets.source_camera), box) == (0, 0, 0, 0):
        raise UserError(
            f"The photo does not show the box of '{name}': it lies behind the camera or outside the picture.",
            "Give a box that the photo shows.",
        )
    empty = bpy.data.objects.new(name, None)
    empty.empty_display_type = "CUBE"
    empty.empty_display_size = 0.5  # a cube empty spans plus and minus its display size: the unit cube
    scene.collection.objects.link(empty)
    empty.matrix_world = Matrix(box.world_from_box.tolist())
    empty.neural_asset.is_asset = True
    empty.neural_asset.photo = scene.neural_assets.photo
    scene.view_layers[0].update()
    capture_source(empty, checked, scene=scene)
    return empty


def capture_source(
    asset: bpy.types.Object,
    rectangle: Sequence[float] | None = None,
    *,
    scene: bpy.types.Scene | None = None,
) -> None:
    """Declare that the asset's box, where it stands now, is where the scene's photo shows the object.

    Sets the source box, camera, rectangle and quarter turns, and keeps the box in the scene's hidden boxes in
    step: with it the object is taken out of the background, also after the empty is deleted.

    Args:
        asset: an asset; its box after constraints and parents counts.
        rectangle: tight bounds in the photo; the box's own bounds if None.
        scene: the current one if None.

    Raises:
        UserError: no photo in the scene.
    """
    scene = scene or bpy.context.scene
    require_photo(scene)
    settings, properties = scene.neural_assets, asset.neural_asset
    view_layer = scene.view_layers[0]
    view_layer.update()
    matrix = np.array(asset.evaluated_get(view_layer.depsgraph).matrix_world, dtype=np.float64)
    box, camera = Box(matrix), camera_of(settings.source_camera)
    hidden = _hidden_box(scene, properties)
    if hidden is None:
        hidden = settings.hidden_boxes.add()
    if properties.photo != settings.photo:
        properties.outline = properties.shadow_image = None  # of what another photo shows
    hidden.outline, hidden.shadow_image = properties.outline, properties.shadow_image
    hidden.name = asset.name
    hidden.world_from_box = flat(matrix)
    properties.is_asset = True
    properties.photo = settings.photo
    properties.source_box = flat(matrix)
    copy_camera(properties.source_camera, settings.source_camera)
    properties.source_box_2d = check_rectangle(rectangle) if rectangle is not None else bounds_2d(camera, box)
    hidden.rectangle = tuple(properties.source_box_2d)
    properties.quarter_turns = source_quarter_turns(box, camera)
    set_thumbnail(asset)
    for item in (asset, scene):
        item.update_tag()  # writing custom properties does not tell the depsgraph


def remove_assets(scene: bpy.types.Scene, assets: Sequence[bpy.types.Object]) -> None:
    """Take assets out of a scene; those that no other scene shows are deleted.

    Their objects are gone from the picture: the boxes that hide them from the background stay.

    Raises:
        UserError: one is in a collection that is linked from another file; nothing was removed.
    """
    homes = {item: [c for c in item.users_collection if _is_of(scene, c)] for item in assets}
    for item, collections in homes.items():
        if any(not _holds(collection) for collection in collections):
            raise UserError(
                f"'{item.name}' is in a collection that is linked from another file.",
                "Disable it in renders instead, or make a library override of the collection.",
            )
    for item, collections in homes.items():
        for collection in collections:
            collection.objects.unlink(item)
        if not item.users_collection:
            bpy.data.objects.remove(item)


def _is_of(scene: bpy.types.Scene, collection: bpy.types.Collection) -> bool:
    return collection == scene.collection or collection in scene.collection.children_recursive


def _holds(collection: bpy.types.Collection) -> bool:
    """Tell whether this file says what is in a collection."""
    return collection.library is None and collection.override_library is None


def _hidden_box(scene: bpy.types.Scene, properties: AssetProperties) -> bpy.types.PropertyGroup | None:
    """Return the hidden box that an earlier capture of this asset left in this scene."""
    if properties.photo != scene.neural_assets.photo or not has_camera(properties.source_camera):
        return None
    earlier = box_of(properties.source_box)
    return next(
        (item for item in scene.neural_assets.hidden_boxes if box_of(item.world_from_box) == earlier), None
    )


def require_photo(scene: bpy.types.Scene) -> None:
    """Check that a scene has a photo, and the camera that took it.

    Raises:
        UserError: it has not.
    """
    settings = scene.neural_assets
    if settings.photo is None or not has_camera(settings.source_camera):
        raise no_photo()


def no_photo() -> UserError:
    """Return the error of a scene without a photo."""
    return UserError(
        "No photo has been imported into this scene.",
        "Use File > Import > Photo (Neural Assets), or drop a photo onto the viewport.",
        operator="neural_assets.import_photo",
    )


def no_assets() -> UserError:
    """Return the error of a scene without assets."""
    return UserError(
        "There is no asset in the scene.",
        "Add one with the + under View3D > Sidebar > Neural Assets > Assets.",
        operator="neural_assets.add_asset_from_box",
    )


def has_assets(scene: bpy.types.Scene) -> bool:
    """Tell whether the scene has, or had, assets: hiding or deleting one is a removal, not a mistake."""
    return bool(scene.neural_assets.hidden_boxes) or any(item.neural_asset.is_asset for item in scene.objects)


def no_source(name: str) -> UserError:
    """Return the error of an asset that no photo shows."""
    return UserError(
        f"The asset '{name}' has no photo.",
        "Select it and press Box Fits Photo, or delete it and add it again.",
        operator="neural_assets.capture_source",
    )


def has_source(properties: AssetProperties) -> bool:
    """Tell whether a photo shows an asset, and the camera that took it is known."""
    return properties.photo is not None and has_camera(properties.source_camera)


def behind_camera(name: str, frame: int) -> UserError:
    """Return the error of an asset that lies behind the camera as a whole."""
    return UserError(
        f"The asset '{name}' is behind the camera in frame {frame}.",
        "Move it in front of the camera, or disable it for renders in this frame.",
    )


def hide_in_frame(asset: bpy.types.Object, frame: int) -> None:
    """Hide an asset in renders: by a keyframe where its visibility is animated, else in all frames."""
    asset.hide_render = True
    driven = asset.animation_data is not None and asset.animation_data.action is not None
    if driven and _has_curve(asset, "hide_render"):
        asset.keyframe_insert("hide_render", frame=frame)


def _has_curve(item: bpy.types.Object, path: str) -> bool:
    """Tell whether a property is animated: the value that it has between keyframes is a curve's."""
    try:
        found = item.animation_data.action.fcurves  # a proxy from 4.4 on, gone from 5.0 on
    except AttributeError:
        slot = item.animation_data.action_slot
        layers = item.animation_data.action.layers
        bags = [strip.channelbag(slot) for layer in layers for strip in layer.strips] if slot else []
        return any(curve.data_path == path for bag in bags if bag for curve in bag.fcurves)
    return any(curve.data_path == path for curve in found)


def check_rectangle(rectangle: Sequence[float]) -> Rectangle:
    """Return a rectangle as four numbers.

    Raises:
        UserError: they are not, or do not lie inside the photo.
    """
    try:
        x0, y0, x1, y1 = (float(value) for value in rectangle)
    except (TypeError, ValueError) as error:
        raise UserError("A rectangle is four numbers: left, top, right, bottom.") from error
    if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
        raise UserError(
            f"The rectangle ({x0:.3g}, {y0:.3g}, {x1:.3g}, {y1:.3g}) does not lie inside the photo.",
            "Give left, top, right, bottom from 0 to 1, with y pointing down.",
        )
    return x0, y0, x1, y1
