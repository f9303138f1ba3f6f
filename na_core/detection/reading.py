"""What a detector's prediction says of one photo: its camera, and the objects that it shows."""

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from na_core.detection.detection import distinct_rectangles, overlaps
from na_core.detection.found import NUMBERS, Found, found_from_numbers
from na_core.detection.network import CELL, Prediction, cell_centres
from na_core.detection.perspective import View
from na_core.detection.targets import SPREAD

MOST = 50
"""Objects that are reported at most."""

LEAST_EXTENT, MOST_STRETCH = 1e-3, 3.0
"""Of the bounds that cells mean, in units of the picture's longer side; and between them and a given box."""

LIKENESS = 0.1
"""IoU by which a cell must mean another 2D box than the one that was given to count e times less."""


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
    said = {name: getattr(prediction, name) for name in (*NUMBERS, "depth", "front")}
    said["rectangle"] = torch.stack([x - left, y - top, x + right, y + bottom], dim=1)
    said["centre"] = prediction.centre + places
    return said


def _found(scores: Tensor, said: dict[str, Tensor]) -> Found:
    """Return objects (K,) of which this was said, (K, C) each."""
    values = {name: value.double().cpu().numpy() for name, value in said.items()}
    numbers = np.concatenate([values[name] for name in NUMBERS], axis=1)
    depths = np.exp(values["depth"][:, 0])
    confidence = scores.double().cpu().numpy()
    return found_from_numbers(confidence, values["rectangle"], depths, numbers, values["front"])
