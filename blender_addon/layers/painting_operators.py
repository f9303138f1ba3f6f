"""Edit Outline, Edit Shadow, Edit Plate, and their Reset: one undo step each."""

from __future__ import annotations

from typing import cast

import bpy

from ..errors import RenderCancelled, UserError
from ..operators.asking import AsksWorker
from ..operators.reporting import reports_user_errors
from ..scene.painting import LABELS, Layer, painted_layer, set_object_layer, set_plate
from .editing import finish_editing, start_editing

ITEMS = (
    ("outline", "Outline", "What is seen of the active asset: white is the object", 0),
    ("shadow_image", "Shadow", "The active asset's shadow: white is none", 1),
    ("plate", "Plate", "The photo without its objects", 2),
)


class OfLayer:
    """What the buttons have in common: a layer of the active asset, or the scene's plate."""

    bl_options = {"REGISTER", "UNDO"}

    layer: bpy.props.EnumProperty(
        name="Layer", description="What to paint, or to reset", items=ITEMS, options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it once a photo is there."""
        if context.scene.neural_assets.photo is None:
            cls.poll_message_set("Import a photo first")  # type: ignore[attr-defined]
            return False
        return context.mode == "OBJECT"

    def owner(self, context: bpy.types.Context) -> bpy.types.Object | None:
        """Return the asset whose layer it is; None of the plate.

        Raises:
            UserError: no asset is active.
        """
        if self.layer == "plate":
            return None
        asset = context.active_object
        if asset is None or not asset.neural_asset.is_asset:
            raise UserError("No asset is active.", "Select the asset whose layer it is.")
        return asset


class NEURAL_ASSETS_OT_edit_layer(OfLayer, AsksWorker, bpy.types.Operator):
    """Paint what is seen of the active asset, its shadow, or what is behind the objects"""

    bl_idname = "neural_assets.edit_layer"
    bl_label = "Edit Layer"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Start beside the window."""
        return self.execute(context) if bpy.app.background else self._start(context)

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Do it to the end: for scripts, Blender without a window, and Adjust Last Operation."""
        if (image := self._painted(context)) is not None:
            return self._opened(context, image)
        return self.ask_to_the_end(context, start_editing(context.scene, self._asset))

    @reports_user_errors
    def _start(self, context: bpy.types.Context) -> set[str]:
        if (image := self._painted(context)) is not None:
            return self._opened(context, image)
        going = self.ask(context, start_editing(context.scene, self._asset), "Taking the photo apart")
        context.window_manager.modal_handler_add(self)
        return going

    def _painted(self, context: bpy.types.Context) -> bpy.types.Image | None:
        """Return the image if it was made before."""
        self._asset = self.owner(context)
        return painted_layer(self._asset or context.scene, cast(Layer, self.layer))

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Wait without blocking."""
        return self.wait(context, event)

    def cancel(self, context: bpy.types.Context) -> None:
        """End it when Blender ends the operator, as on loading a file."""
        self.end_asking(context)

    @reports_user_errors
    def answered(self, context: bpy.types.Context) -> set[str]:
        """Make the image of what came, unless it was cancelled."""
        task, scene = self.asked
        try:
            image = finish_editing(scene, self._asset, cast(Layer, self.layer), task.result())
        except RenderCancelled:
            self.report({"INFO"}, "Cancelled; nothing was changed")
            return {"CANCELLED"}
        return self._opened(context, image)

    def _opened(self, context: bpy.types.Context, image: bpy.types.Image) -> set[str]:
        if not bpy.app.background:
            open_for_painting(context, image)
        self.report({"INFO"}, f"Paint '{image.name}' in the Image Editor: frames show it as it is")
        return {"FINISHED"}


class NEURAL_ASSETS_OT_reset_layer(OfLayer, bpy.types.Operator):
    """Let the network find the layer again; the painted image stays in the file until it is saved"""

    bl_idname = "neural_assets.reset_layer"
    bl_label = "Reset Layer"

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Forget the painted image."""
        asset, layer = self.owner(context), cast(Layer, self.layer)
        image = painted_layer(asset or context.scene, layer)
        if image is None:
            self.report({"INFO"}, f"The {LABELS[layer].lower()} is the network's already")
            return {"CANCELLED"}
        if asset is None or layer == "plate":
            set_plate(context.scene, None)
        else:
            set_object_layer(context.scene, asset, layer, None)
        return {"FINISHED"}


def open_for_painting(context: bpy.types.Context, image: bpy.types.Image) -> None:
    """Show an image in an Image Editor in paint mode: one that is open, or one in a window of its own."""
    area = next((area for area in context.screen.areas if area.type == "IMAGE_EDITOR"), None)
    if area is None:
        bpy.ops.wm.window_new()
        area = context.window_manager.windows[-1].screen.areas[0]
        area.type = "IMAGE_EDITOR"
    space = cast(bpy.types.SpaceImageEditor, area.spaces.active)
    space.image = image
    space.mode = "PAINT"


CLASSES = (NEURAL_ASSETS_OT_edit_layer, NEURAL_ASSETS_OT_reset_layer)
