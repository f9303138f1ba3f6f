"""Show Layers: beside the window, with Esc to cancel."""

from __future__ import annotations

import bpy

from ..errors import RenderCancelled
from ..operators.asking import AsksWorker
from ..operators.reporting import reports_user_errors
from ..scene.properties import LAYERS
from .images import show_in_camera, show_layers
from .photo_layers import made_of, start_layers


class NEURAL_ASSETS_OT_show_layers(AsksWorker, bpy.types.Operator):
    """Take the photo apart and show what came out as images: outlines, plate, shadows, depth and normals"""

    bl_idname = "neural_assets.show_layers"
    bl_label = "Show Layers"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it once a photo is there."""
        if context.scene.neural_assets.photo is None:
            cls.poll_message_set("Import a photo first")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Start beside the window."""
        return self.execute(context) if bpy.app.background else self._start(context)

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it to the end: for scripts, Blender without a window, and Adjust Last Operation."""
        self._key = made_of(context.scene)
        return self.ask_to_the_end(context, start_layers(context.scene))

    @reports_user_errors
    def _start(self, context: bpy.types.Context) -> set[str]:
        self._key = made_of(context.scene)
        going = self.ask(context, start_layers(context.scene), "Taking the photo apart")
        context.window_manager.modal_handler_add(self)
        return going

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Wait without blocking."""
        return self.wait(context, event)

    def cancel(self, context: bpy.types.Context) -> None:
        """End it when Blender ends the operator, as on loading a file."""
        self.end_asking(context)

    @reports_user_errors
    def answered(self, context: bpy.types.Context) -> set[str]:
        """Show what came, unless it was cancelled."""
        task, scene = self.asked
        try:
            images = show_layers(scene.neural_assets.photo, task.result(), self._key)
        except RenderCancelled:
            self.report({"INFO"}, "Cancelled; nothing was changed")
            return {"CANCELLED"}
        names = ", ".join(image.name for image in images.values())
        self.report({"INFO"}, f"In the Image Editor: {names}")
        return {"FINISHED"}


class NEURAL_ASSETS_OT_show_in_camera(bpy.types.Operator):
    """Show the photo, or one of its layers, behind the camera's view"""

    bl_idname = "neural_assets.show_in_camera"
    bl_label = "Show in Camera"
    bl_options = {"REGISTER", "UNDO"}

    kind: bpy.props.EnumProperty(
        name="Show",
        description="What to show behind the view of the camera",
        items=(("photo", "Photo", "The photo itself", len(LAYERS)), *LAYERS),
        default="photo",
    )

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Change the camera's background image."""
        show_in_camera(context.scene, None if self.kind == "photo" else self.kind)
        return {"FINISHED"}


CLASSES = (NEURAL_ASSETS_OT_show_layers, NEURAL_ASSETS_OT_show_in_camera)
