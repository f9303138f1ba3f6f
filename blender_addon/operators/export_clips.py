"""Export Control Clips: in the background, with Esc to stop."""

from __future__ import annotations

from pathlib import Path

import bpy

from ..control_clips import ClipsExport, export_clips
from ..errors import UserError
from .reporting import reports_user_errors

TICK_SECONDS = 0.25


class NEURAL_ASSETS_OT_export_clips(bpy.types.Operator):
    """Write the scene's frames as videos that video models are steered with: depth, normals, masks, edges, \
background, and the camera's path as JSON"""

    bl_idname = "neural_assets.export_clips"
    bl_label = "Export Control Clips"
    bl_options = {"REGISTER"}

    directory: bpy.props.StringProperty(name="Folder", description="Where the clips go", subtype="DIR_PATH")
    filter_folder: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Ask for the folder."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Export to the end, or beside the window where there is one."""
        if not self.directory:
            raise UserError("The clips need a folder.", "Choose one.")
        out = Path(bpy.path.abspath(self.directory)).absolute()
        if bpy.app.background:
            files = export_clips(out, scene=context.scene)
            self.report({"INFO"}, f"{len(files)} files in {out}")
            return {"FINISHED"}
        self._export = ClipsExport(out, scene=context.scene)
        manager = context.window_manager
        manager.progress_begin(0, self._export.total)
        self._timer = manager.event_timer_add(TICK_SECONDS, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Show how far it is; everything but Esc goes to Blender, where the work may go on."""
        if event.type == "ESC" and event.value == "PRESS":
            self._finish(context)
            self.report({"INFO"}, "The export was stopped")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        if self._export.is_running():
            context.window_manager.progress_update(self._export.done)
            text = f"Control clips: {self._export.done} of {self._export.total} frames   Esc: stop"
            context.workspace.status_text_set(text)
            return {"PASS_THROUGH"}
        return self._end(context)

    def cancel(self, context: bpy.types.Context) -> None:
        """End it when Blender ends the operator, as on loading a file."""
        self._finish(context)

    @reports_user_errors
    def _end(self, context: bpy.types.Context) -> set[str]:
        try:
            files = self._export.result()
            self.report({"INFO"}, f"{len(files)} files in {self._export.out}")
        finally:
            self._finish(context)
        return {"FINISHED"}

    def _finish(self, context: bpy.types.Context) -> None:
        self._export.close()
        context.window_manager.event_timer_remove(self._timer)
        context.window_manager.progress_end()
        if context.workspace is not None:
            context.workspace.status_text_set(None)


CLASSES = (NEURAL_ASSETS_OT_export_clips,)
