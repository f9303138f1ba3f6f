"""Render Training Data: from the file's own meshes, in the background, with Esc to stop."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import bpy

from ..errors import UserError
from ..scene.properties import TrainingDataOptions
from ..training_data import TrainingDataRender, render_training_data
from ..worker.dataset import DatasetOrder, DatasetProgress, DatasetResult
from .reporting import reports_user_errors

TICK_SECONDS = 0.25


class NEURAL_ASSETS_OT_render_dataset(TrainingDataOptions, bpy.types.Operator):
    """Render labelled pictures of this file's objects to train with; Esc stops, and a later run goes on"""

    bl_idname = "neural_assets.render_dataset"
    bl_label = "Render Training Data"
    bl_options = {"REGISTER"}

    current: ClassVar[TrainingDataRender | None] = None
    """The one that this Blender's window shows."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer one at a time."""
        if cls.current is None or not cls.current.is_running():
            return True
        cls.poll_message_set("Training data are being rendered; Esc stops it")
        return False

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Start beside the window, where the work may go on."""
        return self.execute(context) if bpy.app.background else self._start(context)

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Render to the end: for scripts and Blender without a window."""
        self._report(render_training_data(self._order()))
        return {"FINISHED"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Show how far it is; everything but Esc goes to Blender, where the work may go on."""
        if event.type == "ESC" and event.value == "PRESS":
            progress = self._render.progress
            self._finish(context)
            self.report(
                {"INFO"}, f"Stopped after {progress.done} of {progress.total} scenes; run it to go on"
            )
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if self._render.is_running():
            self._show(context, self._render.progress)
            return {"PASS_THROUGH"}
        return self._end(context)

    def cancel(self, context: bpy.types.Context) -> None:
        """End it when Blender ends the operator, as on loading a file."""
        self._finish(context)

    @reports_user_errors
    def _start(self, context: bpy.types.Context) -> set[str]:
        self._render = TrainingDataRender(self._order())
        type(self).current = self._render
        manager = context.window_manager
        manager.progress_begin(0, self.scenes)
        self._timer = manager.event_timer_add(TICK_SECONDS, window=context.window)
        manager.modal_handler_add(self)
        self._show(context, self._render.progress)
        return {"RUNNING_MODAL"}

    @reports_user_errors
    def _end(self, context: bpy.types.Context) -> set[str]:
        try:
            self._report(self._render.result())
        finally:
            self._finish(context)
        return {"FINISHED"}

    def _finish(self, context: bpy.types.Context) -> None:
        type(self).current = None
        self._render.close()
        context.window_manager.event_timer_remove(self._timer)
        context.window_manager.progress_end()
        if context.workspace is not None:
            context.workspace.status_text_set(None)

    def _show(self, context: bpy.types.Context, progress: DatasetProgress) -> None:
        context.window_manager.progress_update(progress.done)
        speed = f", {progress.scenes_per_hour:.0f} scenes/hour" if progress.scenes_per_hour else ""
        text = f"Training data: {progress.done} of {progress.total} scenes{speed}   Esc: stop"
        context.workspace.status_text_set(text)

    def _report(self, result: DatasetResult) -> None:
        for warning in result.warnings:
            self.report({"WARNING"}, warning)
        self.report({"INFO"}, f"{result.rendered} scenes rendered, {result.skipped} were there already")

    def _order(self) -> DatasetOrder:
        if not self.folder or (self.folder.startswith("//") and not bpy.data.filepath):
            raise UserError("The training data need a folder.", "Choose one, or save the file first.")
        folder = Path(bpy.path.abspath(self.folder)).absolute()
        return DatasetOrder(folder, self.scenes, self.frames, self.size, self.seed, self.split, self.jobs)


CLASSES = (NEURAL_ASSETS_OT_render_dataset,)
