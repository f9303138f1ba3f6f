"""From the worker's pixels to what a viewport draws. Touches no bpy: a thread does it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..render.colour import scene_linear
from ..worker.client import ReceivedPicture
from .views import View

FAINTEST = 0.15
"""How much is left of what no photo showed, where a viewport looks freely."""

SOFTNESS = 0.012
"""Over how much of a picture's longer side that sets in."""


@dataclass(frozen=True)
class ViewPicture:
    """A picture that a viewport draws.

    Attributes:
        pixels: (H, W, 4) float32, scene linear, colours times alpha, the bottom row first.
        key: tells the state that it is of from others.
        view: that it is of.
        is_proxy: whether no decoder finished it.
        seconds: that the worker took.
        validity: (H, W), what the photos showed, the top row first; None where that does not matter.
    """

    pixels: NDArray[np.float32]
    key: str
    view: View
    is_proxy: bool
    seconds: float = 0.0
    validity: NDArray[np.float32] | None = None


def view_picture(
    received: ReceivedPicture,
    key: str,
    view: View,
    is_proxy: bool,
    matrix: NDArray[np.float32],
    validity: NDArray[np.float32] | None = None,
) -> ViewPicture:
    """Return a received picture as it is drawn.

    Args:
        received: from the worker.
        key: tells the state that it is of from others.
        view: that it is of.
        is_proxy: whether no decoder finished it.
        matrix: :func:`blender_addon.render.colour.working_from_rec709`.
        validity: (h, w) of the same view at any size, where the picture brings none. What no photo showed
            fades in a free view.
    """
    pixels = scene_linear(received.pixels, matrix)
    if view.through_camera:
        validity = None
    elif "Validity" in received.passes:
        validity = received.passes["Validity"][..., 0]
    if validity is not None:
        pixels *= opacity(validity, pixels.shape[:2])[..., None]
    return ViewPicture(np.ascontiguousarray(pixels[::-1]), key, view, is_proxy, received.seconds, validity)


def opacity(validity: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return how opaque a picture (H, W) is, of what the photos showed of it (h, w): it fades softly."""
    radius = max(1, round(SOFTNESS * max(validity.shape)))
    soft = validity
    for axis in (0, 1, 0, 1):
        soft = _box_mean(soft, radius, axis)
    height, width = shape
    if soft.shape != (height, width):
        rows = (np.arange(height) * soft.shape[0]) // height
        columns = (np.arange(width) * soft.shape[1]) // width
        soft = soft[rows[:, None], columns[None, :]]
    return (FAINTEST + (1 - FAINTEST) * soft).astype(np.float32)


def _box_mean(values: NDArray[np.float32], radius: int, axis: int) -> NDArray[np.float32]:
    """Return means over 2 radius + 1 values along an axis; what lies outside is as the last ones."""
    pad = [(0, 0), (0, 0)]
    pad[axis] = (radius + 1, radius)
    total = np.cumsum(np.pad(values, pad, mode="edge"), axis=axis, dtype=np.float32)
    count = 2 * radius + 1
    upper, lower = (total[count:], total[:-count]) if axis == 0 else (total[:, count:], total[:, :-count])
    means: NDArray[np.float32] = (upper - lower) / np.float32(count)
    return means
