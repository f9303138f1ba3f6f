"""What an artist starts is finished: the 3D box of what is in a rectangle of the photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import bpy
from mathutils import Matrix

from na_core.scene import Box

from ..errors import UserError
from ..scene.assets import DEFAULT_NAME, add_asset, capture_source, check_rectangle, require_photo
from .apply import asset_at, in_scene
from .detect import start_fit
from .result import Detection

Existing = Literal["replace", "keep"]


def fit_asset(
    rectangle: Sequence[float],
    name: str = DEFAULT_NAME,
    *,
    scene: bpy.types.Scene | None = None,
    existing: Existing = "keep",
    should_stop: Callable[[], bool] = lambda: False,
) -> bpy.types.Object:
    """Make an asset of what is in a rectangle of the scene's photo, as the worker sees it; return its empty.

    Its outline, its looks and the ground tell the box: yaw and depth as well, which a rectangle does not.

    Args:
        rectangle: (x0, y0, x1, y1) around the object in the photo, from 0 to 1, y down.
        name: of a new empty.
        scene: the current one if None.
        existing: what becomes of an asset that is there already, see :func:`place_asset`.
        should_stop: polled at least every 50 ms.

    Raises:
        UserError: no photo, a rectangle outside it, or the worker cannot be started or refused.
        RenderCancelled: ``should_stop`` returned true.
    """
    scene = scene or bpy.context.scene
    require_photo(scene)
    checked = check_rectangle(rectangle)
    detection = start_fit(scene, checked).wait(should_stop)
    return place_asset(scene, fitted_box(scene, detection), checked, name, existing)


def fitted_box(scene: bpy.types.Scene, detection: Detection) -> Box:
    """Return the box of the only object of a detection, in the scene.

    Raises:
        UserError: the detection has none.
    """
    if not detection.objects:
        raise UserError("Nothing was found in the rectangle.", "Draw it around the whole object.")
    return Box(in_scene(scene, detection, detection.objects[0].box))


def place_asset(
    scene: bpy.types.Scene, box: Box, rectangle: Sequence[float], name: str, existing: Existing
) -> bpy.types.Object:
    """Make an asset of a box in the photo; return its empty.

    An asset whose rectangle this is already gets the box ("replace"; its name, motion and settings stay), or
    stays as it is beside the new one, with which it shares what the photo shows ("keep").
    """
    present = asset_at(scene, check_rectangle(rectangle)) if existing == "replace" else None
    if present is None:
        return add_asset(box.world_from_box, rectangle, name, scene=scene)
    present.matrix_world = Matrix(box.world_from_box.tolist())
    capture_source(present, rectangle, scene=scene)
    return present
