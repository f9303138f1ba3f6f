"""Detect Objects: beside the window, with Esc to cancel, and one undo step."""

from __future__ import annotations

import bpy

from ..errors import RenderCancelled
from ..operators.reporting import reports_user_errors
from .apply import apply_detection
from .detect import start_detection, summary
from .task import DetectionTask

TICK_SECONDS = 0.05


class NEURAL_ASSETS_OT_detect(bpy.types.Operator):
    """Find the objects in the photo, and the camera, and make assets of what is found"""

    bl_idname = "neural_assets.detect"
    bl_label = "Detect Objects"
    bl_options = {"REGISTER", "UNDO"}

    threshold: bpy.props.FloatProperty(
        name="Threshold",
        description="Objects that are less sure than this are left out",
        default=0.3,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )

    prompt: bpy.props.StringProperty(
        name="Find",
        description="Names of what to find, such as: mug. laptop. plant. Needs weights that the preferences "
        "name; leave it empty for the embedded detector",
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it once a photo is there."""
        if context.scene.neural_assets.photo is None:
            cls.poll_message_set("Import a photo first")
            return False
        return context.mode == "OBJECT"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Start beside the window."""
        return self.execute(context) if bpy.app.background else self._start(context)

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Detect to the end: for scripts, Blender without a window, and Adjust Last Operation."""
        self._task: DetectionTask = start_detection(context.scene, self.threshold, self.prompt)
        self._task.wait()
        return self._apply(context)

    @reports_user_errors
    def _start(self, context: bpy.types.Context) -> set[str]:
        self._task = start_detection(context.scene, self.threshold, self.prompt)
        self._scene = context.scene
        self._timer = context.window_manager.event_timer_add(TICK_SECONDS, window=context.window)
        context.window_manager.modal_handler_add(self)
        context.workspace.status_text_set("Looking for objects. Esc cancels")
        context.window.cursor_modal_set("WAIT")
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Wait without blocking."""
        if event.type == "ESC" and event.value == "PRESS":
            self._task.stop()
        if self._task.is_running():
            return {"RUNNING_MODAL"} if event.type in {"TIMER", "ESC"} else {"PASS_THROUGH"}
        self._finish(context)
        return self._apply(context)

    def cancel(self, context: bpy.types.Context) -> None:
        """End it when Blender ends the operator, as on loading a file."""
        self._task.stop()
        self._finish(context)

    @reports_user_errors
    def _apply(self, context: bpy.types.Context) -> set[str]:
        try:
            detection = self._task.result()
        except RenderCancelled:
            self.report({"INFO"}, "Cancelled; nothing was changed")
            return {"CANCELLED"}
        new = apply_detection(getattr(self, "_scene", context.scene), detection)
        self.report({"WARNING" if not detection.objects else "INFO"}, summary(detection, new))
        if not detection.objects:
            return {"CANCELLED"}
        for item in context.selected_objects:
            item.select_set(False)
        for item in new:
            item.select_set(True)
        if new:
            context.view_layer.objects.active = new[0]
        return {"FINISHED"}

    def _finish(self, context: bpy.types.Context) -> None:
        context.window_manager.event_timer_remove(self._timer)
        context.workspace.status_text_set(None)
        context.window.cursor_modal_restore()


CLASSES = (NEURAL_ASSETS_OT_detect,)
