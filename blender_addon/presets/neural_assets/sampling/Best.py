"""Preset of sampling: the best quality, one seed for all frames."""

import bpy

settings = bpy.context.scene.neural_assets

settings.preset = "best"
settings.use_animated_seed = False
