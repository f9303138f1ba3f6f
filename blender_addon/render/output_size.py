"""The picture's size beside the one that the decoder works at."""

from __future__ import annotations

import bpy

FAR = 2.0
"""How many times as long or as short a picture's side may be as the decoder's before you are told."""

MAX_PERCENTAGE = 32767
"""Of a scene's resolution, as Blender stores it."""


def best_percentage(scene: bpy.types.Scene, side: int) -> int:
    """Return the percentage of the scene's resolution at which its longer side is the decoder's, about.

    Args:
        scene: whose resolution it is.
        side: pixels that the decoder works at; 0 leaves the scene's percentage.
    """
    if side <= 0:
        return int(scene.render.resolution_percentage)
    longer = max(scene.render.resolution_x, scene.render.resolution_y)
    return min(max(1, round(100 * side / longer)), MAX_PERCENTAGE)


def is_far(longer: int, side: int) -> bool:
    """Tell whether a picture's longer side is far from the decoder's.

    Far larger pictures show nothing finer where the decoder makes things up; far smaller ones show less than
    it knows.
    """
    return longer > FAR * side or longer * FAR < side
