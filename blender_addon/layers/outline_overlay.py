"""The outline that is being painted, tinted over the photo: drawn where a viewport looks through the camera.

An outline is black and white in the Image Editor, where nothing says which part of the photo a brush is on.
While an Image Editor shows one, the viewports show it over the photo, stroke by stroke.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import bpy
import gpu
from bpy_extras.view3d_utils import location_3d_to_region_2d
from gpu_extras.batch import batch_for_shader

from ..scene.assets import asset_objects
from ..scene.painting import painted_layer

TINT = (0.0, 0.85, 1.0, 0.5)
"""Of what is the object: red, green, blue, and how much of it."""

_handle: object | None = None
_shader: gpu.types.GPUShader | None = None


def painted_now(scene: bpy.types.Scene, screens: list[bpy.types.Screen]) -> Iterator[bpy.types.Image]:
    """Yield the outlines of a scene's assets in its own photo that an Image Editor of these screens shows."""
    shown = {
        area.spaces.active.image  # type: ignore[attr-defined]
        for screen in screens
        for area in screen.areas
        if area.type == "IMAGE_EDITOR"
    }
    photo = scene.neural_assets.photo
    outlines = [
        painted_layer(asset, "outline")
        for asset in asset_objects(scene)
        if photo is not None and asset.neural_asset.photo == photo
    ]
    yield from dict.fromkeys(image for image in outlines if image is not None and image in shown)


def _draw() -> None:
    context = bpy.context
    scene, region_3d, space = context.scene, context.region_data, context.space_data
    if region_3d.view_perspective != "CAMERA" or scene.camera is None or not space.overlay.show_overlays:
        return
    screens = [window.screen for window in context.window_manager.windows]
    for image in painted_now(scene, screens):
        _draw_over_camera(image, scene, context)


def _draw_over_camera(image: bpy.types.Image, scene: bpy.types.Scene, context: Any) -> None:
    frame = scene.camera.data.view_frame(scene=scene)  # from the upper right corner clockwise
    world = [scene.camera.matrix_world @ corner for corner in frame]
    corners = [location_3d_to_region_2d(context.region, context.region_data, corner) for corner in world]
    if any(corner is None for corner in corners):
        return
    upper_right, lower_right, lower_left, upper_left = (
        (corner[0], corner[1]) for corner in corners if corner is not None
    )
    shader = _tinting_shader()
    places: dict[str, Any] = {
        "position": [lower_left, lower_right, upper_right, lower_left, upper_right, upper_left],
        "place": [(0, 0), (1, 0), (1, 1), (0, 0), (1, 1), (0, 1)],
    }
    batch = batch_for_shader(shader, "TRIS", places)
    shader.bind()
    matrix = gpu.matrix.get_projection_matrix() @ gpu.matrix.get_model_view_matrix()
    shader.uniform_float("matrix", cast(Any, matrix))
    shader.uniform_float("tint", TINT)
    shader.uniform_sampler("outline", gpu.texture.from_image(image))
    gpu.state.blend_set("ALPHA")
    batch.draw(shader)
    gpu.state.blend_set("NONE")


def _tinting_shader() -> gpu.types.GPUShader:
    """Return the shader that draws a tint as far as a texture is white; made when it is first needed."""
    global _shader
    if _shader is None:
        between = cast(Any, gpu.types.GPUStageInterfaceInfo)("outline_overlay")
        between.smooth("VEC2", "texture_place")
        info = gpu.types.GPUShaderCreateInfo()
        info.push_constant("MAT4", "matrix")
        info.push_constant("VEC4", "tint")
        info.sampler(0, "FLOAT_2D", "outline")
        info.vertex_in(0, "VEC2", "position")
        info.vertex_in(1, "VEC2", "place")
        info.vertex_out(between)
        info.fragment_out(0, "VEC4", "colour")
        info.vertex_source(
            "void main() { texture_place = place; gl_Position = matrix * vec4(position, 0.0, 1.0); }"
        )
        info.fragment_source(
            "void main() { colour = vec4(tint.rgb, tint.a * texture(outline, texture_place).r); }"
        )
        _shader = gpu.shader.create_from_info(info)
    return _shader


def register() -> None:
    """Draw in every 3D viewport from now on."""
    global _handle
    _handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def unregister() -> None:
    """Draw no more."""
    global _handle, _shader
    if _handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
    _handle = _shader = None
