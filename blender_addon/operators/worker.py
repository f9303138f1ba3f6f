"""Starting and stopping the worker by hand, and looking at its log."""

from __future__ import annotations

import bpy

from ..errors import UserError
from ..preferences import worker_settings
from ..storage import user_folder
from ..worker import supervisor
from .reporting import reports_user_errors


class NEURAL_ASSETS_OT_start_worker(bpy.types.Operator):
    """Start the worker now, so that the first render need not wait for it"""

    bl_idname = "neural_assets.start_worker"
    bl_label = "Start Worker"

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Start it and return at once."""
        supervisor.start(worker_settings(), user_folder("logs"))
        return {"FINISHED"}


class NEURAL_ASSETS_OT_stop_worker(bpy.types.Operator):
    """Stop the worker, which frees its memory; the next render starts another"""

    bl_idname = "neural_assets.stop_worker"
    bl_label = "Stop Worker"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Stop it."""
        supervisor.stop()
        return {"FINISHED"}


class NEURAL_ASSETS_OT_copy_worker_log(bpy.types.Operator):
    """Copy the end of the worker's log to the clipboard"""

    bl_idname = "neural_assets.copy_worker_log"
    bl_label = "Copy Worker Log"

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Copy it."""
        log = supervisor.status().log
        if log is None or not log.is_file():
            raise UserError("The worker has written no log yet.", "Start it first.")
        context.window_manager.clipboard = log.read_text(encoding="utf-8", errors="replace")[-20000:]
        self.report({"INFO"}, "Copied the worker's log to the clipboard")
        return {"FINISHED"}


CLASSES = (NEURAL_ASSETS_OT_start_worker, NEURAL_ASSETS_OT_stop_worker, NEURAL_ASSETS_OT_copy_worker_log)
