"""Add Asset from Box: drag a rectangle around an object in camera view, or give it as numbers."""

from __future__ import annotations

import math
from typing import cast

import bpy

from na_core.scene import Box

from ..detection.apply import asset_at
from ..detection.detect import start_fit
from ..detection.fit import Existing, fitted_box, place_asset
from ..errors import RenderCancelled, UserError
from ..scene.assets import DEFAULT_NAME, DEPTH_RATIO, box_of_rectangle, capture_source, check_rectangle
from .asking import AsksWorker
from .drag import DragsOverPhoto, Point, draw_lines
from .reporting import reports_user_errors

SMALLEST_DRAG = 0.01
"""Rectangles narrower or lower than this share of the picture are slips of the hand."""

LINE_COLOUR = (1.0, 0.6, 0.1, 1.0)


FITS = (
    ("photo", "Photo", "Outline, looks and ground tell the box: the worker looks at the photo", 0),
    ("rectangle", "Rectangle", "The rectangle alone tells the box; yaw and depth are given below", 1),
)
EXISTING = (
    ("replace", "Replace", "An asset that the rectangle is around already gets the new box", 0),
    ("keep", "Keep Both", "Add another asset, which shares what the photo shows with the first", 1),
)


class NEURAL_ASSETS_OT_add_asset_from_box(DragsOverPhoto, AsksWorker, bpy.types.Operator):
    """Add the object inside a rectangle of the photo as an asset that stands on the ground"""

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
    name: bpy.props.StringProperty(name="Name", description="Of the new asset", default=DEFAULT_NAME)
    fit: bpy.props.EnumProperty(
        name="Fit to", description="What the 3D box is found from", items=FITS, default="photo"
    )
    existing: bpy.props.EnumProperty(
        name="Existing Asset",
        description="What becomes of an asset that the rectangle is around already",
        items=EXISTING,
        default="replace",
    )
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
        if not self.camera_fits(context):
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

    def draw(self, context: bpy.types.Context) -> None:
        """Draw what Adjust Last Operation offers."""
        layout = self.layout
        layout.use_property_split = True
        for name in ("rectangle", "name", "fit", "existing"):
            layout.prop(self, name)
        column = layout.column()
        column.active = self.fit == "rectangle"
        for name in ("depth_ratio", "face_camera", "yaw"):
            column.prop(self, name)

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Follow the mouse, and then wait for the worker."""
        return self.wait(context, event) if self.asking else super().modal(context, event)

    def cancel(self, context: bpy.types.Context) -> None:
        """Clean up when Blender ends the operator."""
        self.end_asking(context)
        super().cancel(context)

    @reports_user_errors
    def drawn(self, context: bpy.types.Context) -> set[str]:
        """Ask the worker about the rectangle, beside the window."""
        if self.fit == "rectangle":
            return self.execute(context)
        task = start_fit(context.scene, check_rectangle(self.rectangle))
        return self.ask(context, task, "Fitting a box to the object")

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Add the asset to the end: for scripts, and Adjust Last Operation."""
        if self.fit == "rectangle":
            return self._place(context, context.scene, self._box_of_rectangle(context.scene))
        return self.ask_to_the_end(context, start_fit(context.scene, check_rectangle(self.rectangle)))

    @reports_user_errors
    def answered(self, context: bpy.types.Context) -> set[str]:
        """Take the worker's box; without a worker the rectangle's."""
        task, scene = self.asked
        try:
            box = fitted_box(scene, task.result())
        except RenderCancelled:
            self.report({"INFO"}, "Cancelled; nothing was changed")
            return {"CANCELLED"}
        except UserError as error:
            self.report({"WARNING"}, f"{error.message} The box is fitted to the rectangle alone")
            box = self._box_of_rectangle(scene)
        return self._place(context, scene, box)

    def _box_of_rectangle(self, scene: bpy.types.Scene) -> Box:
        yaw = None if self.face_camera else self.yaw
        return box_of_rectangle(scene, tuple(self.rectangle), depth_ratio=self.depth_ratio, yaw=yaw)

    def _place(self, context: bpy.types.Context, scene: bpy.types.Scene, box: Box) -> set[str]:
        """Make the asset the active object."""
        rectangle = check_rectangle(self.rectangle)
        present = asset_at(scene, rectangle)
        asset = place_asset(scene, box, rectangle, self.name, cast(Existing, self.existing))
        if present is not None:
            told = "has a new box" if asset == present else "shares what the photo shows with the new one"
            self.report(
                {"INFO"}, f"'{present.name}' was there already: it {told}. Existing Asset changes that"
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
