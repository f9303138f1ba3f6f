"""*Photo*: the picture that everything comes from, the camera that took it, and its layers."""

from __future__ import annotations

import bpy

from ..drawing import draw_text
from ..layers.photo_layers import are_out_of_date
from ..scene.painting import LABELS, Layer, painted_layer
from .problems import draw_problems
from .sidebar import Sidebar, WithPhoto


class NEURAL_ASSETS_PT_photo(Sidebar, bpy.types.Panel):
    """The photo, and what would fail because of it."""

    bl_label = "Photo"
    bl_order = 0

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout, photo = self.layout, context.scene.neural_assets.photo
        layout.operator_context = "INVOKE_DEFAULT"
        if photo is not None:  # else the first problem is that there is none, and has the button
            row = layout.row(align=True)
            row.label(text=photo.name, icon="FILE_IMAGE", translate=False)
            row.operator("neural_assets.import_photo", text="", icon="FILEBROWSER")
        draw_problems(layout, context, "photo")


class NEURAL_ASSETS_PT_photo_camera(WithPhoto, bpy.types.Panel):
    """The camera that took the photo."""

    bl_label = "Camera"
    bl_parent_id = "NEURAL_ASSETS_PT_photo"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        column = self.layout.column()
        column.operator_context = "INVOKE_DEFAULT"
        column.operator("neural_assets.detect_camera", icon="VIEW_CAMERA")
        column.operator("neural_assets.match_camera", icon="CON_CAMERASOLVER")
        column.operator("neural_assets.set_length", icon="DRIVER_DISTANCE")
        column.operator("neural_assets.capture_photo_camera", icon="CAMERA_DATA")


class NEURAL_ASSETS_PT_background(WithPhoto, bpy.types.Panel):
    """The photo without its objects."""

    bl_label = "Background"
    bl_parent_id = "NEURAL_ASSETS_PT_photo"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout = self.layout
        layout.operator_context = "INVOKE_DEFAULT"
        draw_painting(layout, context.scene, "plate")
        layout.operator("neural_assets.swap_background", icon="SCENE_DATA")


class NEURAL_ASSETS_PT_layers(WithPhoto, bpy.types.Panel):
    """What the photo is taken apart into."""

    bl_label = "Layers"
    bl_parent_id = "NEURAL_ASSETS_PT_photo"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout = self.layout
        layout.operator_context = "INVOKE_DEFAULT"
        layout.operator("neural_assets.show_layers", icon="RENDERLAYERS")
        if are_out_of_date(context.scene):
            draw_text(layout, "Boxes have changed since the layers were made. Show them again.", "INFO")
        layout.operator_menu_enum("neural_assets.show_in_camera", "kind", icon="CAMERA_DATA")


def draw_painting(layout: bpy.types.UILayout, owner: bpy.types.ID, layer: Layer) -> None:
    """Draw the button that opens a layer for painting, and, where it was painted, the one that resets it."""
    row = layout.row(align=True)
    row.operator("neural_assets.edit_layer", text=EDIT[layer], icon="BRUSH_DATA").layer = layer
    if painted_layer(owner, layer) is not None:
        row.operator("neural_assets.reset_layer", text="", icon="LOOP_BACK").layer = layer


EDIT: dict[Layer, str] = {"outline": "Edit Outline", "shadow_image": "Edit Shadow", "plate": "Edit Plate"}
"""Texts of the buttons, whole, so that they can be translated."""

assert EDIT.keys() == LABELS.keys()

CLASSES = (
    NEURAL_ASSETS_PT_photo,
    NEURAL_ASSETS_PT_photo_camera,
    NEURAL_ASSETS_PT_background,
    NEURAL_ASSETS_PT_layers,
)
