"""Replace with Active's Looks, Background from Scene, and Mix with CG."""

from __future__ import annotations

import bpy

from ..errors import UserError
from ..scene.compose import replace_asset, swap_background
from ..scene.mix import mix_with_cg
from .reporting import reports_user_errors


class NEURAL_ASSETS_OT_replace_asset(bpy.types.Operator):
    """Show the active asset's object in the boxes of the other selected assets"""

    bl_idname = "neural_assets.replace_asset"
    bl_label = "Replace with Active"
    bl_options = {"REGISTER", "UNDO"}

    keep_proportions: bpy.props.BoolProperty(
        name="Keep Proportions",
        description="Give the boxes the active asset's proportions instead of stretching the object to them",
        default=True,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it for two selected assets or more, one of them active."""
        chosen = [item for item in context.selected_objects if item.neural_asset.is_asset]
        if len(chosen) < 2 or context.active_object not in chosen:
            cls.poll_message_set("Select the assets to replace, and last the one to replace them with")
            return False
        return True

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Replace every other selected asset."""
        donor = context.active_object
        for item in context.selected_objects:
            if item != donor and item.neural_asset.is_asset:
                replace_asset(item, donor, keep_proportions=self.keep_proportions)
        return {"FINISHED"}


class NEURAL_ASSETS_OT_swap_background(bpy.types.Operator):
    """Show another scene's photo, without its objects, behind this scene's assets"""

    bl_idname = "neural_assets.swap_background"
    bl_label = "Background from Scene"
    bl_options = {"REGISTER", "UNDO"}

    scene: bpy.props.StringProperty(name="Scene", description="The scene whose background to show")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it where another scene has a photo."""
        if not any(other != context.scene and other.neural_assets.photo for other in bpy.data.scenes):
            cls.poll_message_set("Import the other photo in a scene of its own first")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the scene."""
        self.scene = next(s.name for s in bpy.data.scenes if s != context.scene and s.neural_assets.photo)
        return set(context.window_manager.invoke_props_dialog(self))

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the dialog."""
        self.layout.prop_search(self, "scene", bpy.data, "scenes")

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Swap the background."""
        other: bpy.types.Scene | None = bpy.data.scenes.get(self.scene)
        if other is None:
            raise UserError(f"There is no scene '{self.scene}'.", "Choose one from the list.")
        swap_background(other, scene=context.scene)
        return {"FINISHED"}


class NEURAL_ASSETS_OT_mix_with_cg(bpy.types.Operator):
    """Show Blender's own objects in the picture: Cycles renders them, and the compositor mixes both by depth.
    \
Press it again after adding objects"""

    bl_idname = "neural_assets.mix_with_cg"
    bl_label = "Mix with CG"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it for a scene with a photo."""
        if context.scene.neural_assets.photo is None:
            cls.poll_message_set("Import a photo first")
            return False
        return True

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Set it up."""
        other = mix_with_cg(context.scene)
        self.report({"INFO"}, f"F12 renders '{other.name}', too, and mixes both by depth")
        return {"FINISHED"}


CLASSES = (
    NEURAL_ASSETS_OT_replace_asset,
    NEURAL_ASSETS_OT_swap_background,
    NEURAL_ASSETS_OT_mix_with_cg,
)
