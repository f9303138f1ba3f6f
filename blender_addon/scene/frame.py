"""A frame of the scene as the one message that the worker renders from.

Everything comes from the evaluated depsgraph that is given, never from ``bpy.context``: keyframes,
constraints, drivers, parents, physics and instances then work by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import bpy
import numpy as np

from na_core.geometry.boxes import is_behind
from na_core.scene import (
    MAX_SHADOW_STRENGTH,
    MAX_SIDE,
    SAMPLING_PRESETS,
    Asset,
    AssetView,
    Background,
    Box,
    Camera,
    Frame,
    Photo,
    PlacedAsset,
    Rectangle,
    RenderJob,
    Sampling,
    SceneError,
)

from ..errors import UserError
from .asset_mesh import asset_mesh
from .assets import behind_camera, has_assets, has_source, no_assets, no_photo, no_source
from .camera import camera_message, too_large
from .painting import Layer, ObjectLayer, painted_photo
from .photo import photo_of
from .properties import AssetProperties
from .seeds import seed_of
from .stored import box_of, camera_of, has_camera


@dataclass
class PhotoStore:
    """The photos and meshes that a frame uses: their bytes by SHA-256, each image read once."""

    bytes_by_sha256: dict[str, bytes] = field(default_factory=dict)
    _photos: dict[bpy.types.Image, Photo] = field(default_factory=dict)

    def photo(self, image: bpy.types.Image) -> Photo:
        """Return the message of an image and keep its bytes.

        Raises:
            UserError: the photo cannot be read.
        """
        original = image.original
        if original not in self._photos:
            photo, data = photo_of(original)
            self._photos[original] = photo
            self.bytes_by_sha256[photo.sha256] = data
        return self._photos[original]

    def painted(
        self, image: bpy.types.Image | None, layer: Layer, photo: bpy.types.Image, whose: str
    ) -> Photo | None:
        """Return the message of a painted layer and keep its bytes; None where none was painted.

        Raises:
            UserError: it cannot be used, see :func:`blender_addon.scene.painting.painted_photo`.
        """
        if image is None:
            return None
        painted, data = painted_photo(image, layer, photo, whose)
        self.bytes_by_sha256[painted.sha256] = data
        return painted


def frame_message(
    depsgraph: bpy.types.Depsgraph, photos: PhotoStore | None = None, camera: Camera | None = None
) -> Frame:
    """Return the frame that the evaluated depsgraph stands at.

    Args:
        depsgraph: evaluated; its scene, frame, camera and objects count. Assets that are disabled in renders
            are left out: the object is then gone from the picture.
        photos: collects the photos' bytes, for the worker.
        camera: another than the scene's, such as a viewport's; assets behind it are left out.

    Raises:
        UserError: no camera, no photo, no asset, an unreadable photo, or an asset behind the camera.
    """
    photos = photos or PhotoStore()
    scene = depsgraph.scene_eval
    seen_by = camera or camera_message(depsgraph)
    background = _background(scene, photos)
    assets = _placed_assets(depsgraph, photos)
    if not assets and not has_assets(depsgraph.scene):
        raise no_assets()
    if camera is not None:
        return Frame(camera, tuple(each for each in assets if not is_behind(camera, each.box)), background)
    for placed in assets:
        if is_behind(seen_by, placed.box):
            raise behind_camera(placed.asset.name, scene.frame_current)
    return Frame(camera=seen_by, assets=tuple(assets), background=background)


def photo_message(depsgraph: bpy.types.Depsgraph, photos: PhotoStore) -> Frame:
    """Return the frame as the photo's camera sees it, for its photos to be taken apart.

    Raises:
        UserError: no photo, or an unreadable one.
    """
    background = _background(depsgraph.scene_eval, photos)
    return Frame(background.source_camera, tuple(_placed_assets(depsgraph, photos, whole=False)), background)


def _background(scene: bpy.types.Scene, photos: PhotoStore) -> Background:
    settings = scene.neural_assets
    if settings.photo is None or not has_camera(settings.source_camera):
        raise no_photo()
    hidden, photo = settings.hidden_boxes, settings.photo

    def painted(layer: ObjectLayer) -> tuple[Photo | None, ...]:
        """Return a layer of the hidden boxes, if any of them has one."""
        each = [photos.painted(getattr(item, layer), layer, photo, item.name) for item in hidden]
        return tuple(each) if any(each) else ()

    return Background(
        photo=photos.photo(photo),
        source_camera=camera_of(settings.source_camera),
        hidden_boxes=tuple(box_of(item.world_from_box) for item in hidden),
        plate=photos.painted(settings.plate, "plate", photo, scene.name),
        outlines=painted("outline"),
        shadow_images=painted("shadow_image"),
        rectangles=_rectangles(hidden),
    )


def _rectangles(hidden: bpy.types.bpy_prop_collection) -> tuple[Rectangle | None, ...]:
    """Return the 2D boxes of hidden boxes; files from before they were stored have none."""
    found = tuple(_rectangle(item.rectangle) if any(item.rectangle) else None for item in hidden)
    return found if any(found) else ()


def sampling_message(
    depsgraph: bpy.types.Depsgraph, width: int, height: int, *, one_frame: bool = True
) -> Sampling:
    """Return how to sample a picture of width x height pixels, keyframes applied.

    Args:
        depsgraph: evaluated.
        width, height: of the picture.
        one_frame: it is for this frame alone; else for many, which then share the scene's seed.

    Raises:
        UserError: the picture is larger than the worker renders.
    """
    settings = depsgraph.scene_eval.neural_assets
    if max(width, height) > MAX_SIDE:
        raise too_large(width, height)
    named = SAMPLING_PRESETS.get(settings.preset)
    steps, guidance = named or (settings.steps, settings.guidance)
    return Sampling(
        steps=steps,
        guidance=guidance,
        seed=seed_of(settings, depsgraph.scene_eval.frame_current) if one_frame else settings.seed,
        preset=settings.preset if named else "custom",
        width=width,
        height=height,
        prompt=settings.refiner_prompt,
        strength=settings.refiner_strength,
        reach=settings.refiner_reach,
    )


def job_message(
    depsgraph: bpy.types.Depsgraph,
    width: int,
    height: int,
    *,
    passes: Sequence[str] = (),
    beside: tuple[Frame | None, Frame | None] = (None, None),
    photos: PhotoStore | None = None,
) -> tuple[RenderJob, dict[str, bytes]]:
    """Return the job of rendering the depsgraph's frame, and the photos' bytes by SHA-256.

    Args:
        depsgraph: see :func:`frame_message`.
        width, height: of the picture in pixels.
        passes: of :data:`na_core.scene.PASS_NAMES`, that are wanted beside it.
        beside: the frames before and after it, for its motion.
        photos: what was read of photos already.

    Raises:
        UserError: see :func:`frame_message` and :func:`sampling_message`.
    """
    photos = photos or PhotoStore()
    frame = frame_message(depsgraph, photos)
    try:
        sampling = sampling_message(depsgraph, width, height)
        job = RenderJob((frame,), sampling, passes=tuple(passes), before=beside[0], after=beside[1])
    except SceneError as error:
        raise UserError(f"The scene cannot be rendered: {error}.") from error
    return job, photos.bytes_by_sha256


def _placed_assets(
    depsgraph: bpy.types.Depsgraph, photos: PhotoStore, *, whole: bool = True
) -> list[PlacedAsset]:
    """Return every asset that renders, instances included, in an order that does not depend on Blender's.

    Whole, or without meshes and other views: what taking a photo apart does not need.
    """
    in_viewport = depsgraph.mode == "VIEWPORT"
    hidden = hidden_in_renders(depsgraph.scene, depsgraph.view_layer) if in_viewport else set()
    found: list[tuple[tuple[str, tuple[int, ...]], PlacedAsset]] = []
    for instance in depsgraph.object_instances:
        item = instance.object
        shown = instance.parent if instance.is_instance else item
        if not item.neural_asset.is_asset or item.type != "EMPTY":
            continue
        if item.hide_render or (shown is not None and (shown.hide_render or shown.original in hidden)):
            continue
        matrix = np.array(instance.matrix_world, dtype=np.float64)  # the instance is gone with the next one
        order = (shown.name if shown else "") + "\0" + item.name, tuple(instance.persistent_id)
        asset = _asset(item.name, item.neural_asset, photos)
        if whole:
            asset = replace(asset, views=_views(item.name, item.neural_asset, photos))
        shape = asset_mesh(item, depsgraph) if whole else None
        if shape is not None:
            photos.bytes_by_sha256.update(shape.files)
            asset = replace(asset, mesh=shape.mesh)
        placed = PlacedAsset(asset, Box(matrix), **_placed_properties(item.neural_asset))
        if shape is not None and shape.deformed is not None:
            placed = replace(placed, deformed=shape.deformed)
        found.append((order, placed))
    return [placed for _, placed in sorted(found, key=lambda entry: entry[0])]


def _asset(name: str, properties: AssetProperties, photos: PhotoStore) -> Asset:
    if not has_source(properties):
        raise no_source(name)
    return Asset(
        name=name,
        photo=photos.photo(properties.photo),
        source_box=box_of(properties.source_box),
        source_camera=camera_of(properties.source_camera),
        source_box_2d=_rectangle(properties.source_box_2d),
        quarter_turns=properties.quarter_turns,
        outline=photos.painted(properties.outline, "outline", properties.photo, name),
        shadow_image=photos.painted(properties.shadow_image, "shadow_image", properties.photo, name),
    )


def _views(name: str, properties: AssetProperties, photos: PhotoStore) -> tuple[AssetView, ...]:
    return tuple(
        AssetView(
            photo=photos.photo(view.photo),
            source_box=box_of(view.source_box),
            source_camera=camera_of(view.source_camera),
            source_box_2d=_rectangle(view.source_box_2d),
            outline=photos.painted(view.outline, "outline", view.photo, name),
        )
        for view in properties.views
        if view.photo is not None
    )


def _rectangle(stored: bpy.types.bpy_prop_array) -> Rectangle:
    x0, y0, x1, y1 = (min(max(float(value), 0.0), 1.0) for value in stored)
    return x0, y0, x1, y1


def _placed_properties(properties: AssetProperties) -> dict[str, Any]:
    """Return how an asset looks where it stands; what drivers and curves set may lie outside the ranges."""
    return {
        "shadow_strength": min(max(float(properties.shadow_strength), 0.0), MAX_SHADOW_STRENGTH),
        "match_light": min(max(float(properties.match_light), 0.0), 1.0),
    }


def hidden_in_renders(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer) -> set[bpy.types.Object]:
    """Return objects that only collections disabled in renders hold: a viewport's depsgraph has them."""
    shown: set[bpy.types.Object] = set()

    def visit(layer: bpy.types.LayerCollection) -> None:
        if layer.exclude or layer.collection.hide_render:
            for child in layer.children:
                if layer.exclude and not layer.collection.hide_render:
                    visit(child)
            return
        shown.update(layer.collection.objects)
        for child in layer.children:
            visit(child)

    visit(view_layer.layer_collection)
    return {item for item in scene.objects if item not in shown}
