"""Presets of sampling and of passes: Blender's own, as files in the user's ``scripts/presets``.

Those that come with the extension lie in its folder ``presets``; Blender neither changes nor removes them.
"""

from __future__ import annotations

from pathlib import Path

import bpy
from bl_operators.presets import AddPresetBase

from ..render.passes import OFFERS

SAMPLING = (
    *("preset", "steps", "guidance", "seed", "use_animated_seed"),
    *("refiner_prompt", "refiner_strength", "refiner_reach"),
)
"""Properties of a scene that a preset of sampling holds."""


class NEURAL_ASSETS_MT_sampling_presets(bpy.types.Menu):
    """Steps, guidance and seed under a name."""

    bl_label = "Sampling Presets"
    preset_subdir = "neural_assets/sampling"
    preset_operator = "script.execute_preset"
    draw = bpy.types.Menu.draw_preset


class NEURAL_ASSETS_OT_add_sampling_preset(AddPresetBase, bpy.types.Operator):
    """Keep how frames are sampled under a name, or remove the chosen preset"""

    bl_idname = "neural_assets.add_sampling_preset"
    bl_label = "Add Sampling Preset"
    preset_menu = "NEURAL_ASSETS_MT_sampling_presets"
    preset_subdir = NEURAL_ASSETS_MT_sampling_presets.preset_subdir
    preset_defines = ["settings = bpy.context.scene.neural_assets"]
    preset_values = [f"settings.{name}" for name in SAMPLING]


class NEURAL_ASSETS_MT_pass_presets(bpy.types.Menu):
    """A choice of passes under a name."""

    bl_label = "Pass Presets"
    preset_subdir = "neural_assets/passes"
    preset_operator = "script.execute_preset"
    draw = bpy.types.Menu.draw_preset


class NEURAL_ASSETS_OT_add_pass_preset(AddPresetBase, bpy.types.Operator):
    """Keep which passes the view layer has under a name, or remove the chosen preset"""

    bl_idname = "neural_assets.add_pass_preset"
    bl_label = "Add Pass Preset"
    preset_menu = "NEURAL_ASSETS_MT_pass_presets"
    preset_subdir = NEURAL_ASSETS_MT_pass_presets.preset_subdir
    preset_defines = ["view_layer = bpy.context.view_layer", "own = view_layer.neural_assets"]
    preset_values = [f"{'own' if offer.ours else 'view_layer'}.{offer.switch}" for offer in OFFERS]


CLASSES = (
    NEURAL_ASSETS_MT_sampling_presets,
    NEURAL_ASSETS_OT_add_sampling_preset,
    NEURAL_ASSETS_MT_pass_presets,
    NEURAL_ASSETS_OT_add_pass_preset,
)

FOLDER = str(Path(__file__).parents[1])
"""The extension's own, in which there is a folder ``presets``."""


def register() -> None:
    """Let Blender find the presets that come with the extension."""
    bpy.utils.register_preset_path(FOLDER)


def unregister() -> None:
    """Let it find them no more."""
    bpy.utils.unregister_preset_path(FOLDER)
