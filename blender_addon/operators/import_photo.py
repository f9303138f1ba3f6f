"""Import Photo: from the File menu, the sidebar, or by dropping a file onto the viewport."""

from __future__ import annotations

import math
from typing import Any

import bpy
from bpy_extras.io_utils import ImportHelper

from ..scene.photo_import import CAMERA_HEIGHT, PITCH, capture_photo_camera, import_photo, import_summary
from .reporting import reports_user_errors

EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")


class NEURAL_ASSETS_OT_import_photo(bpy.types.Operator, ImportHelper):
    """Make a photo the scene's background and set up camera, resolution, engine and colours to match it"""

    bl_idname = "neural_assets.import_photo"
    bl_label = "Import Photo"
    bl_options = {"REGISTER", "UNDO"}

    filepath: bpy.props.StringProperty(
        name="File", description="Of the photo", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )
    filter_glob: bpy.props.StringProperty(
        default=";".join(f"*{extension}" for extension in EXTENSIONS), options={"HIDDEN"}
    )
    focal_length_35mm: bpy.props.FloatProperty(
        name="Focal Length",
        description="35 mm equivalent in millimetres; 0 takes it from the photo, or assumes a common one",
        default=0.0,
        min=0.0,
        soft_max=300.0,
    )
    camera_height: bpy.props.FloatProperty(
        name="Camera Height",
        description="How high above the ground the photo was taken",
        default=CAMERA_HEIGHT,
        min=0.01,
        soft_max=10.0,
        subtype="DISTANCE",
        unit="LENGTH",
    )
    pitch: bpy.props.FloatProperty(
        name="Pitch",
        description="How far down the camera looked",
        default=PITCH,
        min=-math.pi / 2,
        max=math.pi / 2,
        subtype="ANGLE",
        unit="ROTATION",
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for a file, or for the settings alone when a file was dropped."""
        if self.filepath:
            asked: set[Any] = context.window_manager.invoke_props_dialog(self)
            return asked
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Import and say what was set."""
        import_photo(
            self.filepath,
            scene=context.scene,
            focal_length_35mm=self.focal_length_35mm or None,
            camera_height=self.camera_height,
            pitch=self.pitch,
        )
        self.report({"INFO"}, import_summary(context.scene))
        return {"FINISHED"}


class NEURAL_ASSETS_OT_capture_photo_camera(bpy.types.Operator):
    """Declare that the photo was taken from where the camera is now, after correcting its pitch or lens"""

    bl_idname = "neural_assets.capture_photo_camera"
    bl_label = "Camera Fits Photo"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it once a photo is there."""
        return context.scene.neural_assets.photo is not None

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Store the camera."""
        capture_photo_camera(context.scene)
        return {"FINISHED"}


class NEURAL_ASSETS_FH_photo(bpy.types.FileHandler):
    """Photos dropped onto a viewport."""

    bl_idname = "NEURAL_ASSETS_FH_photo"
    bl_label = "Photo (Neural Assets)"
    bl_import_operator = "neural_assets.import_photo"
    bl_file_extensions = ";".join(EXTENSIONS)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Accept drops in a 3D viewport only."""
        return context.area is not None and context.area.type == "VIEW_3D"


def draw_import_menu(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    """Add the operator to File > Import."""
    self.layout.operator(NEURAL_ASSETS_OT_import_photo.bl_idname, text="Photo (Neural Assets)")


CLASSES = (NEURAL_ASSETS_OT_import_photo, NEURAL_ASSETS_OT_capture_photo_camera, NEURAL_ASSETS_FH_photo)


def register() -> None:
    """Extend the File > Import menu."""
    bpy.types.TOPBAR_MT_file_import.append(draw_import_menu)


def unregister() -> None:
    """Take the entry out of File > Import."""
    bpy.types.TOPBAR_MT_file_import.remove(draw_import_menu)
