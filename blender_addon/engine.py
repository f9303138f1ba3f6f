"""The render engine that Blender sees: F12, Ctrl+F12, *Rendered* shading, and ``-E NEURAL_ASSETS -a``."""

from __future__ import annotations

from typing import Any

import bpy

from .names import ENGINE
from .render.final import guarded_render
from .render.passes import register_passes
from .viewport.engine_view import EngineView


class NeuralAssetsRenderEngine(bpy.types.RenderEngine):
    """Renders assets with the worker's neural decoder. Blender makes one per frame, and one per viewport."""

    bl_idname = ENGINE
    bl_label = "Neural Assets"
    bl_use_preview = False  # material previews have no photo
    bl_use_postprocess = True
    bl_use_shading_nodes_custom = False
    bl_use_eevee_viewport = True  # material preview shows the scene's meshes as usual
    bl_use_gpu_context = False

    _view: EngineView | None = None  # of a viewport, from when it is drawn first

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)

    def __del__(self) -> None:
        if self._view is not None:
            self._view.close()
        delete = getattr(super(), "__del__", None)  # newer Blenders have one that wants to be called
        if delete is not None:
            delete()

    def render(self, depsgraph: bpy.types.Depsgraph) -> None:
        """Render one frame; off the main thread in a window."""
        guarded_render(self, depsgraph)

    def update_render_passes(self, scene: bpy.types.Scene, renderlayer: bpy.types.ViewLayer) -> None:
        """Say which passes a view layer's result will have."""
        register_passes(self, scene, renderlayer)

    def view_update(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """Take note that the scene may have changed; drawing sees to the rest."""
        self._viewport().update(depsgraph)

    def view_draw(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """Draw the newest picture of what the viewport looks at; never wait for one."""
        self._viewport().draw(context, depsgraph)

    def _viewport(self) -> EngineView:
        if self._view is None:
            self._view = EngineView(self)
        return self._view


CLASSES = (NeuralAssetsRenderEngine,)
