"""The ``layers`` suite: what photos are taken apart into, given true boxes, against their labels."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

import numpy as np
import torch
from numpy.typing import NDArray

from na_core.data.contact_sheet import colour_of, laid_out
from na_core.data.scenes import Scene
from na_core.evaluation.layer_metrics import (
    alpha_error,
    around_objects,
    boundary_f,
    depth_error,
    outline,
    outline_iou,
    shaded,
    shadow_error,
)
from na_core.evaluation.metrics import psnr
from na_core.evaluation.record import Measurement
from na_core.evaluation.scores import Scores
from na_core.evaluation.sheet import cell
from na_core.layers.layers import Layers
from na_core.scene import Picture
from na_core.tensors.views import SourceView, SourceViews, views_as_tensors

MIN_PIXELS = 64
"""Pixels of an object that shows, or of a region, from which it is measured: less has hardly an inside."""

WORST_SHARE = 0.1
"""Share of the objects that ``outline_iou_worst_tenth`` averages, one at least."""

SHEET_DIMMING = 0.55
"""How bright the photo is on a sheet, under the outlines."""

TakeApart = Callable[[SourceViews], Layers]


@dataclass(frozen=True)
class FoundLayers:
    """What one photo was taken apart into.

    Attributes:
        owner: (H, W), the place among the photo's boxes of what each pixel shows, -1 for none.
        alpha: (H, W) in [0, 1], how much of the pixel that covers.
        near: (H, W), depth in metres of what it shows.
        plate: (H, W, 3) uint8.
        shadow: (H, W, 3), logarithm of photo over plate in linear light, 0 where there is none.
    """

    owner: NDArray[np.int32]
    alpha: NDArray[np.float32]
    near: NDArray[np.float32]
    plate: Picture
    shadow: NDArray[np.float32]

    def shows(self, place: int) -> NDArray[np.bool_]:
        """Return the pixels (H, W) that show a box's object, at least by half."""
        return (self.owner == place) & (self.alpha >= 0.5)

    def alpha_of(self, place: int) -> NDArray[np.float32]:
        """Return the alpha (H, W) of a box's object."""
        return np.where(self.owner == place, self.alpha, 0).astype(np.float32)


def measured_frames(scene: Scene) -> list[int]:
    """Return the frames whose labels say where each object is: not those where copies await their places."""
    waiting = {edit.donor for edit in scene.labels.edits if edit.kind == "duplicate"}
    return [number for number in range(len(scene.labels.frames)) if number not in waiting]


def photo_view(scene: Scene, number: int) -> tuple[SourceView, list[int]]:
    """Return a frame's picture as a photo with all its true boxes, and which object each of them is of."""
    frame = scene.labels.frames[number]
    boxes = {i: box for i, box in enumerate(frame.boxes) if box is not None}
    rectangles = tuple(frame.boxes_2d[i] for i in boxes)
    return SourceView(frame.picture, frame.camera, tuple(boxes.values()), rectangles, len(boxes)), list(boxes)


def found_layers(scene: Scene, numbers: Sequence[int], take_apart: TakeApart) -> list[FoundLayers]:
    """Return what some of a scene's frames are taken apart into, given their true boxes."""
    pictures = torch.from_numpy(np.stack([scene.picture(number) for number in numbers]))
    views = views_as_tensors([photo_view(scene, number)[0] for number in numbers], pictures)
    layers = take_apart(views).to("cpu")
    alpha = layers.alpha.numpy() / np.float32(255)
    near, shadow = layers.surfaces.near.numpy(), layers.shadow.float().numpy()
    parts = (layers.owner.numpy(), alpha, near, layers.plate.numpy(), shadow)
    return [FoundLayers(*(part[row] for part in parts)) for row in range(len(numbers))]


def measure(scene: Scene, take_apart: TakeApart) -> Measurement:
    """Return what all frames of a scene score: counts, and samples of objects and of frames.

    Of each object with at least :data:`MIN_PIXELS` visible pixels: ``outline_iou``, ``boundary_f``,
    ``alpha_error`` and, where labels have depth, ``depth_error`` where outline and truth agree. Of each frame
    whose labels have a plate: ``plate_psnr`` under objects, ``plate_shadow_psnr`` where objects shade what is
    beside them, and ``shadow_error`` beside objects. What does not apply is absent.
    """
    numbers = measured_frames(scene)
    samples: dict[str, list[float]] = {}
    for number, found in zip(numbers, found_layers(scene, numbers, take_apart), strict=True):
        for each in (object_samples(scene, number, found), frame_samples(scene, number, found)):
            for name, values in each.items():
                samples.setdefault(name, []).extend(values)
    counts: Scores = {"objects": len(samples.get("outline_iou", ())), "pictures": len(numbers)}
    return Measurement(counts if samples else {}, samples=samples)


def object_samples(scene: Scene, number: int, found: FoundLayers) -> dict[str, list[float]]:
    """Return what the outlines and depths of a frame's objects score."""
    samples: dict[str, list[float]] = {}
    mask, depth = scene.mask(number), scene.depth(number)
    for place, i in enumerate(photo_view(scene, number)[1]):
        truth = mask == i + 1
        if truth.sum() < MIN_PIXELS:
            continue
        shows = found.shows(place)
        values = {
            "outline_iou": outline_iou(shows, truth),
            "boundary_f": boundary_f(shows, truth),
            "alpha_error": alpha_error(found.alpha_of(place), truth),
            "depth_error": None if depth is None else depth_error(found.near, depth, shows & truth),
        }
        for name, value in values.items():
            if value is not None:
                samples.setdefault(name, []).append(value)
    return samples


def frame_samples(scene: Scene, number: int, found: FoundLayers) -> dict[str, list[float]]:
    """Return what a frame's plate and shadow score; nothing where its labels have no plate."""
    plate = scene.plate(number)
    if plate is None:
        return {}
    photo, mask = scene.picture(number), scene.mask(number)
    samples: dict[str, list[float]] = {}
    beside = around_objects(mask)
    for name, region in {"plate_psnr": mask > 0, "plate_shadow_psnr": shaded(photo, plate, beside)}.items():
        if region.sum() >= MIN_PIXELS:
            samples[name] = [psnr(found.plate, plate, region)]
    error = shadow_error(found.shadow, photo, plate, beside)
    return samples if error is None else samples | {"shadow_error": [error]}


def summarise(measurements: Sequence[Measurement]) -> Scores:
    """Return the suite's metrics over scenes: means over all their objects, or over all their frames.

    ``outline_iou_worst_tenth`` is the mean of the worst :data:`WORST_SHARE` of the objects, and
    ``outline_iou_median`` their median.
    """
    measured = [each for each in measurements if each.samples]
    samples: dict[str, list[float]] = {}
    for each in measured:
        for name, values in each.samples.items():
            samples.setdefault(name, []).extend(values)
    scores: Scores = {name: fmean(values) for name, values in samples.items()}
    if overlaps := sorted(samples.get("outline_iou", ())):
        scores["outline_iou_worst_tenth"] = fmean(overlaps[: math.ceil(WORST_SHARE * len(overlaps))])
        scores["outline_iou_median"] = median(overlaps)
    counts = {name: sum(int(each.scores[name]) for each in measured) for name in ("objects", "pictures")}
    return scores | counts | {"scenes": len(measured)} if measured else {}


def write_layers_sheet(chosen: Sequence[Scene], methods: Mapping[str, TakeApart], file: Path) -> Path:
    """Write the first measured picture of each scene with its true outlines, and what methods make of it.

    Each method has its outlines, its plate and, where it finds one, its shadow; a true plate comes first.
    """
    rows = []
    for scene in chosen:
        number = measured_frames(scene)[0]
        photo, mask = scene.picture(number), scene.mask(number)
        objects = photo_view(scene, number)[1]
        regions = {i: mask == i + 1 for i in objects}
        row = [cell(f"true outlines {scene.name}/{number}", _outlined(photo, regions), photo)]
        if (plate := scene.plate(number)) is not None:
            row.append(cell("true plate", plate, photo))
        for name, take_apart in methods.items():
            found = found_layers(scene, [number], take_apart)[0]
            overlaps = object_samples(scene, number, found).get("outline_iou", [])
            title = f"{name} IoU {fmean(overlaps):.2f}" if overlaps else name
            shown = {i: found.shows(place) for place, i in enumerate(objects)}
            row.append(cell(title, _outlined(photo, shown), photo))
            row.append(cell(f"{name} plate", found.plate, photo))
            if found.shadow.any():
                light = np.clip(np.exp(found.shadow) * 128, 0, 255).astype(np.uint8)
                row.append(cell(f"{name} shadow", light, photo))
        rows.append(row)
    file.parent.mkdir(parents=True, exist_ok=True)
    laid_out(rows).save(file)
    return file


def _outlined(photo: Picture, regions: Mapping[int, NDArray[np.bool_]]) -> Picture:
    """Return a dimmed photo with the outline of each object's region in its colour."""
    drawn = (photo * SHEET_DIMMING).astype(np.uint8)
    for i, region in regions.items():
        drawn[outline(region)] = colour_of(i)
    return drawn
