"""Preset of passes: the picture alone."""

import bpy

view_layer = bpy.context.view_layer
own = view_layer.neural_assets

view_layer.use_pass_z = False
view_layer.use_pass_object_index = False
view_layer.use_pass_normal = False
view_layer.use_pass_position = False
view_layer.use_pass_vector = False
view_layer.use_pass_shadow = False
view_layer.use_pass_cryptomatte_object = False
own.use_pass_plate = False
own.use_pass_proxy = False
own.use_pass_validity = False
own.use_pass_alpha = False
