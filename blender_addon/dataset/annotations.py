"""Annotations: what the picture shows of each object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from na_core.geometry.camera import project_points
from na_core.scene import Camera

Rectangle = tuple[float, float, float, float]

SILHOUETTE_MARGIN = 0.5
"""How far beyond the picture, in pictures, a silhouette is still counted."""


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


def silhouette(
    camera: Camera, vertices: NDArray[np.float64], faces: list[tuple[int, ...]], width: int, height: int
) -> NDArray[np.bool_]:
    """Return the mesh's silhouette as if nothing hid it, on a canvas larger than the picture.

    Args:
        camera: the camera.
        vertices: (V, 3) world metres.
        faces: vertex indices of each polygon.
        width, height: of the picture in pixels.

    Returns:
        (2H, 2W) mask; the picture is its middle. Faces with a corner behind the camera are left out.
    """
    from PIL import Image, ImageDraw

    projected = project_points(camera, vertices)
    margin = np.array([SILHOUETTE_MARGIN, SILHOUETTE_MARGIN])
    pixels = (projected[:, :2] + margin) * (width, height) - 0.5
    behind = projected[:, 2] < 1e-3
    canvas = Image.new("1", (width * 2, height * 2))
    draw = ImageDraw.Draw(canvas)
    points = [tuple(p) for p in pixels.tolist()]
    for face in faces:
        if not any(behind[i] for i in face):
            draw.polygon([points[i] for i in face], fill=1)
    return np.asarray(canvas, dtype=bool)


def visible_share(mask: NDArray[np.bool_], outline: NDArray[np.bool_]) -> float:
    """Return visible pixels (mask) / pixels of the whole silhouette (outline), at most 1; 0 if unseen."""
    whole = int(outline.sum())
    return min(1.0, int(mask.sum()) / whole) if whole else 0.0
