"""Films: the frames of a video scene with the exact flow between them, and how much a result flickers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from na_core.data.pairs import Pair
from na_core.data.scenes import Scene
from na_core.evaluation.flicker import warp_error, warp_ratio
from na_core.evaluation.flow import Flow
from na_core.evaluation.label_flow import label_flow, labelled_view
from na_core.evaluation.scores import Scores
from na_core.evaluation.suite_pairs import clip_pairs
from na_core.scene import Picture


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

    Args:
        scene: the scene.
        truths: the pictures of all its frames.

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
