"""*Render*: how frames are made, the worker that makes them, and what else goes out of the file."""

from __future__ import annotations

import bpy

from ..drawing import draw_worker
from .problems import draw_problems
from .render_properties import draw_decoder, draw_output_size, draw_sampling
from .sidebar import Sidebar, SubPanel, WithPhoto

TRAINING_DATA = ("folder", "scenes", "frames", "size", "seed", "split", "jobs")
"""What training data are rendered, as the scene and the operator call it."""


class NEURAL_ASSETS_PT_render_sidebar(Sidebar, bpy.types.Panel):
    """The decoder, and what would fail because of worker, output and disk."""

    bl_label = "Render"
    bl_order = 3

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout = self.layout
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        draw_decoder(column)
        column.prop(context.scene.neural_assets, "preset", text="Quality")
        row = layout.row(align=True)
        row.operator_context = "INVOKE_DEFAULT"
        row.operator("render.render", text="Image", icon="RENDER_STILL").use_viewport = True
        animation = row.operator("render.render", text="Animation", icon="RENDER_ANIMATION")
        animation.animation = animation.use_viewport = True
        draw_problems(layout, context, "render")


class NEURAL_ASSETS_PT_sampling_sidebar(SubPanel, bpy.types.Panel):
    """Steps, guidance and seed."""

    bl_label = "Sampling"
    bl_parent_id = "NEURAL_ASSETS_PT_render_sidebar"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        draw_sampling(self.layout, context)


class NEURAL_ASSETS_PT_size_sidebar(SubPanel, bpy.types.Panel):
    """The picture's size beside the decoder's."""

    bl_label = "Output Size"
    bl_parent_id = "NEURAL_ASSETS_PT_render_sidebar"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        draw_output_size(self.layout, context)


class NEURAL_ASSETS_PT_worker(SubPanel, bpy.types.Panel):
    """The worker's state."""

    bl_label = "Worker"
    bl_parent_id = "NEURAL_ASSETS_PT_render_sidebar"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        draw_worker(self.layout)
        self.layout.operator("neural_assets.check_again", icon="FILE_REFRESH")


class NEURAL_ASSETS_PT_clips(WithPhoto, bpy.types.Panel):
    """Clips for video models."""

    bl_label = "Control Clips"
    bl_parent_id = "NEURAL_ASSETS_PT_render_sidebar"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        self.layout.operator_context = "INVOKE_DEFAULT"
        self.layout.operator("neural_assets.export_clips", icon="EXPORT")


class NEURAL_ASSETS_PT_training_data(SubPanel, bpy.types.Panel):
    """Training data from the file's own meshes."""

    bl_label = "Training Data"
    bl_parent_id = "NEURAL_ASSETS_PT_render_sidebar"

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the panel."""
        layout = self.layout
        settings = context.scene.neural_assets.training_data
        layout.use_property_split = True
        layout.use_property_decorate = False
        for name in TRAINING_DATA:
            layout.prop(settings, name)
        layout.operator_context = "INVOKE_DEFAULT"
        button = layout.operator("neural_assets.render_dataset", icon="RENDER_ANIMATION")
        for name in TRAINING_DATA:
            setattr(button, name, getattr(settings, name))


CLASSES = (
    NEURAL_ASSETS_PT_render_sidebar,
    NEURAL_ASSETS_PT_sampling_sidebar,
    NEURAL_ASSETS_PT_size_sidebar,
    NEURAL_ASSETS_PT_worker,
    NEURAL_ASSETS_PT_clips,
    NEURAL_ASSETS_PT_training_data,
)
