"""Detect Objects and Detect Camera: beside the window, with Esc to cancel, and one undo step each."""

from __future__ import annotations

import bpy

from ..errors import RenderCancelled
from ..operators.asking import AsksWorker
from ..operators.reporting import reports_user_errors
from ..worker.task import WorkerTask
from .apply import apply_camera, apply_detection
from .detect import camera_summary, start_camera_detection, start_detection, summary
from .result import Detection


class DetectsInPhoto(AsksWorker):
    """What the buttons have in common."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Offer it once a photo is there."""
        if context.scene.neural_assets.photo is None:
            cls.poll_message_set("Import a photo first")  # type: ignore[attr-defined]
            return False
        return context.mode == "OBJECT"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Start beside the window."""
        return self.execute(context) if bpy.app.background else self._start(context)

    @reports_user_errors
    def execute(self, context: bpy.types.Context) -> set[str]:
        """Detect to the end: for scripts, Blender without a window, and Adjust Last Operation."""
        return self.ask_to_the_end(context, self.start(context.scene))

    @reports_user_errors
    def _start(self, context: bpy.types.Context) -> set[str]:
        going = self.ask(context, self.start(context.scene), "Looking at the photo")
        context.window_manager.modal_handler_add(self)  # type: ignore[arg-type]
        return going

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Wait without blocking."""
        return self.wait(context, event)

    def cancel(self, context: bpy.types.Context) -> None:
        """End it when Blender ends the operator, as on loading a file."""
        self.end_asking(context)

    @reports_user_errors
    def answered(self, context: bpy.types.Context) -> set[str]:
        """Take the answer, unless it was cancelled."""
        task, scene = self.asked
        try:
            return self.apply(context, scene, task.result())
        except RenderCancelled:
            self.report({"INFO"}, "Cancelled; nothing was changed")  # type: ignore[attr-defined]
            return {"CANCELLED"}

    def start(self, scene: bpy.types.Scene) -> WorkerTask[Detection]:
        """Ask the worker."""
        raise NotImplementedError

    def apply(self, context: bpy.types.Context, scene: bpy.types.Scene, detection: Detection) -> set[str]:
        """Change the scene."""
        raise NotImplementedError


class NEURAL_ASSETS_OT_detect(DetectsInPhoto, bpy.types.Operator):
    """Find the objects in the photo, and the camera, and make assets of what is found"""

    bl_idname = "neural_assets.detect"
    bl_label = "Detect Objects"

    threshold: bpy.props.FloatProperty(
        name="Threshold",
        description="Objects that are less sure than this are left out",
        default=0.45,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )

    prompt: bpy.props.StringProperty(
        name="Find",
        description="Names of what to find, such as: mug. laptop. plant. Needs weights that the preferences "
        "name; leave it empty for the embedded detector",
    )

    def start(self, scene: bpy.types.Scene) -> WorkerTask[Detection]:
        """Ask for the objects and the camera."""
        return start_detection(scene, self.threshold, self.prompt)

    def apply(self, context: bpy.types.Context, scene: bpy.types.Scene, detection: Detection) -> set[str]:
        """Make assets, and select them."""
        new = apply_detection(scene, detection)
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


class NEURAL_ASSETS_OT_detect_camera(DetectsInPhoto, bpy.types.Operator):
    """Find the camera that took the photo: lens, pitch and roll. Assets and their boxes stay as they are"""

    bl_idname = "neural_assets.detect_camera"
    bl_label = "Detect Camera"

    def start(self, scene: bpy.types.Scene) -> WorkerTask[Detection]:
        """Ask for the camera."""
        return start_camera_detection(scene)

    def apply(self, context: bpy.types.Context, scene: bpy.types.Scene, detection: Detection) -> set[str]:
        """Turn the scene's camera."""
        apply_camera(scene, detection)
        self.report({"INFO"}, camera_summary(scene))
        return {"FINISHED"}


CLASSES = (NEURAL_ASSETS_OT_detect, NEURAL_ASSETS_OT_detect_camera)
