"""Drag Face and Turn Front: boxes put right by dragging them over the photo, with a live overlay."""

from __future__ import annotations

import math

import bpy
import numpy as np
from numpy.typing import NDArray

from na_core.geometry.boxes import box_corners
from na_core.geometry.camera import project_points
from na_core.geometry.face_drag import FACES, dragged_distance, face_at, refit_to_face
from na_core.geometry.lifting import LiftingError, ground_contact
from na_core.scene import Box, Camera

from ..errors import UserError
from ..scene.adjust import drag_face, turn_front, turned, world_matrix
from ..scene.stored import camera_of
from .drag import DragsOverPhoto, Point, draw_lines
from .reporting import reports_user_errors

COLOUR = (1.0, 0.6, 0.1, 1.0)
EDGES = [(a, b) for a in range(8) for b in range(a + 1, 8) if bin(a ^ b).count("1") == 1]


class DragsBox(DragsOverPhoto):
    """An operator that changes the active asset's box by one drag over the photo."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it for an active asset of a scene with a photo."""
        if not super().poll(context):
            return False
        if context.object is not None and context.object.neural_asset.is_asset:
            return True
        cls.poll_message_set("Select an asset")  # type: ignore[attr-defined]
        return False

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Start dragging in camera view."""
        if context.area is None or context.area.type != "VIEW_3D":
            return self.execute(context)  # type: ignore[attr-defined]
        if not self.camera_fits(context):
            return {"CANCELLED"}
        self._camera = camera_of(context.scene.neural_assets.source_camera)
        self._box = Box(world_matrix(context.object))
        self._context = context
        return self.begin(context, event, self.status)

    status = ""

    def changed(self, start: Point, end: Point) -> Box:
        """Return the box that a drag between two points of the photo makes."""
        raise NotImplementedError

    def draw_drag(self, start: Point | None, end: Point) -> None:
        """Draw the box as the drag would leave it."""
        if start is None:
            return
        box = self.changed(self.in_photo(self._context, start), self.in_photo(self._context, end))
        corners = [self.in_region(corner) for corner in seen_corners(self._camera, box)]
        for edge in EDGES:
            draw_lines("LINES", [corners[edge[0]], corners[edge[1]]], COLOUR)

    def in_region(self, point: NDArray[np.float64]) -> Point:
        """Return where a point of the photo is in the region: the photo is shown without being turned."""
        x0, y0 = self.in_photo(self._context, (0, 0))
        x1, y1 = self.in_photo(self._context, (100, 100))
        return 100 * (point[0] - x0) / (x1 - x0), 100 * (point[1] - y0) / (y1 - y0)


class NEURAL_ASSETS_OT_drag_face(DragsBox, bpy.types.Operator):
    """Drag a face of the active asset's box to where it belongs; the rest fits the photo as before"""

    bl_idname = "neural_assets.drag_face"
    bl_label = "Drag Face"

    face: bpy.props.EnumProperty(
        name="Face",
        description="Which face of the box; the front is -Y",
        items=[(name, name, "", number) for number, name in enumerate(FACES)],
        default="-Y",
    )
    distance: bpy.props.FloatProperty(
        name="Distance", description="How far the face is moved outwards", default=0.0, subtype="DISTANCE"
    )
    status = "Drag a face of the box to where it belongs"

    def changed(self, start: Point, end: Point) -> Box:
        """Return the box with the face under the drag's start moved."""
        face = face_at(self._camera, self._box, start)
        distance = dragged_distance(self._camera, self._box, face, start, end)
        return refit_to_face(self._camera, self._box, face, distance)

    def dragged(self, context: bpy.types.Context, start: Point, end: Point) -> str | None:
        """Take the face and how far it was dragged."""
        first, last = self.in_photo(context, start), self.in_photo(context, end)
        number = face_at(self._camera, self._box, first)
        self.face = FACES[number]
        self.distance = dragged_distance(self._camera, self._box, number, first, last)
        return None

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Move the face."""
        drag_face(_active(context), FACES.index(self.face), self.distance, scene=context.scene)
        return {"FINISHED"}


class NEURAL_ASSETS_OT_turn_front(DragsBox, bpy.types.Operator):
    """Drag to where on the ground the active asset's front looks; the box is fitted to its rectangle again"""

    bl_idname = "neural_assets.turn_front"
    bl_label = "Turn Front"

    yaw: bpy.props.FloatProperty(
        name="Yaw",
        description="Turn about the vertical; at 0 the front looks along -Y",
        default=0.0,
        min=-math.tau,
        max=math.tau,
        subtype="ANGLE",
        unit="ROTATION",
    )
    status = "Drag from the box to where its front looks"

    def changed(self, start: Point, end: Point) -> Box:
        """Return the box turned to the drag's end."""
        yaw = yaw_towards(self._camera, self._box, end)
        return self._box if yaw is None else turned(self._box, yaw)

    def dragged(self, context: bpy.types.Context, start: Point, end: Point) -> str | None:
        """Take the direction, or ask again if the drag did not end on the ground."""
        yaw = yaw_towards(self._camera, self._box, self.in_photo(context, end))
        if yaw is None:
            return "No ground there: drag to a place on the ground beside the object"
        self.yaw = yaw
        return None

    def draw_drag(self, start: Point | None, end: Point) -> None:
        """Draw the turned box, and an arrow from its middle."""
        super().draw_drag(start, end)
        if start is not None:
            middle = project_points(self._camera, self._box.world_from_box[None, :3, 3])[0, :2]
            draw_lines("LINES", [self.in_region(middle), end], COLOUR)

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Turn the box."""
        turn_front(_active(context), self.yaw, scene=context.scene)
        return {"FINISHED"}


def yaw_towards(camera: Camera, box: Box, point: Point) -> float | None:
    """Return the yaw of a box whose front looks at what an image point shows of its ground; None for none."""
    ground = float(box_corners(box.world_from_box)[:, 2].min())
    try:
        contact, _ = ground_contact(camera, point, ground_height=ground)
    except LiftingError:
        return None
    x, y = contact[:2] - box.world_from_box[:2, 3]
    return None if math.hypot(x, y) < 1e-6 else math.atan2(x, -y)


def seen_corners(camera: Camera, box: Box) -> NDArray[np.float64]:
    """Return where a box's corners are in the photo, (8, 2)."""
    return np.asarray(project_points(camera, box_corners(box.world_from_box))[:, :2])


def _active(context: bpy.types.Context) -> bpy.types.Object:
    if context.object is None:
        raise UserError("No object is active.", "Select an asset.")
    return context.object


CLASSES = (NEURAL_ASSETS_OT_drag_face, NEURAL_ASSETS_OT_turn_front)
