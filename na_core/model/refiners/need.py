"""Where a frame needs a refiner: what no photo showed, and by a slider edges, shadows, and what moved."""

import cv2
import numpy as np
from numpy.typing import NDArray

from na_core.raster.outlines import near_outlines

Plane = NDArray[np.float32]

EDGE = 3
"""Pixels on either side of an outline that are its edge."""

DARK = 0.98
"""Shade from which there is a shadow."""

FEATHER = 1.5
"""Standard deviation in pixels over which what is needed fades out."""

LEAST = 1 / 255
"""Share below which a pixel is left alone."""


def needed(
    validity: NDArray[np.bool_],
    still: NDArray[np.bool_],
    index: NDArray[np.integer],
    shadow: Plane,
    reach: float,
) -> Plane:
    """Return how far each pixel (H, W) is to be refined, in [0, 1]; 0 where it stays as it is, to the bit.

    Args:
        validity: (H, W), what a photo showed.
        still: (H, W), what shows the photo where the photo shows it: that is never touched.
        index: (H, W), the asset that is seen, any number for what is behind.
        shadow: (H, W, 3), what shadows multiply the background by.
        reach: 0 for what no photo showed; up to 0.5 more and more of edges and shadows; up to 1 more and more
            of all else that has moved.
    """
    edges = near_outlines(index, EDGE) | (shadow.min(axis=2) < DARK)
    some = np.where(edges, min(1.0, 2 * reach), 0.0)
    rest = max(0.0, 2 * reach - 1)
    wanted = np.where(validity, np.maximum(some, rest), 1.0).astype(np.float32)
    wanted[still] = 0
    faded = cv2.GaussianBlur(wanted, (0, 0), FEATHER, borderType=cv2.BORDER_REFLECT)
    soft = np.maximum(faded, np.where(validity, 0, wanted))
    soft[still | (soft < LEAST)] = 0
    return soft.astype(np.float32)
