"""How far a frame keeps the proxy's own pixels and withholds the decoder's correction of them.

What has not moved is the photo, and no decoder knows better. But what moves takes its shadow along: near
where it is and was, the decoder is free.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from na_core.geometry.boxes import bounds_2d
from na_core.geometry.camera import pixel_centres
from na_core.geometry.proxy import Proxy, presence
from na_core.scene import Box, Frame

KEEP_PIXELS = 3.0
"""Motion in pixels after which nothing of the photo's own pixels is kept."""


def kept(
    frame: Frame, proxy: Proxy, keep_unmoved: bool, proxy_trust: float, surroundings: float
) -> NDArray[np.float32]:
    """Return the share (H, W) of the correction that is withheld, in [0, 1].

    Args:
        frame: to render.
        proxy: of it.
        keep_unmoved: all of it, where the photo showed the same surface at the same place; fading out over
            :data:`KEEP_PIXELS` of motion, and towards what has moved, see :func:`disturbed`.
        proxy_trust: at least this share where the photo showed the surface, though elsewhere.
        surroundings: see :func:`disturbed`.
    """
    still = np.clip(1 - proxy.shift / KEEP_PIXELS, 0, 1) * np.float32(keep_unmoved)
    if surroundings > 0 and keep_unmoved:
        height, width = proxy.shift.shape
        still = still * (1 - disturbed(frame, width, height, surroundings))
    return np.maximum(still, proxy.validity * np.float32(proxy_trust))


def disturbed(frame: Frame, width: int, height: int, surroundings: float) -> NDArray[np.float32]:
    """Return how far what moved may have changed each pixel by its shadow or its light, (H, W) in [0, 1].

    1 on the 2D bounds of where a moved object stands and stood, falling to 0 around them; less for what has
    hardly moved, so that nothing pops in an animation.

    Args:
        frame: to render.
        width, height: in pixels.
        surroundings: over how many sizes of the object it falls; above 0.
    """
    points = pixel_centres(width, height)
    found = np.zeros((height, width), np.float32)
    for box, left in _moved(frame):
        x0, y0, x1, y1 = bounds_2d(frame.camera, box)
        if x1 <= x0:
            continue
        reach = surroundings * max((x1 - x0) * width, (y1 - y0) * height)
        beside = [
            np.maximum(np.maximum(low - points[..., axis], points[..., axis] - high), 0) * size
            for axis, low, high, size in ((0, x0, x1, width), (1, y0, y1, height))
        ]
        nearness = np.clip(1 - np.hypot(*beside) / reach, 0, 1)
        found = np.maximum(found, (left * nearness * nearness * (3 - 2 * nearness)).astype(np.float32))
    return found


def _moved(frame: Frame) -> list[tuple[Box, float]]:
    """Return the boxes where objects stood and stand now, and how far each has left its place, in (0, 1]."""
    background = frame.background
    leaving = {box: 1 - presence(frame, box) for box in background.hidden_boxes}
    boxes = list(leaving.items())
    for placed in frame.assets:
        own = placed.asset.photo == background.photo and placed.asset.source_box in leaving
        boxes.append((placed.box, leaving[placed.asset.source_box] if own else 1.0))
    return [(box, left) for box, left in boxes if left > 0]
