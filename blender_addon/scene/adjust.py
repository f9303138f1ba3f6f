"""Putting a box or the camera right by hand: on the ground, front to the camera, to a rectangle, to lines."""

from __future__ import annotations

import math
from collections.abc import Sequence

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from na_core.geometry.boxes import box_corners, box_matrix, relabelled, source_quarter_turns
from na_core.geometry.face_drag import FACES, refit_to_face
from na_core.geometry.lifting import LiftingError, ground_contact
from na_core.geometry.vanishing import Line, VanishingError, camera_from_lines
from na_core.scene import Box, Camera

from ..errors import UserError
from .assets import asset_objects, box_of_rectangle, capture_source, check_rectangle, require_photo
from .camera import place_camera
from .photo_import import capture_photo_camera
from .stored import box_of, camera_of, flat, store_camera


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
    box = box_of_rectangle(
        scene,
        chosen,
        ground_height=float(box_corners(matrix)[:, 2].min()),
        depth_ratio=float(depth / max(width, 1e-9)),
        yaw=math.atan2(matrix[1, 0], matrix[0, 0]),
    )
    asset.matrix_world = Matrix(box.world_from_box.tolist())
    capture_source(asset, chosen, scene=scene)


def drag_face(
    asset: bpy.types.Object, face: int, distance: float, *, scene: bpy.types.Scene | None = None
) -> None:
    """Move one face of an asset's box and let the rest fit the photo as before; the box is captured again.

    Args:
        asset: of the scene's photo.
        face: by number in :data:`na_core.geometry.face_drag.FACES`.
        distance: metres outwards.
        scene: the current one if None.

    Raises:
        UserError: no photo, not an asset, or no such face.
    """
    scene = scene or bpy.context.scene
    require_photo(scene)
    _properties(asset)
    if not 0 <= face < len(FACES):
        raise UserError(f"A box has no face {face}.", f"Give 0 to 5: {', '.join(FACES)}.")
    camera = camera_of(scene.neural_assets.source_camera)
    box = refit_to_face(camera, Box(world_matrix(asset)), face, distance)
    asset.matrix_world = Matrix(box.world_from_box.tolist())
    capture_source(asset, scene=scene)


def turn_front(asset: bpy.types.Object, yaw: float, *, scene: bpy.types.Scene | None = None) -> None:
    """Turn an asset's box until its front (-Y) looks that way; fit it to its rectangle in the photo again.

    Args:
        asset: of the scene's photo.
        yaw: radians about world Z; the front looks along -Y at 0.
        scene: the current one if None.

    Raises:
        UserError: no photo, not an asset, or a rectangle that no box on the ground explains.
    """
    _properties(asset)
    before = world_matrix(asset)
    asset.matrix_world = Matrix(turned(Box(before), yaw).world_from_box.tolist())
    try:
        refit(asset, scene=scene)
    except UserError:
        asset.matrix_world = Matrix(before.tolist())
        raise


def turned(box: Box, yaw: float) -> Box:
    """Return a box turned about its vertical axis to a yaw in radians; its size and its centre stay."""
    matrix = box.world_from_box
    return Box(box_matrix(matrix[:3, 3], np.linalg.norm(matrix[:3, :3], axis=0), yaw))


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
    settings.focal_length_doubt = 0.0


def set_length(line: Line, length: float, *, scene: bpy.types.Scene | None = None) -> None:
    """Say how long something on the ground is: the scene gets that scale, and everything looks as before.

    The camera that took the photo is raised or lowered, and the photo's assets and the boxes that they were
    captured with are scaled about the point below it.

    Args:
        line: x0, y0, x1, y1 in the photo, along the ground.
        length: metres.
        scene: the current one if None.

    Raises:
        UserError: no photo, a line that does not lie on the ground, or an asset that is animated already.
    """
    scene = scene or bpy.context.scene
    require_photo(scene)
    settings = scene.neural_assets
    camera = camera_of(settings.source_camera)
    if not (math.isfinite(length) and length > 0):
        raise UserError("A length must be greater than zero.", "Give it in metres, such as 0.3.")
    mine = [item for item in asset_objects(scene) if item.neural_asset.photo == settings.photo]
    for item in mine:
        if item.animation_data is not None or item.parent is not None:
            raise UserError(
                f"'{item.name}' is animated or has a parent, and would not be scaled along.",
                "Give the length before you animate.",
            )
    try:
        (first, _), (last, _) = (ground_contact(camera, line[i : i + 2]) for i in (0, 2))
    except LiftingError as error:
        raise UserError("The line does not lie on the ground.", "Draw it below the horizon.") from error
    distance = float(np.linalg.norm(last - first))
    if distance < 1e-6:
        raise UserError("The line is too short.", "Drag from one end of the length to the other.")
    larger = _scaling(length / distance, camera.world_from_camera[:2, 3])
    scaled = _scaled(camera, larger)
    set_photo_camera(scene, scaled)
    for hidden in settings.hidden_boxes:
        hidden.world_from_box = flat(larger @ box_of(hidden.world_from_box).world_from_box)
    for item in mine:
        properties, matrix = item.neural_asset, world_matrix(item)
        source = box_of(properties.source_box).world_from_box
        unmoved = np.allclose(matrix, source, atol=1e-5) and camera_of(properties.source_camera) == camera
        item.matrix_world = Matrix((larger @ matrix).tolist())
        properties.source_box = flat(larger @ source)
        store_camera(properties.source_camera, _scaled(camera_of(properties.source_camera), larger))
        if unmoved:  # to the bit: it shows the photo as it is
            capture_source(item, tuple(properties.source_box_2d), scene=scene)
        item.update_tag()
    scene.update_tag()


def _scaling(factor: float, about: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (4, 4) that scales the world about a point (2,) on the ground."""
    matrix = np.diag([factor, factor, factor, 1.0])
    matrix[:2, 3] = (1 - factor) * np.asarray(about)
    return matrix


def _scaled(camera: Camera, larger: NDArray[np.float64]) -> Camera:
    """Return a camera that sees a scaled world as before."""
    matrix = camera.world_from_camera.copy()
    matrix[:3, 3] = (larger @ camera.world_from_camera)[:3, 3]
    return Camera(matrix, fx=camera.fx, fy=camera.fy, cx=camera.cx, cy=camera.cy)


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
