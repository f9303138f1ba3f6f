"""Add Asset from Box: drag a rectangle around an object in camera view, or give it as numbers."""

from __future__ import annotations

import math

import bpy
import gpu
from bpy_extras.view3d_utils import location_3d_to_region_2d
from gpu_extras.batch import batch_for_shader

from ..errors import UserError
from ..scene.assets import DEFAULT_NAME, DEPTH_RATIO, add_asset_from_box, capture_source
from ..scene.photo_import import camera_fits_photo
from .reporting import reports_user_errors

SMALLEST_DRAG = 0.01
"""Rectangles narrower or lower than this share of the picture are slips of the hand."""

LINE_COLOUR = (1.0, 0.6, 0.1, 1.0)


class NEURAL_ASSETS_OT_add_asset_from_box(bpy.types.Operator):
    """Add the object inside a rectangle of the photo as an asset. Its bottom edge stands on the ground"""

    bl_idname = "neural_assets.add_asset_from_box"
    bl_label = "Add Asset from Box"
    bl_options = {"REGISTER", "UNDO"}

    rectangle: bpy.props.FloatVectorProperty(
        name="Rectangle",
        description="Left, top, right, bottom in the photo, from 0 to 1, y pointing down",
        size=4,
        min=0.0,
        max=1.0,
        options={"SKIP_SAVE"},
    )
    name: bpy.props.StringProperty(name="Name", default=DEFAULT_NAME)
    depth_ratio: bpy.props.FloatProperty(
        name="Depth / Width",
        description="How deep the object is compared with its width: a photo does not show it",
        default=DEPTH_RATIO,
        min=0.05,
        soft_max=2.0,
    )
    face_camera: bpy.props.BoolProperty(
        name="Face Camera", description="Turn the box's front to the photo's camera", default=True
    )
    yaw: bpy.props.FloatProperty(
        name="Yaw",
        description="Turn about the vertical, if the box does not face the camera",
        default=0.0,
        min=-math.tau,
        max=math.tau,
        subtype="ANGLE",
        unit="ROTATION",
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it once a photo is there."""
        if context.scene.neural_assets.photo is None:
            cls.poll_message_set("Import a photo first")
            return False
        return context.mode == "OBJECT"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Start dragging in camera view."""
        if context.area is None or context.area.type != "VIEW_3D":
            return self.execute(context)
        if context.space_data.region_3d.view_perspective != "CAMERA":
            self.report(
                {"ERROR"},
                "A rectangle is drawn over the photo, which only camera view shows. "
                "Press Numpad 0 (View > Cameras > Active Camera) and try again.",
            )
            return {"CANCELLED"}
        try:
            fits = camera_fits_photo(context.scene)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if not fits:
            self.report(
                {"ERROR"},
                "The camera no longer sees what the photo shows. Go to a frame where it stands as the photo "
                "was taken, or press Camera Fits Photo if it is right now.",
            )
            return {"CANCELLED"}
        self._start: tuple[int, int] | None = None
        # A button in the sidebar starts it in the sidebar's region, but the photo lies in the window's.
        self._region = next(region for region in context.area.regions if region.type == "WINDOW")
        self._end = self._point(event)
        self._handle = bpy.types.SpaceView3D.draw_handler_add(self._draw, (), "WINDOW", "POST_PIXEL")
        context.window.cursor_modal_set("CROSSHAIR")
        context.workspace.status_text_set("Drag a rectangle around the object. Right click or Esc cancels")
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Follow the mouse; the rectangle is taken when the button is released."""
        if event.type in {"RIGHTMOUSE", "ESC"}:
            self._finish(context)
            return {"CANCELLED"}
        if event.type == "MOUSEMOVE":
            self._end = self._point(event)
            context.area.tag_redraw()
        elif event.type == "LEFTMOUSE" and event.value == "PRESS":
            self._start = self._end = self._point(event)
        elif event.type == "LEFTMOUSE" and event.value == "RELEASE" and self._start is not None:
            self._end = self._point(event)
            self._finish(context)
            view = context.space_data.region_3d
            rectangle = rectangle_in_camera_view(context.scene, self._region, view, self._start, self._end)
            if rectangle[2] - rectangle[0] < SMALLEST_DRAG or rectangle[3] - rectangle[1] < SMALLEST_DRAG:
                self.report(
                    {"WARNING"}, "The rectangle is too small. Drag from one corner of the object to the other"
                )
                return {"CANCELLED"}
            self.rectangle = rectangle
            return self.execute(context)
        elif event.type in {"MIDDLEMOUSE", "WHEELUPMOUSE", "WHEELDOWNMOUSE"} and self._start is None:
            return {"PASS_THROUGH"}  # zoom and pan before the drag begins
        return {"RUNNING_MODAL"}

    def cancel(self, context: bpy.types.Context) -> None:
        """Clean up when Blender ends the operator, as on loading a file."""
        self._finish(context)

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add the asset and make it the active object."""
        asset = add_asset_from_box(
            tuple(self.rectangle),
            self.name,
            scene=context.scene,
            depth_ratio=self.depth_ratio,
            yaw=None if self.face_camera else self.yaw,
        )
        for item in context.selected_objects:
            item.select_set(False)
        asset.select_set(True)
        context.view_layer.objects.active = asset
        return {"FINISHED"}

    def _point(self, event: bpy.types.Event) -> tuple[int, int]:
        return event.mouse_x - self._region.x, event.mouse_y - self._region.y

    def _finish(self, context: bpy.types.Context) -> None:
        if self._handle is not None:
            bpy.types.SpaceView3D.draw_handler_remove(self._handle, "WINDOW")
            self._handle = None
            context.window.cursor_modal_restore()
            context.workspace.status_text_set(None)
            if context.area is not None:
                context.area.tag_redraw()

    def _draw(self) -> None:
        if self._start is None or bpy.context.region != self._region:
            return
        (x0, y0), (x1, y1) = self._start, self._end
        shader = gpu.shader.from_builtin("UNIFORM_COLOR")
        batch = batch_for_shader(
            shader, "LINE_LOOP", {"pos": [(x0, y0, 0), (x1, y0, 0), (x1, y1, 0), (x0, y1, 0)]}
        )
        shader.bind()
        shader.uniform_float("color", LINE_COLOUR)
        batch.draw(shader)


def rectangle_in_camera_view(
    scene: bpy.types.Scene,
    region: bpy.types.Region,
    view: bpy.types.RegionView3D,
    start: tuple[float, float],
    end: tuple[float, float],
) -> tuple[float, float, float, float]:
    """Return the rectangle between two region points in the camera's image coordinates, clipped to [0, 1]."""
    points = [point_in_camera_view(scene, region, view, point) for point in (start, end)]
    xs, ys = (sorted(min(max(point[axis], 0.0), 1.0) for point in points) for axis in range(2))
    return xs[0], ys[0], xs[1], ys[1]


def point_in_camera_view(
    scene: bpy.types.Scene,
    region: bpy.types.Region,
    view: bpy.types.RegionView3D,
    point: tuple[float, float],
) -> tuple[float, float]:
    """Return where a region point is in the camera's image coordinates, which may be outside [0, 1]."""
    camera = scene.camera
    frame = [camera.matrix_world @ corner for corner in camera.data.view_frame(scene=scene)]
    corners = [location_3d_to_region_2d(region, view, corner) for corner in frame]
    left, right = min(c.x for c in corners), max(c.x for c in corners)
    bottom, top = min(c.y for c in corners), max(c.y for c in corners)
    return (point[0] - left) / (right - left), (top - point[1]) / (top - bottom)


class NEURAL_ASSETS_OT_capture_source(bpy.types.Operator):
    """Declare that the selected assets' boxes, as they stand now, fit the objects in the photo"""

    bl_idname = "neural_assets.capture_source"
    bl_label = "Box Fits Photo"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it for selected empties of a scene with a photo."""
        return context.scene.neural_assets.photo is not None and any(
            item.type == "EMPTY" for item in context.selected_objects
        )

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Capture every selected asset again."""
        assets = [item for item in context.selected_objects if item.neural_asset.is_asset]
        if not assets:
            raise UserError("None of the selected objects is an asset.", "Select the empty of an asset.")
        for asset in assets:
            capture_source(asset, scene=context.scene)
        return {"FINISHED"}


CLASSES = (NEURAL_ASSETS_OT_add_asset_from_box, NEURAL_ASSETS_OT_capture_source)
