"""The user's own models of layers, in the place of the embedded network's: outlines, depths, plates."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from na_core.detection.metric_depth import DepthNetwork
from na_core.layers.outline_models import OutlineModel
from na_core.layers.painted import Painted
from na_core.layers.plate_models import PlateModel
from na_core.scene import Rectangle

FEWEST = 64
"""Pixels of an object from which a network's depths are fitted to it."""

ROUNDS, OUTLIER = 4, 0.02
"""Times that the fit is made, and the error in units of the object's distance from which a pixel counts
less."""


@dataclass(frozen=True, eq=False)
class OwnModels:
    """Models that the user chose; None where the embedded network does it.

    Attributes:
        outlines: finds how much of each pixel an object covers.
        depth: tells depths, which are fitted to the boxes'.
        plates: fills what objects hide.
    """

    outlines: OutlineModel | None = None
    depth: DepthNetwork | None = None
    plates: PlateModel | None = None

    def __bool__(self) -> bool:
        return any(each is not None for each in vars(self).values())


NO_MODELS = OwnModels()


def with_found_outlines(
    models: OwnModels, picture: NDArray[np.uint8], rectangles: Sequence[Rectangle | None], painted: Painted
) -> Painted:
    """Return what was painted of a photo, and the outlines that a model finds of the other objects.

    Args:
        models: the user's.
        picture: (H, W, 3), the photo.
        rectangles: the 2D box of each object; None where it is not known: there nothing is found.
        painted: by hand, which counts first.
    """
    if models.outlines is None:
        return painted
    asked = [n for n, each in enumerate(rectangles) if each is not None and n not in painted.outlines]
    found = models.outlines.find(picture, [each for n in asked if (each := rectangles[n]) is not None])
    seen = {number: outline for number, outline in zip(asked, found, strict=True) if outline.any()}
    return replace(painted, outlines={**seen, **painted.outlines})


def depths_of(models: OwnModels, picture: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """Return the depths (H, W) that a model tells of a photo, infinite where it knows none."""
    if models.depth is None:
        return None
    return models.depth.find(Image.fromarray(picture), None)[0]


def fitted_depths(
    depths: NDArray[np.float32],
    owner: NDArray[np.int32],
    near: NDArray[np.float32],
    far: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return how far what a photo shows of its objects is, by a model's depths, in the boxes' metres.

    A model's scale is its own, and its zero may be, too: of each object they are fitted to the depths that
    its box allows (least squares, outliers weighed down). Where that gives nothing, depths stay as they were.

    Args:
        depths: (H, W) of the model.
        owner: (H, W), the object that each pixel shows, -1 for none.
        near, far: (H, W) metres, where rays meet and leave the objects so far.
    """
    fitted = near.copy()
    for number in np.unique(owner[owner >= 0]):
        own = (owner == number) & np.isfinite(depths) & (near > 0)
        if own.sum() < FEWEST:
            continue
        told, expected = depths[own].astype(np.float64), near[own].astype(np.float64)
        weight = np.ones_like(told)
        factor, offset = 0.0, 0.0
        for _ in range(ROUNDS):
            mean, middle = np.average(told, weights=weight), np.average(expected, weights=weight)
            spread = np.average((told - mean) ** 2, weights=weight)
            if spread < 1e-12:
                break
            factor = np.average((told - mean) * (expected - middle), weights=weight) / spread
            offset = middle - factor * mean
            error = (factor * told + offset - expected) / middle
            weight = 1 / (1 + (error / OUTLIER) ** 2)
        if factor <= 0:  # it sees a plane, or the object turned inside out: its depths say nothing
            continue
        inside = factor * told + offset
        fitted[own] = np.clip(inside, expected.min(), far[own].max())
    return np.minimum(fitted, np.where(owner >= 0, np.maximum(far, near), fitted)).astype(np.float32)
