"""Assets' boxes over the photo in the viewport: the front face crossed, the axes in Blender's colours."""

from __future__ import annotations

from typing import Any

import bpy
import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from numpy.typing import NDArray

from na_core.geometry.boxes import box_corners

from .scene.assets import asset_objects

AXIS_COLOURS = ((0.95, 0.25, 0.3, 1.0), (0.5, 0.85, 0.15, 1.0), (0.25, 0.5, 0.95, 1.0))
"""Of x, y and z, as Blender's own."""

FRONT_CORNERS = (0, 4, 5, 1)
"""Around the face at local -Y; see :data:`na_core.geometry.boxes.UNIT_CORNERS`."""

LINE_WIDTH = 2.0

Colour = tuple[float, float, float, float]


def overlay_lines(assets: list[bpy.types.Object]) -> dict[Colour, NDArray[np.float32]]:
    """Return what is drawn, by colour: the ends of lines (2 n, 3) in world metres.

    Of each asset: the border of its front face and its diagonals in the object's colour; and from its middle
    an axis to each side, half as long as the box.
    """
    lines: dict[Colour, list[Any]] = {}
    for asset in assets:
        matrix = np.array(asset.matrix_world, dtype=np.float64)
        corners = box_corners(matrix)
        a, b, c, d = (corners[i] for i in FRONT_CORNERS)
        colour = tuple(float(value) for value in asset.color)
        lines.setdefault(colour, []).extend([a, b, b, c, c, d, d, a, a, c, b, d])  # type: ignore[arg-type]
        middle = matrix[:3, 3]
        for axis, shade in enumerate(AXIS_COLOURS):
            lines.setdefault(shade, []).extend([middle, middle + matrix[:3, axis] / 2])
    return {colour: np.array(ends, dtype=np.float32) for colour, ends in lines.items()}


def _draw() -> None:
    context = bpy.context
    if not context.scene.neural_assets.show_boxes or not context.space_data.overlay.show_overlays:
        return
    visible = [item for item in asset_objects(context.scene) if item.visible_get()]
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    shader.bind()
    shader.uniform_float("viewportSize", (context.region.width, context.region.height))
    shader.uniform_float("lineWidth", LINE_WIDTH)
    gpu.state.blend_set("ALPHA")
    for colour, ends in overlay_lines(visible).items():
        shader.uniform_float("color", colour)
        batch_for_shader(shader, "LINES", {"pos": ends.tolist()}).draw(shader)
    gpu.state.blend_set("NONE")


_handle: object | None = None


def register() -> None:
    """Draw in every 3D viewport from now on."""
    global _handle
    _handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_VIEW")


def unregister() -> None:
    """Draw no more."""
    global _handle
    if _handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
        _handle = None
