"""Pictures on the screen: a texture, drawn where it belongs in a region."""

from __future__ import annotations

from typing import Any

import bpy
import gpu
from gpu_extras.batch import batch_for_shader

from .picture import ViewPicture
from .views import Place

FARTHEST = -99.999
"""Of what Blender draws into a region, in front of which are all objects: it clips at -100."""

CORNERS = ((0, 0), (1, 0), (1, 1), (0, 0), (1, 1), (0, 1))
"""Of a picture, as two triangles."""


class Screen:
    """The texture of the picture that a viewport drew last."""

    def __init__(self) -> None:
        self._picture: ViewPicture | None = None
        self._texture: gpu.types.GPUTexture | None = None

    def draw(
        self, engine: bpy.types.RenderEngine, scene: bpy.types.Scene, picture: ViewPicture, place: Place
    ) -> None:
        """Draw a picture, over what is there as far as it is opaque, in the scene's colour management.

        A camera's picture has a depth, too: without one Blender takes the region for empty and shows the
        camera's background image, which is the photo, over it.
        """
        if picture is not self._picture or self._texture is None:
            rows, columns = picture.pixels.shape[:2]
            types: Any = gpu.types  # whose stubs know no arguments
            pixels = types.Buffer("FLOAT", picture.pixels.size, picture.pixels.ravel())
            self._texture = types.GPUTexture((columns, rows), format="RGBA16F", data=pixels)
            self._picture = picture
        left, bottom, right, top = place
        positions = [(left + (right - left) * x, bottom + (top - bottom) * y, FARTHEST) for x, y in CORNERS]
        shader = gpu.shader.from_builtin("IMAGE")
        places: dict[str, Any] = {"pos": positions, "texCoord": CORNERS}
        batch = batch_for_shader(shader, "TRIS", places)
        gpu.state.blend_set("ALPHA_PREMULT")
        if picture.view.through_camera:
            gpu.state.depth_mask_set(True)
            gpu.state.depth_test_set("ALWAYS")
        engine.bind_display_space_shader(scene)
        try:
            shader.bind()
            shader.uniform_sampler("image", self._texture)
            batch.draw(shader)
        finally:
            engine.unbind_display_space_shader()
            gpu.state.blend_set("NONE")
            gpu.state.depth_mask_set(False)
            gpu.state.depth_test_set("NONE")

    def clear(self) -> None:
        """Let go of the texture."""
        self._picture = self._texture = None
