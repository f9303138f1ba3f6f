"""Annotations: what the picture shows of each object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from na_core.data.contact_sheet import colour_of
from na_core.geometry.camera import project_points
from na_core.scene import Camera, Rectangle

SILHOUETTE_MARGIN = 0.5
"""How far beyond the picture, in pictures, a silhouette is still counted."""

SUBPIXELS = 4
"""A silhouette is drawn so many times finer than the picture: polygons are drawn with their outline."""


def mask_bounds(mask: NDArray[np.bool_]) -> Rectangle:
    """Return the half-open bounds (x0, y0, x1, y1) in [0, 1] of a mask (H, W); zeros if it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0.0, 0.0, 0.0, 0.0
    height, width = mask.shape
    return (
        float(columns[0] / width),
        float(rows[0] / height),
        float((columns[-1] + 1) / width),
        float((rows[-1] + 1) / height),
    )


def silhouette_area(
    camera: Camera, vertices: NDArray[np.float64], faces: list[tuple[int, ...]], width: int, height: int
) -> float:
    """Return how many pixels a mesh would cover if nothing hid it, up to half a picture beyond the border.

    Args:
        camera: the camera.
        vertices: (V, 3) world metres.
        faces: vertex indices of each polygon. One with a corner behind the camera is left out.
        width, height: of the picture in pixels.
    """
    from PIL import Image, ImageDraw

    projected = project_points(camera, vertices)
    size = np.array([width, height]) * SUBPIXELS
    pixels = (projected[:, :2] + SILHOUETTE_MARGIN) * size - 0.5
    behind = projected[:, 2] < 1e-3
    canvas = Image.new("1", tuple(2 * size))
    draw = ImageDraw.Draw(canvas)
    points = [tuple(p) for p in pixels.tolist()]
    for face in faces:
        if not any(behind[i] for i in face):
            draw.polygon([points[i] for i in face], fill=1)
    return int(np.asarray(canvas).sum()) / SUBPIXELS**2


def mask_palette(objects: int) -> list[int]:
    """Return the palette of an index mask, (r, g, b) one after another: black, then a colour per object."""
    colours = [(0, 0, 0), *(colour_of(i) for i in range(objects))]
    return [channel for colour in colours for channel in colour]


def visible_share(mask: NDArray[np.bool_], area: float) -> float:
    """Return visible pixels (mask) / pixels of the whole silhouette, at most 1; 0 if unseen."""
    return min(1.0, int(mask.sum()) / area) if area else 0.0
