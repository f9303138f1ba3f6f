"""*Animate*: keyframes of the active asset, and other objects of Blender's beside it."""

from __future__ import annotations

import bpy

from ..scene.selection import active_asset
from .problems import draw_problems
from .sidebar import Sidebar, WithActiveAsset, WithPhoto


class NEURAL_ASSETS_PT_animate(Sidebar, bpy.types.Panel):
    """Keyframes, and what would fail in this frame."""

    bl_label = "Animate"
    bl_order = 2

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout, scene = self.layout, context.scene
        row = layout.row(align=True)
        row.operator("screen.keyframe_jump", text="", icon="PREV_KEYFRAME").next = False
        row.prop(scene, "frame_current", text="Frame")
        row.operator("screen.keyframe_jump", text="", icon="NEXT_KEYFRAME").next = True
        layout.operator_context = "INVOKE_DEFAULT"
        keyframe = layout.operator("anim.keyframe_insert_menu", text="Insert Keyframe", icon="KEY_HLT")
        keyframe.always_prompt = True
        asset = active_asset(context.view_layer)
        if asset is not None:
            column = layout.column()
            column.use_property_split = True
            column.prop(asset.neural_asset, "shadow_strength", text="Shadow", slider=True)
            column.prop(asset, "hide_render", text="Hide in Renders", toggle=False)
        draw_problems(layout, context, "animate")


class NEURAL_ASSETS_PT_transform(WithActiveAsset, bpy.types.Panel):
    """What else of the active asset can be keyframed."""

    bl_label = "Transform and Light"
    bl_parent_id = "NEURAL_ASSETS_PT_animate"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout, asset = self.layout, context.active_object
        layout.use_property_split = True
        layout.prop(asset, "location")
        euler = asset.rotation_mode in EULER
        layout.prop(asset, "rotation_euler" if euler else "rotation_quaternion", text="Rotation")
        layout.prop(asset, "scale", text="Size")
        layout.prop(asset.neural_asset, "match_light", slider=True)


class NEURAL_ASSETS_PT_range(WithPhoto, bpy.types.Panel):
    """The frames that Ctrl+F12 renders."""

    bl_label = "Frame Range"
    bl_parent_id = "NEURAL_ASSETS_PT_animate"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout, scene = self.layout, context.scene
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column(align=True)
        column.prop(scene, "frame_start", text="Start")
        column.prop(scene, "frame_end", text="End")
        column.prop(scene, "frame_step", text="Step")


class NEURAL_ASSETS_PT_mix(WithPhoto, bpy.types.Panel):
    """Blender's own objects in the picture."""

    bl_label = "Mix with CG"
    bl_parent_id = "NEURAL_ASSETS_PT_animate"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        self.layout.operator("neural_assets.mix_with_cg", icon="SCENE_DATA")


EULER = {"XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"}
"""Rotation modes whose angles can be keyframed one by one."""

CLASSES = (
    NEURAL_ASSETS_PT_animate,
    NEURAL_ASSETS_PT_transform,
    NEURAL_ASSETS_PT_range,
    NEURAL_ASSETS_PT_mix,
)
