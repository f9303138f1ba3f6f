"""The add-on's preferences, and the settings of the worker that follow from them and the environment."""

from __future__ import annotations

import os

import bpy

from . import keymap
from .drawing import draw_worker
from .worker.settings import WorkerSettings

DEVICES = (
    ("auto", "Automatic", "A GPU if PyTorch finds one, else the CPU", 0),
    ("cpu", "CPU", "Works everywhere", 1),
    ("cuda", "CUDA", "An NVIDIA GPU", 2),
    ("mps", "Metal", "An Apple GPU", 3),
)


class NeuralAssetsDecoder(bpy.types.PropertyGroup):
    """A decoder to choose from; its name is what it is called."""

    folder: bpy.props.StringProperty(name="Folder", description="Of its files", subtype="DIR_PATH")
    side: bpy.props.IntProperty(
        name="Side", description="Pixels of the longer side that it works at; 0 if it does not say", min=0
    )


def _keys_changed(preferences: bpy.types.PropertyGroup, _: bpy.types.Context) -> None:
    keymap.switch(preferences.use_keys)


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
    boxes: bpy.props.StringProperty(
        name="Detector",
        description="To find things by name: folder (or hub name) of Grounding DINO, OWLv2 or RT-DETR",
    )
    masks: bpy.props.StringProperty(
        name="Masks", description="Folder (or hub name) of SAM 2.1; without it masks are guessed from depth"
    )
    depth: bpy.props.StringProperty(
        name="Depth",
        description="Folder of MoGe-2 as ONNX (recommended), or folder (or hub name) of Depth Pro or Depth "
        "Anything V2 metric. It tells the camera, also where nothing is named",
    )
    outlines: bpy.props.StringProperty(
        name="Outlines",
        description="ONNX file of BiRefNet or IS-Net, or folder (or hub name) of SAM 2.1; empty for the "
        "embedded network. docs/backends.md says where they come from and under which licence",
    )
    surfaces: bpy.props.StringProperty(
        name="Surfaces",
        description="ONNX file of MoGe-2, or folder (or hub name) of Depth Anything V2 or Depth Pro, whose "
        "depths are fitted to the boxes'; empty for the embedded network",
    )
    plates: bpy.props.StringProperty(
        name="Plates",
        description="ONNX file of LaMa, or folder (or hub name) of an inpainting pipeline of diffusers, that "
        "fills what objects hide; empty for the embedded way",
    )
    refiner: bpy.props.StringProperty(
        name="Refiner",
        description="Folder of a diffusers pipeline, such as Stable Diffusion or SDXL, that finishes frames; "
        "empty for the checkpoint's own decoder. docs/decoders.md says which there are",
        subtype="DIR_PATH",
    )
    decoders: bpy.props.CollectionProperty(name="Decoders", type=NeuralAssetsDecoder)
    download: bpy.props.BoolProperty(
        name="Download",
        description="Let the worker fetch these from the hub; only while Blender allows online access",
    )

    use_keys: bpy.props.BoolProperty(
        name="Keys in the Viewport",
        description="Shift + Alt + N opens the pie menu and Shift + Alt + B drags a box around an object, in "
        "Object Mode",
        default=False,
        update=_keys_changed,
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draw the fields, the worker's state and its buttons."""
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "worker_python")
        layout.prop(self, "device")
        layout.prop(self, "checkpoint")
        layout.prop(self, "refiner")
        for decoder in self.decoders:
            row = layout.row()
            row.label(text=decoder.folder, icon="FILE_FOLDER")
            row.operator("neural_assets.forget_decoder", text="", icon="X").folder = decoder.folder
        layout.label(text="Find by Name")
        for name in ("boxes", "masks", "depth"):
            layout.prop(self, name)
        layout.label(text="Take Apart With")
        for name in ("outlines", "surfaces", "plates"):
            layout.prop(self, name)
        row = layout.row()
        row.enabled = bpy.app.online_access
        row.prop(self, "download")
        layout.label(text="Interface")
        layout.prop(self, "use_keys")
        draw_worker(layout)


def worker_settings() -> WorkerSettings:
    """Return what to start: the preferences, which the environment overrides.

    The variables: ``NEURAL_ASSETS_WORKER_PYTHON``, ``NEURAL_ASSETS_DEVICE``, ``NEURAL_ASSETS_CHECKPOINT``,
    ``NEURAL_ASSETS_BOXES``, ``NEURAL_ASSETS_MASKS``, ``NEURAL_ASSETS_DEPTH``,
    ``NEURAL_ASSETS_OUTLINES``, ``NEURAL_ASSETS_SURFACES``, ``NEURAL_ASSETS_PLATES``,
    ``NEURAL_ASSETS_REFINER``.
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
        boxes=setting("NEURAL_ASSETS_BOXES", "boxes", ""),
        masks=setting("NEURAL_ASSETS_MASKS", "masks", ""),
        depth=setting("NEURAL_ASSETS_DEPTH", "depth", ""),
        outlines=setting("NEURAL_ASSETS_OUTLINES", "outlines", ""),
        surfaces=setting("NEURAL_ASSETS_SURFACES", "surfaces", ""),
        plates=setting("NEURAL_ASSETS_PLATES", "plates", ""),
        refiner=path(setting("NEURAL_ASSETS_REFINER", "refiner", "")),
        download=bool(getattr(chosen, "download", False)) and bpy.app.online_access,
    )


CLASSES = (NeuralAssetsDecoder, NeuralAssetsPreferences)
