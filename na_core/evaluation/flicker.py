"""Flicker: how much a film's surfaces change from frame to frame, once their motion is taken out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from na_core.evaluation.flow import Flow, sample_bilinear
from na_core.evaluation.metrics import ROUNDING_POWER
from na_core.geometry.camera import pixel_centres
from na_core.scene import Picture

ROUNDING_ERROR = 2 * ROUNDING_POWER / 255**2
"""Warp error that rounding two pictures to 8 bits makes; less cannot be told from none."""


def warp_error(pictures: Sequence[Picture], flows: Sequence[Flow]) -> float | None:
    """Return E = sum of m |warp(I[t+1]) - I[t]|^2 over sum of m, m marking the pixels that both frames show.

    (Lai et al., "Learning Blind Video Temporal Consistency", 2018, section 4.2, with exact flow.)

    Args:
        pictures: T frames (H, W, 3).
        flows: T - 1, from each frame to the next.

    Returns:
        The mean over pixels and channels of squared differences of colours in [0, 1]; None where no pixel
        is seen twice.
    """
    total, count = 0.0, 0
    for before, after, flow in zip(pictures[:-1], pictures[1:], flows, strict=True):
        height, width = flow.visible.shape
        at = pixel_centres(width, height)[flow.visible] + flow.displacement[flow.visible] / (width, height)
        moved = sample_bilinear(after.astype(np.float32) / 255, at)
        total += float(((moved - before[flow.visible] / 255) ** 2).mean(axis=-1).sum())
        count += len(moved)
    return total / count if count else None


def warp_ratio(error: float, truth_error: float) -> float:
    """Return a method's warp error over the true film's own, which is not 0: shadows and glints move."""
    return (error + ROUNDING_ERROR) / (truth_error + ROUNDING_ERROR)
