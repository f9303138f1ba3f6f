"""Add Asset from Box: drag a rectangle around an object in camera view, or give it as numbers."""

from __future__ import annotations

import math

import bpy

from ..errors import UserError
from ..scene.assets import DEFAULT_NAME, DEPTH_RATIO, add_asset_from_box, capture_source
from ..scene.photo_import import camera_fits_photo
from .drag import DragsOverPhoto, Point, draw_lines
from .reporting import reports_user_errors

SMALLEST_DRAG = 0.01
"""Rectangles narrower or lower than this share of the picture are slips of the hand."""

LINE_COLOUR = (1.0, 0.6, 0.1, 1.0)


class NEURAL_ASSETS_OT_add_asset_from_box(DragsOverPhoto, bpy.types.Operator):
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

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Start dragging in camera view."""
        if context.area is None or context.area.type != "VIEW_3D":
            return self.execute(context)
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
        return self.begin(context, event, "Drag a rectangle around the object")

    def dragged(self, context: bpy.types.Context, start: Point, end: Point) -> str | None:
        """Take the rectangle between two corners, or ask again if it was a slip of the hand."""
        corners = self.in_photo(context, start), self.in_photo(context, end)
        (x0, x1), (y0, y1) = (
            sorted(min(max(corner[axis], 0.0), 1.0) for corner in corners) for axis in range(2)
        )
        if x1 - x0 < SMALLEST_DRAG or y1 - y0 < SMALLEST_DRAG:
            return "Too small: drag from one corner of the object to the other"
        self.rectangle = x0, y0, x1, y1
        return None

    def draw_drag(self, start: Point | None, end: Point) -> None:
        """Draw the rectangle."""
        if start is not None:
            corners = [start, (end[0], start[1]), end, (start[0], end[1])]
            draw_lines("LINE_LOOP", corners, LINE_COLOUR)

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
