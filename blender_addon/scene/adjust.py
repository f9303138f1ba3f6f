"""Putting a box or the camera right by hand: on the ground, front to the camera, to a rectangle, to lines."""

from __future__ import annotations

import math
from collections.abc import Sequence

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from na_core.geometry.boxes import box_corners, relabelled, source_quarter_turns
from na_core.geometry.lifting import LiftingError, box_from_rectangle
from na_core.geometry.vanishing import Line, VanishingError, camera_from_lines
from na_core.scene import Box, Camera

from ..errors import UserError
from .assets import capture_source, check_rectangle, require_photo
from .camera import place_camera
from .photo_import import capture_photo_camera
from .stored import camera_of


def snap_to_ground(asset: bpy.types.Object, ground_height: float = 0.0) -> None:
    """Move an asset straight up or down until its lowest corner is on the ground.

    Args:
        asset: whose box now fits the photo, or is on its way; only the object moves.
        ground_height: z of the ground in metres.
    """
    matrix = world_matrix(asset)
    matrix[2, 3] += ground_height - float(box_corners(matrix)[:, 2].min())
    asset.matrix_world = Matrix(matrix.tolist())


def mark_front(asset: bpy.types.Object) -> None:
    """Turn an asset's front (-Y) to the side that its photo shows; the box stays where it is.

    Width and depth are exchanged along with it. The box is captured again if it was where the photo shows it.

    Raises:
        UserError: not an asset.
    """
    properties = _properties(asset)
    matrix = world_matrix(asset)
    fits = np.allclose(matrix.ravel(), tuple(properties.source_box), atol=1e-5)
    turns = source_quarter_turns(Box(matrix), camera_of(properties.source_camera))
    asset.matrix_world = Matrix(relabelled(Box(matrix), turns).tolist())
    if fits:
        capture_source(asset, tuple(properties.source_box_2d))


def refit(
    asset: bpy.types.Object,
    rectangle: Sequence[float] | None = None,
    *,
    scene: bpy.types.Scene | None = None,
) -> None:
    """Fit an asset's box to a rectangle in the photo again, with its yaw and its ratio of depth to width.

    Args:
        asset: of the scene's photo.
        rectangle: (x0, y0, x1, y1) around the object in the photo; the asset's own if None.
        scene: the current one if None.

    Raises:
        UserError: no photo, not an asset, or a rectangle that no box on the ground explains.
    """
    scene = scene or bpy.context.scene
    require_photo(scene)
    chosen = check_rectangle(_properties(asset).source_box_2d if rectangle is None else rectangle)
    matrix = world_matrix(asset)
    width, depth = np.linalg.norm(matrix[:3, :2], axis=0)
    try:
        box = box_from_rectangle(
            camera_of(scene.neural_assets.source_camera),
            chosen,
            ground_height=float(box_corners(matrix)[:, 2].min()),
            depth_ratio=float(depth / max(width, 1e-9)),
            yaw=math.atan2(matrix[1, 0], matrix[0, 0]),
        )
    except LiftingError as error:
        raise UserError(str(error)) from error
    asset.matrix_world = Matrix(box.world_from_box.tolist())
    capture_source(asset, chosen, scene=scene)


def match_camera(
    first: Sequence[Line], second: Sequence[Line], *, scene: bpy.types.Scene | None = None
) -> None:
    """Find the camera that took the scene's photo from edges in it, and make it the scene's.

    Its height above the ground, which is the scene's scale, stays. Assets that are there already keep the
    camera that they were captured with.

    Args:
        first: two lines or more (x0, y0, x1, y1) in the photo, parallel and horizontal in the world.
        second: two or more that are horizontal as well and square to the first.
        scene: the current one if None.

    Raises:
        UserError: no photo, or lines that tell no camera.
    """
    scene = scene or bpy.context.scene
    require_photo(scene)
    settings = scene.neural_assets
    stored = camera_of(settings.source_camera).world_from_camera
    width, height = settings.photo.size
    try:
        camera = camera_from_lines(first, second, width, height, max(float(stored[2, 3]), 1e-3))
    except VanishingError as error:
        raise UserError(str(error)) from error
    set_photo_camera(scene, camera)
    settings.focal_length_assumed = False


def set_photo_camera(scene: bpy.types.Scene, camera: Camera) -> None:
    """Make a camera the one that took the scene's photo: the scene's own is turned and gets its lens.

    It stays above the same place, at the new one's height.
    """
    stored = camera_of(scene.neural_assets.source_camera)
    matrix = camera.world_from_camera.copy()
    matrix[:2, 3] = stored.world_from_camera[:2, 3]
    moved = Camera(matrix, fx=camera.fx, fy=camera.fy, cx=camera.cx, cy=camera.cy)
    place_camera(scene.camera, moved, *scene.neural_assets.photo.size)
    scene.view_layers[0].update()
    capture_photo_camera(scene)


def world_matrix(asset: bpy.types.Object) -> NDArray[np.float64]:
    """Return an object's transform (4, 4) as it stands, constraints and parents included."""
    return np.array(asset.matrix_world, dtype=np.float64)


def _properties(asset: bpy.types.Object) -> bpy.types.PropertyGroup:
    if not asset.neural_asset.is_asset:
        raise UserError(f"'{asset.name}' is not an asset.", "Choose the empty of an asset.")
    return asset.neural_asset
