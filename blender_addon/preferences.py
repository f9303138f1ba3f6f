"""The add-on's preferences, and the settings of the worker that follow from them and the environment."""

from __future__ import annotations

import os

import bpy

from .worker.settings import WorkerSettings

DEVICES = (
    ("auto", "Automatic", "A GPU if PyTorch finds one, else the CPU", 0),
    ("cpu", "CPU", "Works everywhere", 1),
    ("cuda", "CUDA", "An NVIDIA GPU", 2),
    ("mps", "Metal", "An Apple GPU", 3),
)


class NeuralAssetsPreferences(bpy.types.AddonPreferences):
    """Which worker to start. Render farms override every field through the environment."""

    bl_idname = __package__

    worker_python: bpy.props.StringProperty(
        name="Worker Python",
        description="The Python that has neural-assets[worker] installed; Blender's own is never touched",
        subtype="FILE_PATH",
    )
    device: bpy.props.EnumProperty(
        name="Device", description="Where the network runs", items=DEVICES, default="auto"
    )
    checkpoint: bpy.props.StringProperty(
        name="Checkpoint",
        description="Folder of a trained checkpoint; empty for the one that comes with neural-assets",
        subtype="DIR_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the fields, the worker's state and its buttons."""
        from . import panels  # panels read preferences

        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "worker_python")
        layout.prop(self, "device")
        layout.prop(self, "checkpoint")
        panels.draw_worker(layout)


def worker_settings() -> WorkerSettings:
    """Return what to start: the preferences, which the environment overrides.

    The variables: ``NEURAL_ASSETS_WORKER_PYTHON``, ``NEURAL_ASSETS_DEVICE``, ``NEURAL_ASSETS_CHECKPOINT``.
    Preferences are read, not the scene, so a render thread may call this.
    """
    addon: bpy.types.Addon | None = bpy.context.preferences.addons.get(__package__)
    chosen = addon.preferences if addon else None

    def setting(variable: str, field: str, default: str) -> str:
        return os.environ.get(variable, "") or getattr(chosen, field, "") or default

    def path(value: str) -> str:
        return bpy.path.abspath(value) if value else ""

    return WorkerSettings(
        python=path(setting("NEURAL_ASSETS_WORKER_PYTHON", "worker_python", "")),
        device=setting("NEURAL_ASSETS_DEVICE", "device", "auto"),
        checkpoint=path(setting("NEURAL_ASSETS_CHECKPOINT", "checkpoint", "")),
    )
