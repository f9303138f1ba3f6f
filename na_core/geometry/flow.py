"""Exact flow between two frames: where each pixel's surface point goes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from na_core.geometry.backdrop import backdrop, backdrop_points
from na_core.geometry.boxmap import BoxMap, box_map, seen_from
from na_core.geometry.camera import pixel_centres, project_points
from na_core.scene import Frame


@dataclass(frozen=True)
class Flow:
    """Motion from one frame to another.

    Attributes:
        displacement: (H, W, 2) in pixels, x right and y down; 0 where not visible.
        visible: (H, W) bool, True where the point is seen in both frames.
    """

    displacement: NDArray[np.float32]
    visible: NDArray[np.bool_]


def exact_flow(first: Frame, second: Frame, width: int, height: int) -> Flow:
    """Return where every pixel of the first frame is found in the second.

    Points on boxes follow their box (assets are matched by position in the frames' lists, so both
    frames need the same assets in the same order); points of the background stay on the backdrop.

    Raises:
        ValueError: the frames do not list the same assets.
    """
    names = [[placed.asset for placed in frame.assets] for frame in (first, second)]
    if names[0] != names[1]:
        raise ValueError("exact flow needs the same assets in the same order in both frames")
    seen = box_map(first.camera, [placed.box.world_from_box for placed in first.assets], width, height)
    world = _moved_surface(seen, first, second, width, height)
    projected = project_points(second.camera, world)
    start = pixel_centres(width, height)
    size = np.array([width, height])
    at = projected[..., :2]
    inside = (projected[..., 2] > 0) & (at >= 0).all(axis=-1) & (at < 1).all(axis=-1)
    visible = inside & _unoccluded(seen, second, at, width, height)
    displacement = np.where(visible[..., None], (at - start) * size, 0.0)
    return Flow(displacement.astype(np.float32), visible)


def _moved_surface(
    seen: BoxMap, first: Frame, second: Frame, width: int, height: int
) -> NDArray[np.float64]:
    """Return the points that the first frame shows, moved to where they are in the second: (H, W, 3)."""
    world = backdrop_points(backdrop(first.background), first.camera, width, height)
    for number, placed in enumerate(second.assets):
        hit = seen.index == number
        matrix = placed.box.world_from_box
        world[hit] = seen.local[hit].astype(np.float64) / 2 @ matrix[:3, :3].T + matrix[:3, 3]
    return world


def _unoccluded(
    seen: BoxMap, second: Frame, at: NDArray[np.float64], width: int, height: int
) -> NDArray[np.bool_]:
    """Tell which of the first frame's points, now at image points (H, W, 2), nothing hides in the second.

    Another box hides a point where the second frame's box map has it nearer; its own box hides it when its
    face is turned away. No depth tolerance is needed, so a thin or distant box works like any other.
    """
    there = box_map(second.camera, [placed.box.world_from_box for placed in second.assets], width, height)
    x = np.clip(np.floor(at[..., 0] * width), 0, width - 1).astype(np.intp)
    y = np.clip(np.floor(at[..., 1] * height), 0, height - 1).astype(np.intp)
    visible = there.index[y, x] == seen.index
    for number, placed in enumerate(second.assets):
        own = seen.index == number
        visible[own] &= seen_from(second.camera, placed.box.world_from_box, seen.local[own])
    return visible
