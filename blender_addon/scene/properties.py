"""What the add-on stores in a .blend: on every asset's object and on every scene.

Matrices are kept as sixteen float32, row by row. That loses nothing: Blender itself holds every matrix in
float32 and both sides of a comparison are read from the same evaluated values, so an asset that nobody moved
has a source box equal to its target box to the last bit. Cameras are made orthonormal again when read.
"""

from __future__ import annotations

from typing import Any

import bpy

from na_core.scene import MAX_PROMPT, MAX_SHADOW_STRENGTH, MAX_STEPS, SAMPLING_PRESETS

IDENTITY = (1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0)

PRESETS = (
    ("draft", "Draft", "The photo painted onto the boxes: instant, runs no network", 0),
    ("standard", "Standard", "One denoising step: the smoothest and steadiest", 1),
    ("best", "Best", "Two denoising steps: more texture, less steady", 2),
    ("custom", "Custom", "The steps and guidance below", 3),
)
"""Items of the preset; the numbers are what .blend files store, so they never change."""

SPLITS = (
    ("train", "Train", "To train with", 0),
    ("validation", "Validation", "To watch the training with", 1),
    ("test", "Test", "To measure with: films and controlled edits of every kind", 2),
)

LAYERS = (
    ("outlines", "Outlines", "What is seen of each object, in its colour", 0),
    ("plate", "Plate", "The photo without its objects and their shadows", 1),
    ("shadows", "Shadows", "What the objects' shadows multiply the plate by, linear", 2),
    ("depth", "Depth", "Metres along the viewing direction", 3),
    ("normals", "Normals", "X, Y and Z in the world, where the surface faces", 4),
)
"""What a photo is taken apart into, as images show it; the numbers are what .blend files store."""

# From 4.5 on a property has to say that it takes paths relative to the .blend; before, the word is unknown.
BLEND_RELATIVE = (
    {"PATH_SUPPORTS_BLEND_RELATIVE"}
    if "is_path_supports_blend_relative" in bpy.types.Property.bl_rna.properties
    else set()
)


class SourceCameraProperties(bpy.types.PropertyGroup):
    """The camera that took a photo. ``fx`` = 0 means that there is none yet."""

    world_from_camera: bpy.props.FloatVectorProperty(
        name="World from Camera",
        description="The camera's transform when the photo was taken, 4 x 4, row by row",
        size=16,
        default=IDENTITY,
        options=set(),
    )
    fx: bpy.props.FloatProperty(
        name="Focal Length X", description="In units of the picture's width", options=set()
    )
    fy: bpy.props.FloatProperty(
        name="Focal Length Y", description="In units of the picture's height", options=set()
    )
    cx: bpy.props.FloatProperty(
        name="Centre X", description="Principal point, 0 left to 1 right", default=0.5, options=set()
    )
    cy: bpy.props.FloatProperty(
        name="Centre Y", description="Principal point, 0 top to 1 bottom", default=0.5, options=set()
    )


class PaintedLayers:
    """What an artist painted of an object's layers; see :mod:`blender_addon.scene.painting`."""

    outline: bpy.props.PointerProperty(
        name="Outline",
        description="What is seen of the object, painted: white is the object",
        type=bpy.types.Image,
        options=set(),
    )
    shadow_image: bpy.props.PointerProperty(
        name="Shadow",
        description="Its shadow, painted: what the ground is multiplied by; white is none",
        type=bpy.types.Image,
        options=set(),
    )


class HiddenBoxProperties(PaintedLayers, bpy.types.PropertyGroup):
    """Where the background's photo shows an asset, so that it can be taken out. ``name`` is the asset's."""

    world_from_box: bpy.props.FloatVectorProperty(
        name="World from Box", description="4 x 4, row by row", size=16, default=IDENTITY, options=set()
    )
    rectangle: bpy.props.FloatVectorProperty(
        name="Rectangle",
        description="Left, top, right, bottom around the asset in the photo, 0 to 1; all 0 if unknown",
        size=4,
        default=(0.0, 0.0, 0.0, 0.0),
        options=set(),
    )


class AssetViewProperties(bpy.types.PropertyGroup):
    """How another photo shows an asset. ``name`` is the photo's."""

    photo: bpy.props.PointerProperty(
        name="Photo", description="Another picture of the object", type=bpy.types.Image, options=set()
    )
    source_box: bpy.props.FloatVectorProperty(
        name="Source Box",
        description="The object's box there: world from box, 4 x 4, row by row",
        size=16,
        default=IDENTITY,
        options=set(),
    )
    source_camera: bpy.props.PointerProperty(type=SourceCameraProperties)
    source_box_2d: bpy.props.FloatVectorProperty(
        name="Source Rectangle",
        description="Left, top, right, bottom around the object there, 0 to 1",
        size=4,
        options=set(),
    )
    outline: bpy.props.PointerProperty(
        name="Outline",
        description="What is seen of the object there, painted: white is the object",
        type=bpy.types.Image,
        options=set(),
    )


OVERRIDABLE: set[Any] = {"LIBRARY_OVERRIDABLE"}
"""What an asset that is linked from another file and overridden may have of its own."""


def _has_shadow(asset: bpy.types.PropertyGroup) -> bool:
    return asset.shadow_strength > 0


def _set_shadow(asset: bpy.types.PropertyGroup, shown: bool) -> None:
    if shown != _has_shadow(asset):
        asset.shadow_strength = 1.0 if shown else 0.0


class AssetProperties(PaintedLayers, bpy.types.PropertyGroup):
    """On every object: whether it is an asset, and what its photo shows. Copying and appending keep it.

    The shadow's strength, and how far the light is matched, can be keyframed.
    """

    is_asset: bpy.props.BoolProperty(
        name="Neural Asset", description="Render this empty as an object of its photo", options=set()
    )
    photo: bpy.props.PointerProperty(
        name="Photo", description="The picture that the appearance comes from", type=bpy.types.Image
    )
    source_box: bpy.props.FloatVectorProperty(
        name="Source Box",
        description="The object's box in the photo: world from box, 4 x 4, row by row",
        size=16,
        default=IDENTITY,
        options=set(),
    )
    score: bpy.props.FloatProperty(
        name="Score",
        description="How sure the detector was; 0 for what was added by hand",
        min=0.0,
        max=1.0,
        options=set(),
    )
    source_camera: bpy.props.PointerProperty(type=SourceCameraProperties)
    source_box_2d: bpy.props.FloatVectorProperty(
        name="Source Rectangle",
        description="Left, top, right, bottom around the object in the photo, 0 to 1",
        size=4,
        options=set(),
    )
    views: bpy.props.CollectionProperty(type=AssetViewProperties)
    mesh: bpy.props.PointerProperty(
        type=bpy.types.Object,
        name="Mesh",
        description="Mesh object that is the object's shape; without one, the photo tells it",
        options=set(),
    )
    mesh_pose: bpy.props.PointerProperty(
        type=bpy.types.Mesh,
        name="Mesh in Photo",
        description="The mesh as the photo shows it, where it deforms",
        options=set(),
    )
    quarter_turns: bpy.props.IntProperty(
        name="Quarter Turns",
        description="Turns about the box's up axis that bring its front to the source camera",
        min=0,
        max=3,
        options=set(),
    )
    shadow_strength: bpy.props.FloatProperty(
        name="Shadow Strength",
        description="How dark the shadow is that the object brings along from its photo: "
        "0 none, 1 as in the photo, 2 darkest. It can be keyframed",
        default=1.0,
        min=0.0,
        max=MAX_SHADOW_STRENGTH,
        subtype="FACTOR",
        override=OVERRIDABLE,
    )
    show_shadow: bpy.props.BoolProperty(
        name="Shadow",
        description="Let the object bring its shadow along from its photo; off sets Shadow Strength to 0",
        get=_has_shadow,
        set=_set_shadow,
        options=set(),
        override=OVERRIDABLE,
    )
    position: bpy.props.IntProperty(
        name="Position",
        description="Place in the list of assets, from 1; 0 comes after those that have one",
        default=0,
        min=0,
        options=set(),
        override=OVERRIDABLE,
    )
    match_light: bpy.props.FloatProperty(
        name="Match Light",
        description="How far the object's colours follow the light of the background's photo, if it comes "
        "from another one: 0 as its own photo shows them, 1 as far as the two photos tell. "
        "It can be keyframed",
        default=1.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
        override=OVERRIDABLE,
    )


def _passes_changed(_: bpy.types.PropertyGroup, context: bpy.types.Context) -> None:
    """Let Blender ask the engine again which passes there are."""
    if context.view_layer is not None:
        context.view_layer.update_render_passes()


class ViewLayerProperties(bpy.types.PropertyGroup):
    """Passes of a view layer that Blender has no switches for."""

    use_pass_plate: bpy.props.BoolProperty(
        name="Plate",
        description="The frame without its assets",
        options=set(),
        update=_passes_changed,
    )
    use_pass_proxy: bpy.props.BoolProperty(
        name="Proxy",
        description="What the decoder starts from",
        options=set(),
        update=_passes_changed,
    )
    use_pass_validity: bpy.props.BoolProperty(
        name="Validity",
        description="1 where a photo showed this very point, 0 where it is made up",
        options=set(),
        update=_passes_changed,
    )
    use_pass_alpha: bpy.props.BoolProperty(
        name="Alpha of Assets",
        description="For each asset, how much of each pixel shows it",
        options=set(),
        update=_passes_changed,
    )


class TrainingDataOptions:
    """What training data are rendered: as properties of a scene and of the operator alike."""

    folder: bpy.props.StringProperty(
        name="Folder",
        description="Where the data set goes",
        subtype="DIR_PATH",
        default="//training-data",
        options=BLEND_RELATIVE,
    )
    scenes: bpy.props.IntProperty(
        name="Scenes", description="How many; those that are there already are kept", default=100, min=1
    )
    frames: bpy.props.IntProperty(
        name="Frames", description="Pictures of each scene at most", default=8, min=1, soft_max=24
    )
    size: bpy.props.IntProperty(
        name="Size", description="Side of the square picture", default=256, min=8, subtype="PIXEL"
    )
    seed: bpy.props.IntProperty(name="Seed", description="Of the first scene", default=0, min=0)
    split: bpy.props.EnumProperty(
        name="Split", description="What the scenes are for", items=SPLITS, default="train"
    )
    jobs: bpy.props.IntProperty(
        name="Jobs", description="Processes at a time; 0 for one per core", default=0, min=0, soft_max=64
    )


class LayerImageProperties(bpy.types.PropertyGroup):
    """Of an image that shows a layer of a photo."""

    photo: bpy.props.PointerProperty(
        type=bpy.types.Image, name="Photo", description="That the layer was taken from", options=set()
    )
    kind: bpy.props.EnumProperty(
        name="Layer", description="Which of the photo's layers it shows", items=LAYERS, options=set()
    )
    made_of: bpy.props.StringProperty(
        name="Made of", description="What tells the boxes apart that the layer was made with", options=set()
    )


class TrainingDataProperties(TrainingDataOptions, bpy.types.PropertyGroup):
    """On every scene: what training data to render with the file's objects."""


class SceneProperties(bpy.types.PropertyGroup):
    """On every scene: the background and how to sample. Sampling can be keyframed."""

    version: bpy.props.IntVectorProperty(
        name="Version",
        description="Of the add-on that wrote this scene's data; zeros before versions were kept",
        size=3,
        min=0,
        default=(0, 0, 0),
        options={"HIDDEN"},
    )
    photo: bpy.props.PointerProperty(
        name="Photo", description="The picture that the background comes from", type=bpy.types.Image
    )
    source_camera: bpy.props.PointerProperty(type=SourceCameraProperties)
    hidden_boxes: bpy.props.CollectionProperty(type=HiddenBoxProperties)
    focal_length_assumed: bpy.props.BoolProperty(
        name="Focal Length Assumed",
        description="The photo did not tell its focal length; a common one was assumed",
        options=set(),
    )
    focal_length_doubt: bpy.props.FloatProperty(
        name="Focal Length Doubt",
        description="Relative error to be expected of a focal length that was guessed from the photo; 0 if "
        "nothing was guessed",
        default=0.0,
        min=0.0,
        subtype="FACTOR",
        options=set(),
    )
    camera_matched: bpy.props.BoolProperty(
        name="Camera Matched",
        description="Someone said which camera took the photo; detection takes it as it is",
        options=set(),
    )
    preset: bpy.props.EnumProperty(
        name="Preset", description="Quality against time", items=PRESETS, default="standard"
    )
    steps: bpy.props.IntProperty(
        name="Steps",
        description="Denoising steps per frame of the custom preset; 0 gives the proxy picture",
        default=SAMPLING_PRESETS["standard"][0],
        min=0,
        max=MAX_STEPS,
        soft_max=50,
    )
    guidance: bpy.props.FloatProperty(
        name="Guidance",
        description="Guidance scale of the custom preset; 1 is fastest, more follows the assets more closely",
        default=SAMPLING_PRESETS["standard"][1],
        min=0.0,
        max=30.0,
        soft_min=1.0,
        soft_max=10.0,
    )
    refiner_prompt: bpy.props.StringProperty(
        name="Prompt",
        description="For a refiner: what frames show, in words; may be empty",
        maxlen=MAX_PROMPT,
    )
    refiner_strength: bpy.props.FloatProperty(
        name="Strength",
        description="How far a refiner leaves the composed picture; 0 for what suits it",
        default=0.0,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    refiner_reach: bpy.props.FloatProperty(
        name="Reach",
        description="Where a refiner writes: 0 in what no photo showed, half on edges and shadows, too, 1 on "
        "all that has moved. What stands still is never touched",
        default=0.5,
        min=0.0,
        max=1.0,
        subtype="FACTOR",
    )
    seed: bpy.props.IntProperty(
        name="Seed", description="The same seed gives the same picture", default=0, min=0, max=2**31 - 1
    )
    use_animated_seed: bpy.props.BoolProperty(
        name="Animate Seed",
        description="A new seed each frame, made of the seed and the frame's number: what is made up differs "
        "from frame to frame, and is the same whenever the frame is rendered again",
        default=False,
        options=set(),
    )
    show_boxes: bpy.props.BoolProperty(
        name="Show Fronts and Axes",
        description="Draw assets' front faces and axes over the photo in the viewport",
        default=True,
        options=set(),
    )
    plate: bpy.props.PointerProperty(
        name="Plate",
        description="The photo without its objects, painted",
        type=bpy.types.Image,
        options=set(),
    )
    prompt: bpy.props.StringProperty(
        name="Find",
        description="Names of what to detect, such as: mug. laptop. plant. Needs weights that the "
        "preferences name; empty for the embedded detector",
        options=set(),
    )
    training_data: bpy.props.PointerProperty(type=TrainingDataProperties)


CLASSES = (
    SourceCameraProperties,
    HiddenBoxProperties,
    AssetViewProperties,
    AssetProperties,
    LayerImageProperties,
    ViewLayerProperties,
    TrainingDataProperties,
    SceneProperties,
)


def register() -> None:
    """Attach the groups to Blender's types. Writes nothing to any scene."""
    bpy.types.Object.neural_asset = bpy.props.PointerProperty(type=AssetProperties, override=OVERRIDABLE)
    bpy.types.Scene.neural_assets = bpy.props.PointerProperty(type=SceneProperties)
    bpy.types.ViewLayer.neural_assets = bpy.props.PointerProperty(type=ViewLayerProperties)
    bpy.types.Image.neural_layer = bpy.props.PointerProperty(type=LayerImageProperties)


def unregister() -> None:
    """Detach the groups; files keep the values."""
    del bpy.types.Image.neural_layer
    del bpy.types.ViewLayer.neural_assets
    del bpy.types.Scene.neural_assets
    del bpy.types.Object.neural_asset
