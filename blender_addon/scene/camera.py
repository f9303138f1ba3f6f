"""Blender's camera to and from ``na_core.scene.Camera``."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix

from na_core.geometry.camera import camera_from_projection
from na_core.scene import MAX_SIDE, Camera

from ..errors import UserError


def camera_message(
    depsgraph: bpy.types.Depsgraph,
    size: tuple[int, int] | None = None,
    item: bpy.types.Object | None = None,
) -> Camera:
    """Return the scene's camera as the evaluated depsgraph has it.

    Resolution percentage, pixel aspect, sensor fit and lens shift are all in the result, through Blender's
    own projection matrix.

    Args:
        depsgraph: evaluated.
        size: width and height of another picture with square pixels that it takes, such as the photo.
        item: another camera than the scene's, such as a viewport's own.

    Raises:
        UserError: the scene has no camera, or it is not a perspective one.
    """
    scene = depsgraph.scene_eval
    camera = item or scene.camera
    if camera is None:
        raise no_camera()
    evaluated = camera.evaluated_get(depsgraph)
    if not is_perspective(evaluated):
        raise not_perspective(camera)
    width, height = size or resolution(scene)
    projection = evaluated.calc_matrix_camera(
        depsgraph,
        x=width,
        y=height,
        scale_x=1.0 if size else scene.render.pixel_aspect_x,
        scale_y=1.0 if size else scene.render.pixel_aspect_y,
    )
    return camera_from_projection(np.array(evaluated.matrix_world), np.array(projection))


def is_perspective(camera: bpy.types.Object) -> bool:
    """Tell whether an object is a camera that frames can be rendered with."""
    return isinstance(camera.data, bpy.types.Camera) and camera.data.type == "PERSP"


def no_camera() -> UserError:
    """Return the error of a scene without a camera."""
    return UserError(
        "The scene has no camera.",
        "Import a photo, which brings one, or add one with Add > Camera.",
        operator="neural_assets.import_photo",
    )


def not_perspective(camera: bpy.types.Object) -> UserError:
    """Return the error of a camera of another kind."""
    return UserError(
        f"The camera '{camera.name}' is not a perspective camera.",
        "Set Properties > Camera > Lens > Type to Perspective.",
    )


def resolution(scene: bpy.types.Scene) -> tuple[int, int]:
    """Return the picture's size in pixels, percentage included, rounded as Blender rounds it."""
    render = scene.render
    return (
        max(1, render.resolution_x * render.resolution_percentage // 100),
        max(1, render.resolution_y * render.resolution_percentage // 100),
    )


def too_large(width: int, height: int) -> UserError:
    """Return the error of a picture that the worker does not render."""
    return UserError(
        f"A picture of {width} x {height} pixels is larger than {MAX_SIDE} pixels on a side.",
        "Lower the resolution or its percentage under Output Properties > Format.",
    )


def keep_colours(scene: bpy.types.Scene) -> None:
    """Let the scene's view transform, look and dither leave colours as the photo has them."""
    scene.render.dither_intensity = 0.0
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.look = "None"


def place_camera(target: bpy.types.Object, camera: Camera, width: int, height: int) -> None:
    """Set a camera object so that it renders a width x height picture as ``camera`` sees it.

    Raises:
        UserError: the pixels are not square.
    """
    if abs(camera.fx * width / (camera.fy * height) - 1) > 1e-3:
        raise UserError(
            "The camera's pixels are not square: its horizontal and vertical focal lengths differ.",
            "Give one focal length in pixels for both.",
        )
    lens = target.data
    lens.type = "PERSP"
    lens.sensor_fit = "HORIZONTAL"
    lens.lens_unit = "MILLIMETERS"
    lens.lens = camera.fx * lens.sensor_width
    lens.shift_x = 0.5 - camera.cx
    lens.shift_y = (camera.cy - 0.5) * height / width
    target.matrix_world = Matrix(camera.world_from_camera.tolist())
