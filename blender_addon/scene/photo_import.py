"""Importing a photo: the image, the camera that took it, and a scene whose renders look like it."""

from __future__ import annotations

import math
import os

import bpy
import numpy as np

from na_core.geometry.camera import assumed_focal, camera_of_photo, focal_from_35mm
from na_core.scene import Camera

from ..errors import UserError
from ..names import ENGINE
from . import migration
from .assets import no_photo, require_photo
from .camera import camera_message, is_perspective, keep_colours, place_camera
from .exif import Exif, focal_pixels, read_exif
from .photo import load_photo, photo_backgrounds
from .stored import camera_of, has_camera, store_camera
from .thumbnails import keep_small_photo

CAMERA_NAME = "Photo Camera"
CAMERA_HEIGHT = 1.5
PITCH = math.radians(15.0)
"""Downwards: how photos of things on tables and floors are commonly held."""


def import_photo(
    path: str | os.PathLike[str],
    *,
    scene: bpy.types.Scene | None = None,
    focal_length_35mm: float | None = None,
    camera_height: float = CAMERA_HEIGHT,
    pitch: float | None = None,
    camera: Camera | None = None,
) -> bpy.types.Image:
    """Make a photo the scene's background and set the scene up to render pictures like it.

    The photo is packed into the .blend, upright. The scene gets its resolution, an upright camera with the
    photo as background image, this render engine, and colours that leave the photo as it is (view transform
    Standard, no look, no dither). Assets of an earlier photo keep their own photo and stay.

    Args:
        path: of the photo.
        scene: the current one if None.
        focal_length_35mm: 35 mm equivalent in millimetres; if None from EXIF, assumed if that is silent.
        camera_height: metres above the ground plane z = 0.
        pitch: radians downwards; 15 degrees if None.
        camera: the whole camera if it is known; overrides the three above.

    Returns:
        The packed image. :func:`import_summary` tells what was set.

    Raises:
        UserError: no such file, no picture in it, or numbers that make no camera.
    """
    scene = scene or bpy.context.scene
    file = os.path.abspath(os.fspath(path))
    if focal_length_35mm is not None and not focal_length_35mm > 0:
        raise UserError("The focal length must be greater than zero.", "Leave it out if you do not know it.")
    if not (math.isfinite(camera_height) and camera_height > 0):
        raise UserError("The camera must stand above the ground.", "Give its height in metres, such as 1.5.")
    exif = _exif_of(file)
    image = load_photo(file, exif.orientation)
    width, height = image.size
    focal, assumed = _focal(exif, width, height, focal_length_35mm)
    chosen = camera or camera_of_photo(focal, width, height, camera_height, PITCH if pitch is None else pitch)
    target = _photo_camera(scene)
    try:
        place_camera(target, chosen, width, height)
    except UserError:
        bpy.data.images.remove(image)
        raise
    _show_photo(target, image, scene.neural_assets.photo)
    _set_up_output(scene, width, height)
    migration.update(scene)
    settings = scene.neural_assets
    settings.photo = image
    keep_small_photo(image)
    settings.hidden_boxes.clear()
    settings.plate = None
    settings.focal_length_assumed = assumed and camera is None
    settings.focal_length_doubt = 0.0
    scene.view_layers[0].update()
    capture_photo_camera(scene)
    settings.camera_matched = camera is not None
    return image


def capture_photo_camera(scene: bpy.types.Scene | None = None) -> None:
    """Declare that the scene's camera, as it stands now, took the photo.

    For after its pitch, height or lens was put right by hand, before assets are added: assets keep the
    photo's camera of the moment they were captured. Detection keeps it and stands objects on its ground.

    Raises:
        UserError: no photo, or no perspective camera.
    """
    scene = scene or bpy.context.scene
    store_camera(scene.neural_assets.source_camera, _camera_on_photo(scene))
    scene.neural_assets.camera_matched = True
    scene.update_tag()  # writing custom properties does not tell the depsgraph


def use_photo_camera(scene: bpy.types.Scene) -> bpy.types.Object:
    """Let the scene render with a camera that stands where its photo was taken, and return it.

    A camera of the scene that shows the photo is taken if there is one: it keeps where it stands and its
    keyframes. Else a new one is made.

    Raises:
        UserError: no photo.
    """
    require_photo(scene)
    settings = scene.neural_assets
    for item in scene.objects:
        if is_perspective(item) and photo_backgrounds(item, settings.photo):
            scene.camera = item
            return item
    camera = bpy.data.objects.new(CAMERA_NAME, bpy.data.cameras.new(CAMERA_NAME))
    scene.collection.objects.link(camera)
    place_camera(camera, camera_of(settings.source_camera), *settings.photo.size)
    _show_photo(camera, settings.photo, None)
    scene.camera = camera
    return camera


def camera_fits_photo(scene: bpy.types.Scene) -> bool:
    """Tell whether the scene's camera stands where the photo was taken, with the same lens.

    Only then does a rectangle in camera view mean the same rectangle of the photo.

    Raises:
        UserError: no photo, or no perspective camera.
    """
    stored = scene.neural_assets.source_camera
    if scene.neural_assets.photo is None or not has_camera(stored):
        raise no_photo()
    now, then = _camera_on_photo(scene), camera_of(stored)
    return bool(
        np.allclose(now.world_from_camera, then.world_from_camera, atol=1e-4)
        and np.allclose((now.fx, now.fy, now.cx, now.cy), (then.fx, then.fy, then.cx, then.cy), atol=1e-4)
    )


def _camera_on_photo(scene: bpy.types.Scene) -> Camera:
    """Return the scene's camera with intrinsics in units of the photo, whatever the render's resolution."""
    if scene.neural_assets.photo is None:
        raise no_photo()
    view_layer = scene.view_layers[0]
    view_layer.update()
    return camera_message(view_layer.depsgraph, tuple(scene.neural_assets.photo.size))


def import_summary(scene: bpy.types.Scene) -> str:
    """Return what importing the photo changed in the scene, for the report."""
    settings = scene.neural_assets
    focal = "assumed focal length" if settings.focal_length_assumed else "known focal length"
    return (
        f"Imported {settings.photo.name} ({settings.photo.size[0]} x {settings.photo.size[1]}, {focal}). "
        "Set the resolution, the camera, the engine Neural Assets, and for true colours the view transform "
        "Standard, look None, dither 0"
    )


def _exif_of(file: str) -> Exif:
    try:
        with open(file, "rb") as stream:
            return read_exif(stream.read())
    except OSError as error:
        if os.path.exists(file):
            raise UserError(
                f"The photo '{file}' cannot be read ({error.strerror}).", "Choose another file."
            ) from error
        raise UserError(f"There is no photo at '{file}'.", "Choose a file that exists.") from error


def _focal(exif: Exif, width: int, height: int, focal_length_35mm: float | None) -> tuple[float, bool]:
    """Return the focal length in pixels, and whether it is only assumed."""
    if focal_length_35mm is not None:
        return focal_from_35mm(focal_length_35mm, width, height), False
    told = focal_pixels(exif, width, height)
    return (told, False) if told else (assumed_focal(width, height), True)


def _photo_camera(scene: bpy.types.Scene) -> bpy.types.Object:
    """Return the camera of the scene's earlier photo, or a new one: the artist's own camera is left alone."""
    photo, camera = scene.neural_assets.photo, scene.camera
    if (
        photo is not None
        and camera is not None
        and camera.type == "CAMERA"
        and photo_backgrounds(camera, photo)
    ):
        return camera
    camera = bpy.data.objects.new(CAMERA_NAME, bpy.data.cameras.new(CAMERA_NAME))
    scene.collection.objects.link(camera)
    scene.camera = camera
    return camera


def _show_photo(camera: bpy.types.Object, image: bpy.types.Image, earlier: bpy.types.Image | None) -> None:
    """Show the photo behind the camera's view, in place of an earlier one."""
    backgrounds = camera.data.background_images
    for background in [] if earlier is None else photo_backgrounds(camera, earlier):
        backgrounds.remove(background)
    background = backgrounds.new()
    background.image = image
    background.alpha = 1.0
    background.display_depth = "BACK"
    camera.data.show_background_images = True


def _set_up_output(scene: bpy.types.Scene, width: int, height: int) -> None:
    render = scene.render
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    render.engine = ENGINE
    scene.display_settings.display_device = "sRGB"
    keep_colours(scene)
    view = scene.view_settings
    view.exposure, view.gamma, view.use_curve_mapping = 0.0, 1.0, False
