"""Outlines: where one numbered region of a picture meets another."""

import cv2
import numpy as np
from numpy.typing import NDArray


def near_outlines(regions: NDArray[np.integer], distance: int) -> NDArray[np.bool_]:
    """Return the pixels (H, W) that are near where regions meet.

    Args:
        regions: (H, W), any number for each region.
        distance: pixels on either side of an outline that are near it, 1 or more.
    """
    across, down = regions[:, 1:] != regions[:, :-1], regions[1:] != regions[:-1]
    beside = np.zeros(regions.shape, dtype=np.uint8)
    beside[:, 1:] |= across
    beside[:, :-1] |= across
    beside[1:] |= down
    beside[:-1] |= down
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    return np.asarray(cv2.dilate(beside, cross, iterations=distance - 1) > 0)
