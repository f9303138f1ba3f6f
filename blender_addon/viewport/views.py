"""What a viewport looks at: a camera, and where in the region its picture goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np

from na_core.geometry.camera import camera_from_projection
from na_core.scene import Camera

from ..errors import UserError
from ..scene.camera import camera_message, resolution

LARGEST_SIDE = 2048
"""Pixels of the longest side of a viewport's picture; it is enlarged beyond."""

Place = tuple[float, float, float, float]
"""Left, bottom, right and top in a region's pixels, from its lower left corner."""


@dataclass(frozen=True)
class View:
    """What a viewport looks at.

    Attributes:
        camera: that sees it.
        size: width and height of the picture in pixels.
        place: where the picture goes in the region.
        through_camera: whether the viewport looks through a camera of the scene, else freely.
        is_scene_camera: whether that camera is the one that F12 renders.
    """

    camera: Camera
    size: tuple[int, int]
    place: Place
    through_camera: bool
    is_scene_camera: bool = False

    def shows_the_same_as(self, other: View | None) -> bool:
        """Tell whether another view's picture serves this one, too, wherever it goes in the region."""
        return other is not None and (self.size, self.through_camera, self.is_scene_camera, self.camera) == (
            other.size,
            other.through_camera,
            other.is_scene_camera,
            other.camera,
        )


def view_of(depsgraph: bpy.types.Depsgraph, space: Any, region_data: Any, region: tuple[int, int]) -> View:
    """Return what a viewport looks at.

    Args:
        depsgraph: evaluated.
        space: the viewport's; its own camera counts where it has one.
        region_data: the viewport's, with the matrices that Blender draws with.
        region: width and height in pixels.

    Raises:
        UserError: the view is orthographic, or its camera is no perspective camera.
    """
    if region_data.view_perspective == "CAMERA":
        item = space.camera if space.use_local_camera else None
        return _through_camera(depsgraph, item, region_data, region)
    if region_data.view_perspective == "ORTHO":
        raise UserError(
            "Orthographic views are not shown.",
            "Press Numpad 5 for perspective, or Numpad 0 to look through the camera.",
        )
    width, height = region
    size = _limited(width, height, LARGEST_SIDE)
    return View(_free_camera(region_data), size, (0.0, 0.0, float(width), float(height)), False)


def place_of(camera: Camera, seen: Camera, region: tuple[int, int]) -> Place:
    """Return where a region shows the frame of a camera.

    Args:
        camera: of the frame.
        seen: the region as a camera, in the same place and turned alike.
        region: width and height in pixels.
    """
    width, height = region
    left, right = ((side - camera.cx) / camera.fx * seen.fx + seen.cx for side in (0, 1))
    top, bottom = ((side - camera.cy) / camera.fy * seen.fy + seen.cy for side in (0, 1))
    return left * width, (1 - bottom) * height, right * width, (1 - top) * height


def _through_camera(
    depsgraph: bpy.types.Depsgraph, item: bpy.types.Object | None, region_data: Any, region: tuple[int, int]
) -> View:
    camera = camera_message(depsgraph, item=item)
    place = place_of(camera, _free_camera(region_data), region)
    largest = min(max(resolution(depsgraph.scene_eval)), LARGEST_SIDE)
    size = _limited(place[2] - place[0], place[3] - place[1], largest)
    own = item is None or item.original == depsgraph.scene.camera
    return View(camera, size, place, True, own)


def _free_camera(region_data: Any) -> Camera:
    """Return a region as a camera."""
    world_from_view = np.linalg.inv(np.array(region_data.view_matrix, dtype=np.float64))
    return camera_from_projection(world_from_view, np.array(region_data.window_matrix))


def _limited(width: float, height: float, largest: int) -> tuple[int, int]:
    """Return a size in whole pixels, reduced where its longer side is larger than allowed."""
    scale = min(1.0, largest / max(width, height, 1))
    return max(1, round(width * scale)), max(1, round(height * scale))
