"""Seams: where neighbouring pixels of a proxy show what lay apart in the photo.

There a pixel stands for several surfaces, of which it shows one: outlines have steps, and surfaces that fold
behind each other sparkle. The mean of the neighbourhood is nearer to what a camera would see.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SEAM = 8.0
"""Pixels of the photo that a pixel's eight neighbours span at most, unless it lies on a seam."""

STILL = 0.1
"""Pixels of motion that are none: rounding."""

WEIGHTS = (1 / 4, 1 / 2, 1 / 4)
"""Of the three rows, and of the three columns, that a pixel on a seam is the mean of."""


def soften_seams(
    picture: NDArray[np.float32],
    owner: NDArray[np.int32],
    at: NDArray[np.float32],
    shift: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return a picture whose pixels on seams are means of their neighbourhood.

    Args:
        picture: (H, W, 3).
        owner: (H, W) what a pixel shows: on a border between two there is a seam.
        at: (H, W, 2), the photo's pixel that it shows.
        shift: (H, W) pixels by which that is somewhere else in the photo: what has not moved stays as it is,
            what has moved by less than a pixel in part.
    """
    seams = (span(owner) > 0) | (span(at[..., 0]) > SEAM) | (span(at[..., 1]) > SEAM)
    weight = np.clip(shift - STILL, 0, 1) * seams
    rows, columns = np.nonzero(weight)
    beside = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="edge")
    mean = np.zeros((len(rows), picture.shape[-1]), np.float32)
    for down, one in enumerate(WEIGHTS):
        for across, other in enumerate(WEIGHTS):
            mean += np.float32(one * other) * beside[rows + down, columns + across]
    softened = picture.copy()
    own = picture[rows, columns]
    softened[rows, columns] = own + weight[rows, columns, None] * (mean - own)
    return softened


def span(values: NDArray) -> NDArray:
    """Return by how much values (H, W) differ among each pixel and its eight neighbours."""
    rows, columns = values.shape
    beside = np.pad(values, 1, mode="edge")
    views = [beside[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    return np.maximum.reduce(views) - np.minimum.reduce(views)
