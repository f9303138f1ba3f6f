"""Buttons that mend what panels warn of; :mod:`blender_addon.render.problems` says when they are shown."""

from __future__ import annotations

import bpy

from ..decoders import EMBEDDED_SIDE, decoder_side
from ..errors import UserError
from ..render.looks import look_again
from ..render.output_size import best_percentage
from ..scene.assets import hide_in_frame
from ..scene.camera import keep_colours, resolution
from ..scene.photo import keep_painted
from ..scene.photo_import import use_photo_camera
from .reporting import reports_user_errors


class NEURAL_ASSETS_OT_use_photo_camera(bpy.types.Operator):
    """Render with a camera that stands where the photo was taken; a new one if the photo's own is gone"""

    bl_idname = "neural_assets.use_photo_camera"
    bl_label = "Use Photo's Camera"
    bl_options = {"REGISTER", "UNDO"}

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Use it."""
        use_photo_camera(context.scene)
        return {"FINISHED"}


class NEURAL_ASSETS_OT_hide_in_frame(bpy.types.Operator):
    """Hide the asset in renders; where its visibility is animated, by a keyframe in this frame"""

    bl_idname = "neural_assets.hide_in_frame"
    bl_label = "Hide in Renders"
    bl_options = {"REGISTER", "UNDO"}

    name: bpy.props.StringProperty(name="Asset", description="Name of its empty")

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Hide it."""
        asset: bpy.types.Object | None = context.scene.objects.get(self.name)
        if asset is None or not asset.neural_asset.is_asset:
            raise UserError(f"There is no asset '{self.name}' in this scene.", "Choose one from the list.")
        hide_in_frame(asset, context.scene.frame_current)
        return {"FINISHED"}


class NEURAL_ASSETS_OT_set_best_size(bpy.types.Operator):
    """Set the resolution percentage so that the longer side is the one that the decoder works at"""

    bl_idname = "neural_assets.set_best_size"
    bl_label = "Set Best Size"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set it."""
        scene = context.scene
        scene.render.resolution_percentage = best_percentage(scene, decoder_side() or EMBEDDED_SIDE)
        width, height = resolution(scene)
        self.report({"INFO"}, f"Pictures are {width} x {height} pixels now")
        return {"FINISHED"}


class NEURAL_ASSETS_OT_write_passes(bpy.types.Operator):
    """Write OpenEXR MultiLayer files, which hold all passes"""

    bl_idname = "neural_assets.write_passes"
    bl_label = "Write MultiLayer Files"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set the file format."""
        settings = context.scene.render.image_settings
        if hasattr(settings, "media_type"):  # from 5.0 on it says which formats there are
            settings.media_type = "MULTI_LAYER_IMAGE"
        settings.file_format = "OPEN_EXR_MULTILAYER"
        return {"FINISHED"}


class NEURAL_ASSETS_OT_keep_colours(bpy.types.Operator):
    """Set the view transform to Standard, the look to None and dither to 0: colours stay the photo's"""

    bl_idname = "neural_assets.keep_colours"
    bl_label = "Keep the Photo's Colours"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set them."""
        keep_colours(context.scene)
        return {"FINISHED"}


class NEURAL_ASSETS_OT_keep_painted_photo(bpy.types.Operator):
    """Pack the photo as it was painted, so that frames show it like this"""

    bl_idname = "neural_assets.keep_painted_photo"
    bl_label = "Pack Painted Photo"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it for a photo that was painted on."""
        image = context.scene.neural_assets.photo
        return image is not None and image.is_dirty

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Pack it."""
        keep_painted(context.scene.neural_assets.photo)
        return {"FINISHED"}


class NEURAL_ASSETS_OT_check_again(bpy.types.Operator):
    """Look at files and disks again at once: panels do so every few seconds"""

    bl_idname = "neural_assets.check_again"
    bl_label = "Check Again"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Look."""
        look_again()
        return {"FINISHED"}


CLASSES = (
    NEURAL_ASSETS_OT_use_photo_camera,
    NEURAL_ASSETS_OT_hide_in_frame,
    NEURAL_ASSETS_OT_set_best_size,
    NEURAL_ASSETS_OT_write_passes,
    NEURAL_ASSETS_OT_keep_colours,
    NEURAL_ASSETS_OT_keep_painted_photo,
    NEURAL_ASSETS_OT_check_again,
)
