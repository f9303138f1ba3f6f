"""Choose Decoder, and Decoder Folder."""

from __future__ import annotations

import bpy

from ..decoders import choose_decoder, forget_decoder
from .reporting import reports_user_errors


class NEURAL_ASSETS_OT_choose_decoder(bpy.types.Operator):
    """Let this decoder finish frames"""

    bl_idname = "neural_assets.choose_decoder"
    bl_label = "Choose Decoder"

    folder: bpy.props.StringProperty(name="Folder", description="Its folder; empty for the embedded one")

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Choose it."""
        choose_decoder(self.folder)
        return {"FINISHED"}


class NEURAL_ASSETS_OT_decoder_folder(bpy.types.Operator):
    """Let a checkpoint, or a diffusers pipeline such as Stable Diffusion, finish frames"""

    bl_idname = "neural_assets.decoder_folder"
    bl_label = "Decoder Folder"

    directory: bpy.props.StringProperty(name="Folder", description="That holds its model_index.json")
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the folder."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Choose it."""
        choose_decoder(self.directory)
        return {"FINISHED"}


class NEURAL_ASSETS_OT_forget_decoder(bpy.types.Operator):
    """Take this decoder from the list; its folder stays"""

    bl_idname = "neural_assets.forget_decoder"
    bl_label = "Forget Decoder"

    folder: bpy.props.StringProperty(name="Folder", description="Of the decoder")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Forget it."""
        forget_decoder(self.folder)
        return {"FINISHED"}


CLASSES = (
    NEURAL_ASSETS_OT_choose_decoder,
    NEURAL_ASSETS_OT_decoder_folder,
    NEURAL_ASSETS_OT_forget_decoder,
)
