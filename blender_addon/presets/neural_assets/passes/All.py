"""Preset of passes: all that there are."""

import bpy

view_layer = bpy.context.view_layer
own = view_layer.neural_assets

view_layer.use_pass_z = True
view_layer.use_pass_object_index = True
view_layer.use_pass_normal = True
view_layer.use_pass_position = True
view_layer.use_pass_vector = True
view_layer.use_pass_shadow = True
view_layer.use_pass_cryptomatte_object = True
own.use_pass_plate = True
own.use_pass_proxy = True
own.use_pass_validity = True
own.use_pass_alpha = True
