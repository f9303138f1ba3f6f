"""Preset of passes: what a compositor mixes other pictures in with."""

import bpy

view_layer = bpy.context.view_layer
own = view_layer.neural_assets

view_layer.use_pass_z = True
view_layer.use_pass_object_index = False
view_layer.use_pass_normal = False
view_layer.use_pass_position = False
view_layer.use_pass_vector = True
view_layer.use_pass_shadow = True
view_layer.use_pass_cryptomatte_object = True
own.use_pass_plate = True
own.use_pass_proxy = False
own.use_pass_validity = False
own.use_pass_alpha = False
