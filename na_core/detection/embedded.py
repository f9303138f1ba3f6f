"""The embedded detector at work: from a photo to boxes, with the weights that come with the package."""

import functools
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import Tensor

from na_core.detection.detection import (
    ASSUMED_HEIGHT,
    CameraDoubt,
    DetectedObject,
    Detection,
    distinct_rectangles,
    overlaps,
)
from na_core.detection.edges import fit_to_edges, straight_edges
from na_core.detection.network import CELL, SIDE, BoxDetector, Prediction, both_ways, cell_centres
from na_core.detection.perspective import Look, View
from na_core.detection.standing import Found, distinct_boxes, standing_boxes
from na_core.detection.targets import SPREAD
from na_core.geometry.camera import camera_of_photo
from na_core.scene import Box

WEIGHTS = Path(__file__).resolve().parent.parent / "checkpoints" / "detector"
"""Of the embedded detector."""

THRESHOLD = 0.35
"""Score from which an object is reported."""

MOST = 50
"""Objects that are reported at most."""

BOX_PARTS = ("depth", "height", "footprint", "stretch", "quarter", "front")
"""Parts of a prediction that a box is made of, beside where its centre is seen."""

LEAST_EXTENT, MOST_STRETCH = 1e-3, 3.0
"""Of the bounds that cells mean, in units of the picture's longer side; and between them and a given box."""

LIKENESS = 0.1
"""IoU by which a cell must mean another 2D box than the one that was given to count e times less."""


@functools.lru_cache(maxsize=2)
def load_detector(folder: Path = WEIGHTS, device: str = "cpu") -> BoxDetector:
    """Load a detector, once."""
    detector = BoxDetector.from_pretrained(folder, torch_dtype=torch.float32).to(device)
    return detector.eval().requires_grad_(False)


@torch.no_grad()
def detect(
    detector: BoxDetector,
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
        detector: the network.
        photo: (H, W, 3) uint8 sRGB, upright.
        focal: length in units of the photo's longer side, where the photo says it.
        pitch, roll: radians, where they are known; see :func:`na_core.geometry.camera.camera_of_photo`.
        camera_height: metres above the ground where that is known.
        threshold: least score.
        rectangles: (K, 4) 2D boxes x0, y0, x1, y1 in image coordinates: find what is in each of them, in
            their order, and nothing else.
    """
    height, width = photo.shape[:2]
    scale = SIDE / max(width, height) / CELL
    size = max(1, round(width * scale)) * CELL, max(1, round(height * scale)) * CELL
    small = np.array(Image.fromarray(photo).resize(size, Image.Resampling.LANCZOS, reducing_gap=3))
    pictures = torch.from_numpy(small).permute(2, 0, 1)[None].to(detector.device).float() / 255
    told = None if focal is None else torch.tensor([focal], device=detector.device)
    prediction = both_ways(detector, pictures, told)
    if rectangles is None:
        found = found_of(prediction, size, threshold)
    else:
        given = np.asarray(rectangles, dtype=np.float64).reshape(-1, 4)
        found = found_in(prediction, size, given * np.tile((width, height), 2) / max(width, height))
    view, edges = view_of(prediction, size), straight_edges(photo)
    look, yaws = fit_to_edges(view, edges, found, size, focal, pitch, roll)
    found = replace(found, yaws=yaws)
    if rectangles is None:
        found = found.chosen(distinct_boxes(standing_boxes(found, look, size)))
    return detection_of(found, look, (width, height), camera_height)


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
    objects = [
        DetectedObject(f"Object {number + 1}", float(score), (x0, y0, x1, y1), Box(box))
        for number, (score, (x0, y0, x1, y1), box) in enumerate(
            zip(found.scores, rectangles.tolist(), boxes, strict=True)
        )
    ]
    doubt = CameraDoubt(look.focal_doubt, look.pitch_doubt, look.roll_doubt)
    return Detection(camera, tuple(objects), camera_height is not None, doubt)


def view_of(prediction: Prediction, size: tuple[int, int]) -> View:
    """Return what is said of the camera of a photo of a size (width, height), the prediction's only one."""
    places = cell_centres(size, tuple(prediction.heat.shape[-2:]), "cpu").double().numpy()
    tilt, latitude, doubt, numbers, doubts = (
        of[0].double().cpu().numpy()
        for of in (
            prediction.tilt,
            prediction.latitude,
            prediction.doubt.exp(),
            prediction.camera,
            prediction.camera_doubt.exp(),
        )
    )
    middle = np.array(size)[:, None, None] / 2 / max(size)
    return View(places - middle, tilt[0], latitude[0], doubt[0], doubt[1], numbers, doubts)


def found_of(prediction: Prediction, size: tuple[int, int], threshold: float) -> Found:
    """Return what is found in a photo of a size (width, height) in pixels, the only one of a prediction."""
    heat = prediction.heat.sigmoid()
    peaks = heat * (F.max_pool2d(heat, 3, 1, 1) == heat)
    scores, cells = peaks.flatten().topk(min(MOST, peaks.numel()))
    scores, cells = scores[scores >= threshold], cells[scores >= threshold]
    weight = F.avg_pool2d(heat, 3, 1, 1, count_include_pad=False).clamp_min(1e-6)

    def settled(values: Tensor) -> Tensor:
        """Return (K, C), an average of what neighbouring cells say by how sure they are of an object."""
        averages = F.avg_pool2d(values * heat, 3, 1, 1, count_include_pad=False) / weight
        return averages[0].flatten(1)[:, cells].T

    found = _found(scores, {name: settled(values) for name, values in _said(prediction, size).items()})
    return found.chosen(distinct_rectangles(found.rectangles))


def found_in(prediction: Prediction, size: tuple[int, int], rectangles: NDArray[np.float64]) -> Found:
    """Return what is in each of some 2D boxes (K, 4) of a photo, in units of its longer side.

    Cells about the middle of a box say what is in it; those that mean something of other bounds hardly count.
    What they say is stretched from the bounds that they mean to the box. Scores are 1: whoever gave the boxes
    is sure.
    """
    said = {name: values[0].flatten(1) for name, values in _said(prediction, size).items()}
    heat = prediction.heat.sigmoid().flatten()
    places = cell_centres(size, tuple(prediction.heat.shape[-2:]), heat.device).flatten(1).T
    wanted = torch.from_numpy(rectangles).to(heat)
    middle, extent = (wanted[:, :2] + wanted[:, 2:]) / 2, wanted[:, 2:] - wanted[:, :2]
    spread = (SPREAD * extent).clamp_min(CELL / max(size))
    apart = ((places - middle[:, None]) / spread[:, None]).square().sum(-1)
    likeness = torch.from_numpy(overlaps(rectangles, said["rectangle"].T.double().cpu().numpy())).to(heat)
    weight = torch.exp(-apart / 2 + likeness / LIKENESS) * heat.clamp_min(1e-4)
    weight = weight / weight.sum(dim=1, keepdim=True)
    found = _found(torch.ones(len(wanted)), {name: weight @ values.T for name, values in said.items()})
    meant, given = (of.reshape(-1, 2, 2) for of in (found.rectangles, rectangles))
    wanted_extent, meant_extent = (
        given[:, 1] - given[:, 0],
        np.maximum(meant[:, 1] - meant[:, 0], LEAST_EXTENT),
    )
    stretch = np.clip(wanted_extent / meant_extent, 1 / MOST_STRETCH, MOST_STRETCH)
    across, down = stretch.T
    return replace(
        found,
        rectangles=rectangles,
        centres=given.mean(axis=1) + (found.centres - meant.mean(axis=1)) * stretch,
        sizes=found.sizes * np.stack([across, across, down], axis=1),
        depths=found.depths / across,
    )


def _said(prediction: Prediction, size: tuple[int, int]) -> dict[str, Tensor]:
    """Return what cells say (1, C, h, w) of their objects, in the picture's coordinates."""
    x, y = places = cell_centres(size, tuple(prediction.heat.shape[-2:]), prediction.heat.device)
    left, top, right, bottom = prediction.rectangle.unbind(1)
    said = {name: getattr(prediction, name) for name in BOX_PARTS}
    said["rectangle"] = torch.stack([x - left, y - top, x + right, y + bottom], dim=1)
    said["centre"] = prediction.centre + places
    return said


def _found(scores: Tensor, said: dict[str, Tensor]) -> Found:
    """Return objects (K,) of which this was said, (K, C) each."""
    numbers = {name: values.double().cpu().numpy() for name, values in said.items()}
    quarter, front, stretch = (numbers[name] for name in ("quarter", "front", "stretch"))
    yaw = np.arctan2(quarter[:, 1], quarter[:, 0]) / 4
    yaw = _facing(yaw, front)
    half = stretch[:, 0] * np.cos(2 * yaw) + stretch[:, 1] * np.sin(2 * yaw)
    footprint, height = numbers["footprint"][:, 0], numbers["height"][:, 0]
    return Found(
        scores=scores.double().cpu().numpy(),
        rectangles=numbers["rectangle"],
        centres=numbers["centre"],
        depths=np.exp(numbers["depth"][:, 0]),
        sizes=np.exp(np.stack([footprint + half, footprint - half, height], axis=1)),
        yaws=yaw,
    )


def _facing(yaws: NDArray[np.float64], front: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return yaws (K,) turned by quarter turns to where the front is likeliest by logits (K, 8)."""
    candidates = yaws[:, None] + np.arange(4) * np.pi / 2
    place = candidates * front.shape[1] / (2 * np.pi)
    before = np.floor(place).astype(int)
    share = place - before
    below, above = (
        np.take_along_axis(front, number % front.shape[1], axis=1) for number in (before, before + 1)
    )
    best = ((1 - share) * below + share * above).argmax(axis=1)
    return np.take_along_axis(candidates, best[:, None], axis=1)[:, 0]
