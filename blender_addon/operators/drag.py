"""Dragging over the photo in camera view: what the operators that draw there have in common."""

from __future__ import annotations

from typing import Any

import bpy
import gpu
from bpy_extras.view3d_utils import location_3d_to_region_2d
from gpu_extras.batch import batch_for_shader

from ..errors import UserError
from ..scene.photo_import import camera_fits_photo

Point = tuple[float, float]


class DragsOverPhoto:
    """An operator that is given drags in camera view, until it has enough.

    It calls :meth:`begin` in ``invoke``, and has ``dragged`` and ``draw_drag`` of its own.
    """

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it once a photo is there."""
        if context.scene.neural_assets.photo is None:
            cls.poll_message_set("Import a photo first")  # type: ignore[attr-defined]
            return False
        return context.mode == "OBJECT"

    def camera_fits(self, context: bpy.types.Context) -> bool:
        """Tell whether camera view shows what the photo shows; report what to do where it does not."""
        try:
            if camera_fits_photo(context.scene):
                return True
            text = (
                "The camera no longer sees what the photo shows. Go to a frame where it stands as the photo "
                "was taken, or press Camera Fits Photo if it is right now."
            )
        except UserError as error:
            text = str(error)
        self.report({"ERROR"}, text)  # type: ignore[attr-defined]
        return False

    def begin(self, context: bpy.types.Context, event: bpy.types.Event, status: str) -> set[str]:
        """Follow the mouse from now on, if the photo is in view."""
        if context.space_data.region_3d.view_perspective != "CAMERA":
            self.report(  # type: ignore[attr-defined]
                {"ERROR"},
                "Only camera view shows the photo, and this is drawn over it. "
                "Press Numpad 0 (View > Cameras > Active Camera) and try again.",
            )
            return {"CANCELLED"}
        # A button in the sidebar starts it in the sidebar's region, but the photo lies in the window's.
        self._region = next(region for region in context.area.regions if region.type == "WINDOW")
        self._drags = 0
        self._start: Point | None = None
        self._end = self._point(event)
        self._handle = bpy.types.SpaceView3D.draw_handler_add(self._draw, (), "WINDOW", "POST_PIXEL")
        context.window.cursor_modal_set("CROSSHAIR")
        context.workspace.status_text_set(f"{status}. Right click or Esc cancels")
        context.window_manager.modal_handler_add(self)  # type: ignore[arg-type]
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Follow the mouse; a drag is over when the button is released."""
        if event.type in {"RIGHTMOUSE", "ESC"}:
            self._finish(context)
            return {"CANCELLED"}
        if event.type == "MOUSEMOVE":
            self._end = self._point(event)
            context.area.tag_redraw()
        elif event.type == "LEFTMOUSE" and event.value == "PRESS":
            self._start = self._end = self._point(event)
        elif event.type == "LEFTMOUSE" and event.value == "RELEASE" and self._start is not None:
            start, self._start = self._start, None
            self._drags += 1
            status = self.dragged(context, start, self._point(event))
            if status is not None:
                context.workspace.status_text_set(f"{status}. Right click or Esc cancels")
                return {"RUNNING_MODAL"}
            self._finish(context)
            return self.drawn(context)
        elif event.type in {"MIDDLEMOUSE", "WHEELUPMOUSE", "WHEELDOWNMOUSE"}:
            # Zoom and pan before the first drag: what is drawn stays where it is on the screen.
            return {"RUNNING_MODAL"} if self._start or self._drags else {"PASS_THROUGH"}
        return {"RUNNING_MODAL"}

    def dragged(self, context: bpy.types.Context, start: Point, end: Point) -> str | None:
        """Take a drag, in the region's pixels; return what to drag next, or None if that is all."""
        raise NotImplementedError

    def drawn(self, context: bpy.types.Context) -> set[str]:
        """Go on when everything is dragged; return what a modal operator returns."""
        return self.execute(context)  # type: ignore[attr-defined]

    def draw_drag(self, start: Point | None, end: Point) -> None:
        """Draw what was dragged, and the drag that goes on, if one does."""
        raise NotImplementedError

    def cancel(self, context: bpy.types.Context) -> None:
        """Clean up when Blender ends the operator, as on loading a file."""
        self._finish(context)

    def in_photo(self, context: bpy.types.Context, point: Point) -> Point:
        """Return where a point of the region is in the photo, 0 to 1 from its left upper corner."""
        return point_in_camera_view(context.scene, self._region, context.space_data.region_3d, point)

    def _point(self, event: bpy.types.Event) -> Point:
        return event.mouse_x - self._region.x, event.mouse_y - self._region.y

    def _finish(self, context: bpy.types.Context) -> None:
        handle: Any = self._handle
        if handle is not None:
            bpy.types.SpaceView3D.draw_handler_remove(handle, "WINDOW")
            self._handle = None
            context.window.cursor_modal_restore()
            context.workspace.status_text_set(None)
            if context.area is not None:
                context.area.tag_redraw()

    def _draw(self) -> None:
        if bpy.context.region == self._region:
            self.draw_drag(self._start, self._end)


def draw_lines(kind: str, points: list[Point], colour: tuple[float, float, float, float]) -> None:
    """Draw points of the region as "LINES" or a "LINE_LOOP"."""
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    batch = batch_for_shader(shader, kind, {"pos": [(*point, 0) for point in points]})
    shader.bind()
    shader.uniform_float("color", colour)
    batch.draw(shader)


def point_in_camera_view(
    scene: bpy.types.Scene, region: bpy.types.Region, view: bpy.types.RegionView3D, point: Point
) -> Point:
    """Return where a region point is in the camera's image coordinates, which may be outside [0, 1]."""
    camera = scene.camera
    frame = [camera.matrix_world @ corner for corner in camera.data.view_frame(scene=scene)]
    corners = [location_3d_to_region_2d(region, view, corner) for corner in frame]
    left, right = min(c.x for c in corners), max(c.x for c in corners)
    bottom, top = min(c.y for c in corners), max(c.y for c in corners)
    return (point[0] - left) / (right - left), (top - point[1]) / (top - bottom)
