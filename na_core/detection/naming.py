"""Names for what was found, where they are sure: what a network that has seen ImageNet says of each object.

The network looks at every object in several ways: closely and with some surroundings, as it is and mirrored.
Its 1000 classes are summed up to everyday things (:mod:`na_core.detection.everyday_things`), and a thing is
as sure as it is to the look that doubts it most. Then the surroundings are looked at alone: where they show
the same thing, the object is a piece of it, such as a wheel of a motorcycle. What is not sure is "Object 1":
a name that is wrong is worse than none.
"""

import functools
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from na_core.backbone_weights import published_weights
from na_core.cancellation import poll
from na_core.detection.detection import Detection, distinct_names
from na_core.detection.everyday_things import EVERYDAY_THINGS
from na_core.image_classifier import CLASSES, ImageClassifier
from na_core.scene import Picture, Rectangle

SIDE = 160
"""Pixels along a side of what the network sees: at 224, which it learnt from, it takes twice as long."""

MARGINS = (0.1, 0.3)
"""Surroundings on each side of an object, in units of its longer side, that the looks show."""

TEMPERATURE = 2.0
"""What logits are divided by: with it the network's answers fit crops of rendered scenes best, of which it
believes too much, having seen photographs alone (``benchmarks/names.py``). Of photographs it then believes
too little, which costs names and makes none wrong."""

SURE = 0.5
"""Probability from which a thing is called by its name: likelier than all else together."""

PIECE = SURE / 2
"""Probability of a thing in the surroundings of an object, from which the object is only a piece of it."""

LARGEST = 1024
"""Pixels of a photo's longer side from which it is reduced first: cutting every look out of 12 megapixels
takes longer than looking."""

GREY = 127
"""Level that the network takes for nothing: the middle of its range."""

MAX_NAMED = 10
"""Objects of a photo that are looked at, the surest first: a look takes as long as a 30th of the detector."""


@functools.lru_cache(maxsize=2)
def load_classifier(device: str = "cpu") -> ImageClassifier | None:
    """Load the network, once; None where the package with its weights is not installed."""
    try:
        weights = published_weights()
    except ImportError:
        return None
    classifier = ImageClassifier()
    classifier.load_published(weights)
    return classifier.to(device).eval().requires_grad_(False)


def with_names(detection: Detection, photo: Picture, classifier: ImageClassifier | None) -> Detection:
    """Return a detection whose objects have names, each its own: "Cup", "Cup 2", "Object 1", "Object 2".

    Args:
        detection: of the photo.
        photo: (H, W, 3) uint8 sRGB.
        classifier: the network; without one no object has a name of its own.
    """
    objects = detection.objects
    things: list[str | None] = [None] * len(objects)
    if classifier is not None:
        rectangles = [each.rectangle for each in objects[:MAX_NAMED]]
        things[: len(rectangles)] = recognised(classifier, _reduced(photo), rectangles)
    names = distinct_names(things)
    return replace(
        detection,
        objects=tuple(replace(each, name=name) for each, name in zip(objects, names, strict=True)),
    )


def recognised(
    classifier: ImageClassifier, photo: Picture, rectangles: Sequence[Rectangle]
) -> list[str | None]:
    """Return what is in rectangles of a photo; None where that is not sure.

    Args:
        classifier: the network.
        photo: (H, W, 3) uint8 sRGB.
        rectangles: x0, y0, x1, y1 in image coordinates.
    """
    least = least_sure(classifier, photo, rectangles)
    names: list[str | None] = [None] * len(rectangles)
    sure = _undoubted(least)
    if not sure:
        return names
    crops = [crop_of(photo, rectangles[number], MARGINS[-1], hidden=True) for number in sure]
    for number, around in zip(sure, probabilities(classifier, np.stack(crops)), strict=True):
        best = int(least[number].argmax())
        if around[best] < PIECE:
            names[number] = tuple(EVERYDAY_THINGS)[best]
    return names


def least_sure(
    classifier: ImageClassifier, photo: Picture, rectangles: Sequence[Rectangle]
) -> NDArray[np.float64]:
    """Return how sure each thing is, (K, G), to the look at a rectangle that doubts it most.

    Where one look is sure of nothing, the next ones are spared.

    Args:
        classifier: the network.
        photo: (H, W, 3) uint8 sRGB.
        rectangles: K of them; x0, y0, x1, y1 in image coordinates.
    """
    least = np.ones((len(rectangles), len(EVERYDAY_THINGS)))
    for margin in MARGINS:
        crops = {number: crop_of(photo, rectangles[number], margin) for number in _undoubted(least)}
        for mirrored in (False, True):
            poll()
            sure = _undoubted(least)
            if not sure:
                return least
            shown = np.stack([crops[number] for number in sure])
            seen = probabilities(classifier, shown[:, :, ::-1] if mirrored else shown)
            least[sure] = np.minimum(least[sure], seen)
    return least


@torch.no_grad()
def probabilities(classifier: ImageClassifier, crops: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return how likely crops (K, S, S, 3) sRGB show each of the :data:`EVERYDAY_THINGS`, (K, G)."""
    device = classifier.classify.weight.device
    pixels = torch.from_numpy(np.ascontiguousarray(crops)).to(device).permute(0, 3, 1, 2).float() / 255
    return thing_probabilities(classifier(pixels).cpu().double()).numpy()


def thing_probabilities(logits: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Return how likely each of the :data:`EVERYDAY_THINGS` is, (..., G), by logits (..., 1000) of classes.

    They sum up to less than one: a crop may show what none of them is.
    """
    return (logits / temperature).softmax(dim=-1) @ _membership().to(logits)


def crop_of(photo: Picture, rectangle: Rectangle, margin: float, *, hidden: bool = False) -> Picture:
    """Return a square of a photo around a rectangle, (S, S, 3) uint8 with S = :data:`SIDE`.

    Args:
        photo: (H, W, 3) uint8 sRGB.
        rectangle: x0, y0, x1, y1 in image coordinates.
        margin: on each side, in units of the rectangle's longer side. At the photo's edges the square moves
            inwards; where the photo is too small for it, what there is of it is stretched.
        hidden: whether the rectangle is painted grey, so that only its surroundings show.
    """
    size = np.array([photo.shape[1], photo.shape[0]])
    corners = np.reshape(rectangle, (2, 2)) * size
    side = max(np.ptp(corners, axis=0).max() * (1 + 2 * margin), 1.0)
    extent = np.minimum(np.rint(side), size).astype(int)
    low = np.rint(corners.mean(axis=0) - extent / 2).astype(int).clip(0, size - extent)
    around = photo[low[1] : low[1] + extent[1], low[0] : low[0] + extent[0]]
    if hidden:
        (left, top), (right, bottom) = (np.rint(corners).astype(int) - low).clip(0)
        around = around.copy()
        around[top:bottom, left:right] = GREY
    sampling = cv2.INTER_AREA if extent.max() > SIDE else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(around, (SIDE, SIDE), interpolation=sampling))


def _reduced(photo: Picture) -> Picture:
    """Return a photo of at most :data:`LARGEST` pixels along its longer side."""
    height, width = photo.shape[:2]
    scale = LARGEST / max(height, width)
    if scale >= 1:
        return photo
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA))


def _undoubted(least: NDArray[np.float64]) -> list[int]:
    """Return the objects of which no look doubts some thing, by how sure each thing is (K, G)."""
    return [int(number) for number in np.flatnonzero((least >= SURE).any(axis=1))]


@functools.cache
def _membership() -> Tensor:
    """Return (1000, G), 1 where a class belongs to a thing."""
    table = torch.zeros(CLASSES, len(EVERYDAY_THINGS))
    for number, classes in enumerate(EVERYDAY_THINGS.values()):
        table[list(classes), number] = 1
    return table
