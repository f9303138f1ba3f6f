"""Where shadows end under other objects: no photo shows it, and they fade instead of breaking off.

Another object hides the ground beneath it. When it leaves, the shadow that reached its outline would show a
torn edge there; so it goes on under it, as dark as around, and fades.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from na_core.cancellation import poll

SIDE = 1024
"""Longer side in pixels at which distances are measured, at most."""

REACH = 0.06
"""Of the photo's longer side, in which a shadow fades under an object."""


def faded_under_objects(
    thrower: NDArray[np.int16], objects: NDArray[np.integer]
) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Return who throws each pixel's shadow, also a little way under objects, and how much of it is there.

    Args:
        thrower: (H, W), whose shadow a pixel shows, -1 for none.
        objects: (H, W), the object that a pixel shows, -1 for none.

    Returns:
        The throwers (H, W), and shares (H, W) float32 in [0, 1] of the shadow: 1 but where it fades.
    """
    poll()
    share = np.ones(thrower.shape, np.float32)
    hidden = (objects >= 0) & (thrower < 0)
    if not hidden.any():
        return thrower, share
    small_thrower, small_objects = (_small(values) for values in (thrower, objects))
    shown = (small_objects < 0) & (small_thrower >= 0)
    if not shown.any():
        return thrower, share
    distance, nearest = cv2.distanceTransformWithLabels(
        (~shown).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_label = np.zeros(nearest.max() + 1, np.int16)
    of_label[nearest[shown]] = small_thrower[shown]
    left = 1 - distance / (REACH * max(shown.shape))
    own = (small_objects >= 0) & (small_thrower >= 0)
    if own.any():  # it is gone before the object's own begins
        to_own = cv2.distanceTransform((~own).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
        left *= to_own / (distance + to_own).clip(1e-6)
    size = thrower.shape[::-1]
    left = cv2.resize(left, size, interpolation=cv2.INTER_LINEAR)
    fades = hidden & (left > 0)
    np.copyto(share, left, where=fades)
    found = cv2.resize(of_label[nearest], size, interpolation=cv2.INTER_NEAREST)
    np.copyto(found, thrower, where=~fades)
    return found, share


def _small(values: NDArray[np.integer]) -> NDArray[np.int16]:
    """Return numbers (H, W) of pixels as they are, or of fewer pixels of a large photo."""
    step = -(-max(values.shape) // SIDE)
    return values[step // 2 :: step, step // 2 :: step].astype(np.int16)
