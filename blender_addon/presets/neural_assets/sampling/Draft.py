"""Preset of sampling: the draft quality, one seed for all frames."""

import bpy

settings = bpy.context.scene.neural_assets

settings.preset = "draft"
settings.use_animated_seed = False
