"""*Assets*: the list of the photo's objects, how to get more of them, and the active one's box and shape."""

from __future__ import annotations

import bpy
from bpy.app.translations import pgettext_iface as iface_

from ..scene.fitted_mesh import deforms, fitted_mesh
from ..scene.selection import active_asset
from .asset_list import draw_list
from .photo import draw_painting
from .problems import draw_problems
from .sidebar import Sidebar, WithActiveAsset, WithPhoto


class NEURAL_ASSETS_PT_assets(Sidebar, bpy.types.Panel):
    """The scene's assets."""

    bl_label = "Assets"
    bl_order = 1

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout, settings = self.layout, context.scene.neural_assets
        layout.operator_context = "INVOKE_DEFAULT"
        row = layout.row(align=True)
        row.prop(settings, "prompt", text="", icon="VIEWZOOM", placeholder="All Objects")
        row.operator("neural_assets.detect", text="Detect").prompt = settings.prompt
        draw_list(layout, context.scene)
        asset = active_asset(context.view_layer)
        if asset is not None:
            column = layout.column()
            column.use_property_split = True
            column.use_property_decorate = False
            column.prop(asset.neural_asset, "shadow_strength", text="Shadow", slider=True)
            column.prop(asset.neural_asset, "match_light", slider=True)
            if asset.neural_asset.score > 0:
                text = iface_("Found with a certainty of {:.0%}").format(asset.neural_asset.score)
                column.label(text=text, icon="OUTLINER_OB_LIGHTPROBE", translate=False)
        draw_problems(layout, context, "assets")


class NEURAL_ASSETS_PT_box(WithPhoto, bpy.types.Panel):
    """The active asset's 3D box."""

    bl_label = "Box"
    bl_parent_id = "NEURAL_ASSETS_PT_assets"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout = self.layout
        layout.operator_context = "INVOKE_DEFAULT"
        row = layout.row(align=True)
        row.operator("neural_assets.drag_face", icon="SNAP_FACE")
        row.operator("neural_assets.turn_front", icon="ORIENTATION_GIMBAL")
        row = layout.row(align=True)
        row.operator("neural_assets.snap_to_ground", icon="TRIA_DOWN_BAR", text="To Ground")
        row.operator("neural_assets.mark_front", icon="AXIS_FRONT")
        layout.operator("neural_assets.refit", icon="FULLSCREEN_ENTER")
        layout.operator("neural_assets.capture_source", icon="CHECKMARK")
        layout.prop(context.scene.neural_assets, "show_boxes")


class NEURAL_ASSETS_PT_outline(WithActiveAsset, bpy.types.Panel):
    """What is seen of the active asset, painted."""

    bl_label = "Outline and Shadow"
    bl_parent_id = "NEURAL_ASSETS_PT_assets"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout = self.layout
        layout.operator_context = "INVOKE_DEFAULT"
        draw_painting(layout, context.active_object, "outline")
        draw_painting(layout, context.active_object, "shadow_image")


class NEURAL_ASSETS_PT_shape(WithPhoto, bpy.types.Panel):
    """A mesh, and other photos of the active asset."""

    bl_label = "Mesh and Other Photos"
    bl_parent_id = "NEURAL_ASSETS_PT_assets"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout, asset = self.layout, active_asset(context.view_layer)
        layout.operator_context = "INVOKE_DEFAULT"
        layout.operator("neural_assets.fit_mesh", icon="OUTLINER_OB_MESH")
        mesh = fitted_mesh(asset) if asset is not None else None
        if mesh is not None:
            row = layout.row(align=True)
            row.label(text=mesh.name, icon="MESH_DATA", translate=False)
            if deforms(mesh):
                row.operator("neural_assets.remember_pose", text="", icon="ARMATURE_DATA")
            row.operator(
                "neural_assets.show_mesh", text="", icon="HIDE_ON" if mesh.hide_get() else "HIDE_OFF"
            )
            row.operator("neural_assets.remove_mesh", text="", icon="X")
        layout.operator("neural_assets.add_view", icon="RENDER_STILL")
        if asset is not None:
            for number, view in enumerate(asset.neural_asset.views):
                row = layout.row(align=True)
                row.label(text=view.name, icon="FILE_IMAGE", translate=False)
                row.operator("neural_assets.remove_view", text="", icon="X").number = number


CLASSES = (
    NEURAL_ASSETS_PT_assets,
    NEURAL_ASSETS_PT_box,
    NEURAL_ASSETS_PT_outline,
    NEURAL_ASSETS_PT_shape,
)
