"""Outlines of objects drawn along the edges of their photo.

A network that looks at many photos knows about where an object ends; the photo itself knows exactly. GrabCut
(Rother et al., "GrabCut: Interactive foreground extraction using iterated graph cuts", 2004) starts from what
the network is sure of, models the colours on either side, and cuts where they change.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SURE, SURELY_NOT = 0.8, 0.1
"""Probabilities from which a pixel shows the object, and up to which it does not, whatever its colour."""

ITERATIONS = 2
"""Of GrabCut: of its colour models and its cut."""

MARGIN = 0.05
"""How much is looked at around an object, in units of the picture's longer side."""

AGREEMENT = 0.5
"""Intersection over union with the network's outline below which colours cannot tell the object apart."""

FEWEST = 32
"""Pixels that either side needs for a model of its colours."""


def snap_outlines(
    picture: NDArray[np.uint8], probability: NDArray[np.float32], owner: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Return which object each pixel shows (H, W), -1 for none, with outlines on the photo's edges.

    Where two objects claim a pixel, the more probable one has it. A function of its arguments alone.

    Args:
        picture: (H, W, 3) sRGB.
        probability: (N, H, W), that a pixel shows each object.
        owner: (H, W), what the network thinks; objects that it sees nowhere stay so.
    """
    snapped = np.full(owner.shape, -1, np.int64)
    best = np.zeros(owner.shape, np.float32)
    for number in np.unique(owner[owner >= 0]):
        chance = probability[number]
        shows = snap_outline(picture, chance, owner == number) & (chance > best)
        snapped[shows] = number
        best[shows] = chance[shows]
    return snapped


def snap_outline(
    picture: NDArray[np.uint8], probability: NDArray[np.float32], shows: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return an object's pixels (H, W), the network's own where the photo's colours are no help.

    Args:
        picture: (H, W, 3) sRGB.
        probability: (H, W), that a pixel shows the object.
        shows: (H, W), where the network sees it.
    """
    window = _around(probability > SURELY_NOT, round(MARGIN * max(shows.shape)))
    chance = probability[window]
    mask = np.where(shows[window], cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    mask[chance > SURE] = cv2.GC_FGD
    mask[chance < SURELY_NOT] = cv2.GC_BGD
    inside = (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
    if min(int(inside.sum()), int((~inside).sum())) < FEWEST:
        return shows
    colours = np.ascontiguousarray(picture[window])
    cv2.setRNGSeed(0)  # its first colour models are drawn at random
    cv2.grabCut(
        colours, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), ITERATIONS, cv2.GC_INIT_WITH_MASK
    )
    cut = (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
    before = shows[window]
    if (cut & before).sum() < AGREEMENT * (cut | before).sum():
        return shows
    snapped = np.zeros_like(shows)
    snapped[window] = cut
    return snapped


def _around(region: NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    """Return the window of a region's bounds and a margin; nothing of an empty region."""
    if not region.any():
        return slice(0, 0), slice(0, 0)
    rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
    return (
        slice(max(rows[0] - margin, 0), rows[-1] + margin + 1),
        slice(max(columns[0] - margin, 0), columns[-1] + margin + 1),
    )
