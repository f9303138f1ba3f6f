"""The render engine that Blender sees: F12, Ctrl+F12, ``blender -b FILE -E NEURAL_ASSETS -a``."""

from __future__ import annotations

from typing import Any

import bpy

from .names import ENGINE
from .render.final import guarded_render
from .render.passes import register_passes


class NeuralAssetsRenderEngine(bpy.types.RenderEngine):
    """Renders assets with the worker's neural decoder. Holds nothing: Blender makes one per frame."""

    bl_idname = ENGINE
    bl_label = "Neural Assets"
    bl_use_preview = False  # material previews have no photo
    bl_use_postprocess = True
    bl_use_shading_nodes_custom = False
    bl_use_eevee_viewport = True  # material preview shows the scene's meshes as usual
    bl_use_gpu_context = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def render(self, depsgraph: bpy.types.Depsgraph) -> None:
        """Render one frame; off the main thread in a window."""
        guarded_render(self, depsgraph)

    def update_render_passes(self, scene: bpy.types.Scene, renderlayer: bpy.types.ViewLayer) -> None:
        """Say which passes a view layer's result will have."""
        register_passes(self, scene, renderlayer)

    def view_update(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """Do nothing: the viewport has no picture of its own yet, and never waits for one."""

    def view_draw(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """Draw nothing: Blender's overlays show the photo behind the boxes in camera view."""


CLASSES = (NeuralAssetsRenderEngine,)
