"""Snap to Ground, Mark Front, Refit, and Match Camera by dragging along edges of the photo."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import bpy

from ..errors import UserError
from ..scene.adjust import mark_front, match_camera, refit, set_length, snap_to_ground
from .drag import DragsOverPhoto, Point, draw_lines
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

    ground_height: bpy.props.FloatProperty(
        name="Ground Height",
        description="How high the ground lies that they are to stand on",
        default=0.0,
        subtype="DISTANCE",
    )

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


class NEURAL_ASSETS_OT_match_camera(DragsOverPhoto, bpy.types.Operator):
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

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Start drawing in camera view."""
        if context.area is None or context.area.type != "VIEW_3D":
            return self.execute(context)
        self._ends: list[tuple[Point, Point]] = []
        self._drawn: list[float] = []
        return self.begin(context, event, _next_line(0))

    def dragged(self, context: bpy.types.Context, start: Point, end: Point) -> str | None:
        """Take a line."""
        self._ends.append((start, end))
        self._drawn += [*self.in_photo(context, start), *self.in_photo(context, end)]
        if len(self._ends) < LINES:
            return _next_line(len(self._ends))
        self.lines = self._drawn
        return None

    def draw_drag(self, start: Point | None, end: Point) -> None:
        """Draw the lines, each direction in its colour."""
        lines = [*self._ends, *([(start, end)] if start is not None else [])]
        for number, ends in enumerate(lines):
            draw_lines("LINES", list(ends), COLOURS[number // 2])

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the camera."""
        each = [_line(self.lines[i : i + 4]) for i in range(0, 4 * LINES, 4)]
        if all(line == (0, 0, 0, 0) for line in each):
            raise UserError("No lines were drawn.", "Draw two along each of two level directions.")
        match_camera(each[:2], each[2:], scene=context.scene)
        return {"FINISHED"}


class NEURAL_ASSETS_OT_set_length(DragsOverPhoto, bpy.types.Operator):
    """Drag along something on the ground whose length you know: the scene gets its scale"""

    bl_idname = "neural_assets.set_length"
    bl_label = "Known Length"
    bl_options = {"REGISTER", "UNDO"}

    line: bpy.props.FloatVectorProperty(
        name="Line",
        description="Along the ground: x0, y0, x1, y1 in the photo",
        size=4,
        options={"SKIP_SAVE"},
    )
    length: bpy.props.FloatProperty(
        name="Length", description="How long that is", default=1.0, min=1e-3, subtype="DISTANCE"
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Start drawing in camera view."""
        if context.area is None or context.area.type != "VIEW_3D":
            return self.execute(context)
        return self.begin(context, event, "Drag along a length on the ground; say how long it is afterwards")

    def dragged(self, context: bpy.types.Context, start: Point, end: Point) -> str | None:
        """Take the line."""
        self.line = [*self.in_photo(context, start), *self.in_photo(context, end)]
        return None

    def draw_drag(self, start: Point | None, end: Point) -> None:
        """Draw the line."""
        if start is not None:
            draw_lines("LINES", [start, end], COLOURS[1])

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the scale."""
        set_length(_line(self.line), self.length, scene=context.scene)
        return {"FINISHED"}


def _next_line(drawn: int) -> str:
    """Return what to drag along after so many lines."""
    edges = ("an edge", "a parallel edge", "an edge square to them", "one parallel to that")
    return f"Line {drawn + 1} of {LINES}: drag along {edges[drawn]}"


def _line(values: Sequence[float]) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = (float(value) for value in values)
    return x0, y0, x1, y1


CLASSES = (
    NEURAL_ASSETS_OT_snap_to_ground,
    NEURAL_ASSETS_OT_mark_front,
    NEURAL_ASSETS_OT_refit,
    NEURAL_ASSETS_OT_match_camera,
    NEURAL_ASSETS_OT_set_length,
)
