"""Snap to Ground, Mark Front, Refit, and Match Camera by dragging along edges of the photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import bpy
import gpu
from gpu_extras.batch import batch_for_shader

from ..errors import UserError
from ..scene.adjust import mark_front, match_camera, refit, snap_to_ground
from .add_asset import point_in_camera_view
from .reporting import reports_user_errors

LINES = 4
COLOURS = ((1.0, 0.25, 0.2, 1.0), (0.3, 0.9, 0.3, 1.0))
"""Of the lines of the first and of the second direction."""


class AdjustsAssets:
    """Does something to every selected asset."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it for selected assets."""
        if any(item.neural_asset.is_asset for item in context.selected_objects):
            return True
        cls.poll_message_set("Select assets")  # type: ignore[attr-defined]
        return False

    def each(self, context: bpy.types.Context, adjust: Callable[[bpy.types.Object], None]) -> set[str]:
        """Adjust every selected asset."""
        for item in context.selected_objects:
            if item.neural_asset.is_asset:
                adjust(item)
        return {"FINISHED"}


class NEURAL_ASSETS_OT_snap_to_ground(AdjustsAssets, bpy.types.Operator):
    """Move the selected assets up or down until they stand on the ground"""

    bl_idname = "neural_assets.snap_to_ground"
    bl_label = "Snap to Ground"

    ground_height: bpy.props.FloatProperty(name="Ground Height", default=0.0, subtype="DISTANCE")

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Snap them."""
        return self.each(context, lambda item: snap_to_ground(item, self.ground_height))


class NEURAL_ASSETS_OT_mark_front(AdjustsAssets, bpy.types.Operator):
    """Turn the selected assets' fronts to the side that the photo shows; the boxes stay where they are"""

    bl_idname = "neural_assets.mark_front"
    bl_label = "Mark Front"

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Turn them."""
        return self.each(context, mark_front)


class NEURAL_ASSETS_OT_refit(AdjustsAssets, bpy.types.Operator):
    """Fit the selected assets' boxes to their rectangles in the photo again, keeping yaw and proportions"""

    bl_idname = "neural_assets.refit"
    bl_label = "Refit"

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Fit them."""
        return self.each(context, lambda item: refit(item, scene=context.scene))


class NEURAL_ASSETS_OT_match_camera(bpy.types.Operator):
    """Draw two lines along parallel level edges, then two along edges square to them: they tell the camera"""

    bl_idname = "neural_assets.match_camera"
    bl_label = "Match Camera"
    bl_options = {"REGISTER", "UNDO"}

    lines: bpy.props.FloatVectorProperty(
        name="Lines",
        description="Two lines of the first direction and two of the second: x0, y0, x1, y1 in the photo",
        size=4 * LINES,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it once a photo is there."""
        if context.scene.neural_assets.photo is None:
            cls.poll_message_set("Import a photo first")
            return False
        return context.mode == "OBJECT"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Start drawing in camera view."""
        if context.area is None or context.area.type != "VIEW_3D":
            return self.execute(context)
        if context.space_data.region_3d.view_perspective != "CAMERA":
            self.report({"ERROR"}, "Lines are drawn over the photo: press Numpad 0 and try again.")
            return {"CANCELLED"}
        self._drawn: list[tuple[float, float, float, float]] = []
        self._dragged: list[tuple[tuple[int, int], tuple[int, int]]] = []
        self._start: tuple[int, int] | None = None
        self._region = next(region for region in context.area.regions if region.type == "WINDOW")
        self._end = self._point(event)
        self._handle = bpy.types.SpaceView3D.draw_handler_add(self._draw, (), "WINDOW", "POST_PIXEL")
        context.window.cursor_modal_set("CROSSHAIR")
        self._tell(context)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Follow the mouse; a line is taken when the button is released."""
        if event.type in {"RIGHTMOUSE", "ESC"}:
            self._finish(context)
            return {"CANCELLED"}
        if event.type == "MOUSEMOVE":
            self._end = self._point(event)
            context.area.tag_redraw()
        elif event.type == "LEFTMOUSE" and event.value == "PRESS":
            self._start = self._end = self._point(event)
        elif event.type == "LEFTMOUSE" and event.value == "RELEASE" and self._start is not None:
            view = context.space_data.region_3d
            ends = self._start, self._point(event)
            points = [point_in_camera_view(context.scene, self._region, view, end) for end in ends]
            self._drawn.append((*points[0], *points[1]))
            self._dragged.append(ends)
            self._start = None
            self._tell(context)
            if len(self._drawn) == LINES:
                self._finish(context)
                self.lines = [value for line in self._drawn for value in line]
                return self.execute(context)
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Clean up when Blender ends the operator, as on loading a file."""
        self._finish(context)

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the camera."""
        each = [_line(self.lines[i : i + 4]) for i in range(0, 4 * LINES, 4)]
        if all(line == (0, 0, 0, 0) for line in each):
            raise UserError("No lines were drawn.", "Draw two along each of two level directions.")
        match_camera(each[:2], each[2:], scene=context.scene)
        return {"FINISHED"}

    def _point(self, event: bpy.types.Event) -> tuple[int, int]:
        return event.mouse_x - self._region.x, event.mouse_y - self._region.y

    def _tell(self, context: bpy.types.Context) -> None:
        number = len(self._drawn)
        what = "an edge" if number == 0 else "a parallel edge" if number == 1 else "an edge square to them"
        what = "one parallel to that" if number == 3 else what
        context.workspace.status_text_set(
            f"Line {min(number + 1, LINES)} of {LINES}: drag along {what}. Right click or Esc cancels"
        )

    def _finish(self, context: bpy.types.Context) -> None:
        if self._handle is not None:
            bpy.types.SpaceView3D.draw_handler_remove(self._handle, "WINDOW")
            self._handle = None
            context.window.cursor_modal_restore()
            context.workspace.status_text_set(None)
            if context.area is not None:
                context.area.tag_redraw()

    def _draw(self) -> None:
        if bpy.context.region != self._region:
            return
        lines = [*self._dragged, *([(self._start, self._end)] if self._start is not None else [])]
        shader = gpu.shader.from_builtin("UNIFORM_COLOR")
        for number, (start, end) in enumerate(lines):
            batch = batch_for_shader(shader, "LINES", {"pos": [(*start, 0), (*end, 0)]})
            shader.bind()
            shader.uniform_float("color", COLOURS[number // 2])
            batch.draw(shader)


def _line(values: Sequence[float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (float(value) for value in values)
    return x0, y0, x1, y1


CLASSES = (
    NEURAL_ASSETS_OT_snap_to_ground,
    NEURAL_ASSETS_OT_mark_front,
    NEURAL_ASSETS_OT_refit,
    NEURAL_ASSETS_OT_match_camera,
)
