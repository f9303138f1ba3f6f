"""The embedded detector at work: from a photo to boxes, with the weights that come with the package."""

import functools
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor

from na_core.cancellation import poll
from na_core.detection.detection import (
    ASSUMED_HEIGHT,
    CameraDoubt,
    DetectedObject,
    Detection,
    distinct_names,
    distinct_rectangles,
)
from na_core.detection.edges import Edges, fit_to_edges, straight_edges
from na_core.detection.found import Found, found_from_numbers, numbers_of
from na_core.detection.network import CELL, PARTS, SIDE, BoxDetector, Prediction, both_ways
from na_core.detection.perspective import Look, View
from na_core.detection.reading import found_in, found_of, view_of
from na_core.detection.refiner import LEAST_SCORE, OBJECTS, BoxRefiner, Sightings, look_again
from na_core.detection.standing import box_doubts, distinct_boxes, standing_boxes
from na_core.geometry.camera import camera_of_photo
from na_core.scene import Box

CHECKPOINTS = Path(__file__).resolve().parent.parent / "checkpoints"

WEIGHTS, REFINER_WEIGHTS = CHECKPOINTS / "detector", CHECKPOINTS / "refiner"
"""Of the networks of the first and the second look."""

THRESHOLD = 0.45
"""Score from which an object is reported."""

FIRST_THRESHOLD, SECOND_THRESHOLD = 0.08, 0.05
"""Scores at the first look from which an object is looked at again, and the least at the second."""

SECOND_OVERLAP, LAST_OVERLAP = 0.7, 0.5
"""IoU of 2D boxes above which the less sure one is the same object: at the second look, and in the end."""


@functools.lru_cache(maxsize=2)
def load_detector(folder: Path = WEIGHTS, device: str = "cpu") -> BoxDetector:
    """Load a detector, once."""
    detector = BoxDetector.from_pretrained(folder, torch_dtype=torch.float32).to(device)
    return detector.eval().requires_grad_(False)


@functools.lru_cache(maxsize=2)
def load_refiner(folder: Path = REFINER_WEIGHTS, device: str = "cpu") -> BoxRefiner:
    """Load the network of the second look, once."""
    refiner = BoxRefiner.from_pretrained(folder, torch_dtype=torch.float32).to(device)
    return refiner.eval().requires_grad_(False)


@dataclass(frozen=True)
class Known:
    """What is known of a photo's camera; None what is not.

    Attributes:
        focal: length in units of the photo's longer side.
        pitch, roll: radians; see :func:`na_core.geometry.camera.camera_of_photo`.
    """

    focal: float | None = None
    pitch: float | None = None
    roll: float | None = None


@dataclass(frozen=True)
class FirstLook:
    """A photo after the first look.

    Attributes:
        picture: (3, H, W) sRGB in [0, 1], as small as the networks see it.
        prediction: of the detector.
        view: what it says of the camera.
        edges: of the photo.
        known: of its camera.
    """

    picture: Tensor
    prediction: Prediction
    view: View
    edges: Edges
    known: Known

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture in pixels."""
        return self.picture.shape[2], self.picture.shape[1]

    def fitted(self, found: Found) -> tuple[Look, Found]:
        """Return the camera, and objects turned, so that both agree best with the edges."""
        known = self.known
        look, yaws = fit_to_edges(
            self.view, self.edges, found, self.size, known.focal, known.pitch, known.roll
        )
        return look, replace(found, yaws=yaws)


def detect(
    detector: BoxDetector,
    refiner: BoxRefiner,
    photo: NDArray[np.uint8],
    *,
    focal: float | None = None,
    pitch: float | None = None,
    roll: float | None = None,
    camera_height: float | None = None,
    threshold: float = THRESHOLD,
    rectangles: ArrayLike | None = None,
) -> Detection:
    """Find the objects and the camera of a photo.

    Args:
        detector, refiner: the networks of the first and the second look.
        photo: (H, W, 3) uint8 sRGB, upright.
        focal: length in units of the photo's longer side, where the photo says it.
        pitch, roll: radians, where they are known; see :func:`na_core.geometry.camera.camera_of_photo`.
        camera_height: metres above the ground where that is known.
        threshold: least score.
        rectangles: (K, 4) 2D boxes x0, y0, x1, y1 in image coordinates: find what is in each of them, in
            their order, and nothing else.
    """
    height, width = photo.shape[:2]
    first = look_at(detector, photo, Known(focal, pitch, roll))
    if rectangles is None:
        found = found_of(first.prediction, first.size, FIRST_THRESHOLD)
    else:
        given = np.asarray(rectangles, dtype=np.float64).reshape(-1, 4)
        scale = np.tile((width, height), 2) / max(width, height)
        found = found_in(first.prediction, first.size, given * scale)
    look, found = first.fitted(found)
    poll()
    found = seen_again(refiner, first, look, found, given=rectangles is not None)
    if rectangles is None:
        found = sure(found, threshold, LAST_OVERLAP)
    look, found = first.fitted(found)
    if rectangles is None:
        found = found.chosen(distinct_boxes(standing_boxes(found, look, first.size)))
    return detection_of(found, look, (width, height), camera_height)


@torch.no_grad()
def look_at(detector: BoxDetector, photo: NDArray[np.uint8], known: Known) -> FirstLook:
    """Look at a photo (H, W, 3) uint8 sRGB for the first time."""
    height, width = photo.shape[:2]
    scale = SIDE / max(width, height) / CELL
    size = max(1, round(width * scale)) * CELL, max(1, round(height * scale)) * CELL
    small = np.array(Image.fromarray(photo).resize(size, Image.Resampling.LANCZOS, reducing_gap=3))
    picture = torch.from_numpy(small).permute(2, 0, 1).to(detector.device).float() / 255
    told = None if known.focal is None else torch.tensor([known.focal], device=detector.device)
    prediction = both_ways(detector, picture[None], told)
    return FirstLook(picture, prediction, view_of(prediction, size), straight_edges(photo), known)


def seen_again(refiner: BoxRefiner, first: FirstLook, look: Look, found: Found, *, given: bool) -> Found:
    """Return objects as they are at the second look, the surest first; given ones in their order.

    Where no one gave their 2D boxes there may be more: each look may show two.
    """
    seen = sightings_of(found, first.size)
    camera = look.focal, look.pitch, look.roll, look.focal_doubt, look.pitch_doubt
    again = look_again(refiner, first.picture, seen, camera, given)
    rectangles, numbers, front, logits = (
        getattr(again, of.name).double().cpu().numpy() for of in fields(Sightings)
    )
    middle = np.array(first.size) / max(first.size) / 2
    numbers[..., :2] += middle
    rectangles += np.tile(middle, 2)
    if given:
        return found_from_numbers(found.scores, rectangles[:, 0], found.depths, numbers[:, 0], front[:, 0])
    logits[:, 0] = (logits[:, 0] + seen.logits.double().numpy()) / 2  # what one never saw the other may know
    rectangles, numbers, front = (of.reshape(-1, of.shape[-1]) for of in (rectangles, numbers, front))
    scores = 1 / (1 + np.exp(-logits.ravel()))
    refined = found_from_numbers(scores, rectangles, found.depths.repeat(OBJECTS), numbers, front)
    return sure(refined.chosen(np.argsort(-scores, kind="stable").tolist()), SECOND_THRESHOLD, SECOND_OVERLAP)


def sure(found: Found, threshold: float, overlap: float) -> Found:
    """Return objects at least as sure as a threshold, and of those whose 2D boxes overlap more the surest."""
    found = found.chosen([number for number, score in enumerate(found.scores) if score >= threshold])
    return found.chosen(distinct_rectangles(found.rectangles, overlap))


def sightings_of(found: Found, size: tuple[int, int]) -> Sightings:
    """Return what was found in a photo of a size (width, height) for the second look."""
    middle = np.array(size) / max(size) / 2
    numbers = numbers_of(found)
    numbers[:, :2] -= middle
    values = (
        found.rectangles - np.tile(middle, 2),
        numbers,
        np.zeros((len(numbers), PARTS["front"])),
        found.scores.clip(LEAST_SCORE, 1 - LEAST_SCORE),
    )
    rectangles, said, front, scores = (torch.from_numpy(of).float() for of in values)
    return Sightings(rectangles, said, front, torch.logit(scores))


def detection_of(
    found: Found, look: Look, size: tuple[int, int], camera_height: float | None = None
) -> Detection:
    """Return what was found in a photo of a size (width, height) in pixels, and the camera that took it."""
    width, height = size
    side = max(size)
    above = ASSUMED_HEIGHT if camera_height is None else camera_height
    camera = camera_of_photo(look.focal * side, width, height, above, look.pitch, look.roll)
    boxes = standing_boxes(found, look, size)
    boxes[:, :3] *= above
    rectangles = np.clip(found.rectangles * side / np.tile(size, 2), 0, 1)
    names = distinct_names([None] * len(boxes))
    objects = [
        DetectedObject(name, float(score), (x0, y0, x1, y1), Box(box), doubt=float(doubt))
        for name, score, (x0, y0, x1, y1), box, doubt in zip(
            names, found.scores, rectangles.tolist(), boxes, box_doubts(found, look, size), strict=True
        )
    ]
    doubt = CameraDoubt(look.focal_doubt, look.pitch_doubt, look.roll_doubt)
    return Detection(camera, tuple(objects), camera_height is not None, doubt)
