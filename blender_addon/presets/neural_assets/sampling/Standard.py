"""Preset of sampling: the standard quality, one seed for all frames."""

import bpy

settings = bpy.context.scene.neural_assets

settings.preset = "standard"
settings.use_animated_seed = False
