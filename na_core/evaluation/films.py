"""Films: the frames of a video scene with the exact flow between them, and how much a result flickers."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from na_core.data.pairs import Pair
from na_core.data.scenes import Scene
from na_core.evaluation.label_flow import Flow, label_flow, labelled_view, sample_bilinear
from na_core.evaluation.metrics import ROUNDING_POWER
from na_core.evaluation.scores import Scores
from na_core.evaluation.suite_pairs import clip_pairs
from na_core.geometry.camera import pixel_centres
from na_core.scene import Picture

ROUNDING_ERROR = 2 * ROUNDING_POWER / 255**2
"""Warp error that rounding two pictures to 8 bits makes; less cannot be told from none."""


@dataclass(frozen=True)
class Film:
    """The frames of a scene in order.

    Attributes:
        pairs: each frame, from the first frame's photo.
        flows: from each frame to the next.
        truth_error: the warp error of the true pictures.
    """

    pairs: tuple[Pair, ...]
    flows: tuple[Flow, ...]
    truth_error: float

    def score(self, pictures: Sequence[Picture]) -> Scores:
        """Return ``warp_error`` and ``warp_ratio`` of one result (H, W, 3) for each frame."""
        error = warp_error(pictures, self.flows)
        if error is None:
            return {}
        return {"warp_error": error, "warp_ratio": warp_ratio(error, self.truth_error)}


def film_of(scene: Scene, truths: Sequence[Picture]) -> Film | None:
    """Return a scene's film; None where it is none, has no depth, or shows nothing twice.

    ``truths`` are the pictures of all its frames.

    Raises:
        OSError: a mask or depth cannot be read.
    """
    pairs = clip_pairs(scene)
    views = [view for pair in pairs if (view := labelled_view(scene, pair.target)) is not None]
    if len(views) < 2:
        return None
    flows = tuple(label_flow(first, second) for first, second in itertools.pairwise(views))
    error = warp_error([truths[pair.target] for pair in pairs], flows)
    return None if error is None else Film(tuple(pairs), flows, error)


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
