"""A pie menu over the viewport: what you do most often with assets, under the pointer."""

from __future__ import annotations

import bpy

from ..names import PIE_MENU


class NEURAL_ASSETS_MT_pie(bpy.types.Menu):
    """Commands for assets around the pointer."""

    bl_idname = PIE_MENU
    bl_label = "Neural Assets"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the pie, in Blender's order: left, right, below, above, and the corners from upper left."""
        pie = self.layout.menu_pie()
        pie.operator_context = "INVOKE_DEFAULT"
        pie.operator("neural_assets.drag_face", icon="SNAP_FACE")
        pie.operator("neural_assets.turn_front", icon="ORIENTATION_GIMBAL")
        pie.operator("neural_assets.snap_to_ground", icon="TRIA_DOWN_BAR")
        pie.operator("neural_assets.add_asset_from_box", icon="ADD")
        pie.operator(
            "neural_assets.detect", icon="OUTLINER_OB_LIGHTPROBE"
        ).prompt = context.scene.neural_assets.prompt
        pie.operator("neural_assets.refit", icon="FULLSCREEN_ENTER")
        pie.operator("neural_assets.edit_layer", text="Edit Outline", icon="BRUSH_DATA").layer = "outline"
        pie.operator("neural_assets.select_all_assets", icon="RESTRICT_SELECT_OFF")


CLASSES = (NEURAL_ASSETS_MT_pie,)
