"""The ``detection`` suite: the embedded detector, and box fitting given true masks and depths."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from na_core.data.contact_sheet import draw_boxes, laid_out
from na_core.data.scenes import Scene
from na_core.detection.embedded import detect, load_detector, load_refiner
from na_core.detection.lifting import (
    Footprint,
    closeness_yaw,
    fit_box,
    points_of_depth,
    principal_yaw,
    scale_to_ground,
    smoothed,
)
from na_core.evaluation.box_overlap import box_iou, box_ious
from na_core.evaluation.detection import match, summarise, to_find
from na_core.evaluation.scores import Scores
from na_core.geometry.camera import camera_from_world, pitch_and_roll

MIN_DETECTION_SCORE = 0.05
"""Score from which detections count: precision at high recall needs the unsure ones."""

MIN_FITTED_PIXELS = 30
"""Pixels of an object from which a box is fitted to it."""

Told = Literal["nothing", "focal length", "camera"]

YawOf = Callable[[Footprint], tuple[float, float]]

DEPTH_SCALE_ERROR = 0.1
"""By how much at most the depth of a whole photo is off, in the fitting's second measurement."""

DEPTH_NOISE = 0.03
"""Standard deviation of each pixel's depth, relative, there."""

UNOCCLUDED_SHARE, HALF_OCCLUDED_SHARES = 0.95, (0.3, 0.7)
"""Shares of a silhouette that show, of objects that count as unoccluded, and as half-occluded."""


def measure_detector(chosen: Sequence[Scene], told: Told) -> Scores:
    """Return what the embedded detector scores on all pictures of scenes.

    Args:
        chosen: held-out scenes.
        told: of each photo: its focal length, as EXIF does for real ones; or the camera, as it is when
            someone matched it.
    """
    detector, refiner = load_detector(), load_refiner()
    found = []
    for scene in chosen:
        for number in range(len(scene.labels.frames)):
            detection = detect(
                detector,
                refiner,
                scene.picture(number),
                threshold=MIN_DETECTION_SCORE,
                **known_of(scene, number, told),
            )
            found.append(match(scene, number, detection))
    return summarise(found) | {"scenes": len(chosen)}


def measure_drag(chosen: Sequence[Scene], told: Told) -> Scores:
    """Return how well boxes fit that are made of true 2D boxes, as an artist drags them; mean IoU in 3D.

    Args:
        chosen: held-out scenes.
        told: of each photo, see :func:`measure_detector`.
    """
    detector, refiner = load_detector(), load_refiner()
    ious: list[float] = []
    for scene in chosen:
        for number, frame in enumerate(scene.labels.frames):
            there = to_find(scene, number)
            true_boxes = [box for i, box in enumerate(frame.boxes) if i in there and box is not None]
            if not there:
                continue
            detection = detect(
                detector,
                refiner,
                scene.picture(number),
                rectangles=[frame.boxes_2d[i] for i in there],
                **known_of(scene, number, told),
            )
            found, true = (
                camera_from_world(camera) @ np.stack([box.world_from_box for box in boxes])
                for camera, boxes in (
                    (detection.camera, [thing.box for thing in detection.objects]),
                    (frame.camera, true_boxes),
                )
            )
            ious += np.diag(box_ious(found, true)).tolist()
    return {"drag_iou": float(np.mean(ious)), "objects": len(ious), "scenes": len(chosen)} if ious else {}


def known_of(scene: Scene, number: int, told: Told) -> dict[str, float]:
    """Return what a detector is told of a picture's camera, by the names of its arguments."""
    labels, camera = scene.labels, scene.labels.frames[number].camera
    known = {"camera_height": float(camera.world_from_camera[2, 3])}
    if told != "nothing":
        known["focal"] = camera.fx * labels.width / max(labels.width, labels.height)
    if told == "camera":
        known["pitch"], known["roll"] = pitch_and_roll(camera.world_from_camera[2, :3])
    return known


def measure_fitting(chosen: Sequence[Scene], yaw_of: YawOf, perturbed: bool) -> Scores:
    """Return the median IoU of boxes fitted to objects' true masks and depths; empty without depths.

    Args:
        chosen: held-out scenes; their pictures without depth are left out.
        yaw_of: see :func:`na_core.detection.lifting.fit_box`.
        perturbed: make the depths wrong, as an estimate's: :data:`DEPTH_SCALE_ERROR`, :data:`DEPTH_NOISE`.
    """
    overlaps: dict[str, list[float]] = {"iou_unoccluded": [], "iou_half_occluded": []}
    for scene in chosen:
        for number, frame in enumerate(scene.labels.frames):
            depth = scene.depth(number)
            if depth is None:
                continue
            mask = scene.mask(number)
            if perturbed:
                random = np.random.default_rng((scene.labels.seed, number))
                noise = 1 + DEPTH_NOISE * random.standard_normal(depth.shape)
                depth = depth * noise * (1 + DEPTH_SCALE_ERROR * (2 * random.random() - 1))
                depth = depth * scale_to_ground(frame.camera, depth, mask == 0)
            for i, box in enumerate(frame.boxes):
                visible = frame.visible[i]
                kind = occlusion(visible)
                if box is None or kind is None:
                    continue
                shown = mask == i + 1
                if shown.sum() < MIN_FITTED_PIXELS:
                    continue
                points = points_of_depth(frame.camera, smoothed(depth, shown), shown)
                fitted = fit_box(points, frame.camera.world_from_camera[:3, 3], 0.0, yaw_of=yaw_of)
                overlaps[kind].append(box_iou(fitted.world_from_box, box.world_from_box))
    scores: Scores = {name: float(np.median(values)) for name, values in overlaps.items() if values}
    counts = {name.replace("iou", "objects"): len(values) for name, values in overlaps.items() if values}
    return scores | counts | {"scenes": len(chosen)} if scores else {}


def occlusion(visible: float) -> str | None:
    """Return the metric that an object counts for, by the share of it that shows; None for neither."""
    if visible >= UNOCCLUDED_SHARE:
        return "iou_unoccluded"
    least, most = HALF_OCCLUDED_SHARES
    return "iou_half_occluded" if least < visible < most else None


def measure(chosen: Sequence[Scene], sheet: Path, sheet_rows: int) -> dict[str, Scores]:
    """Return the suite: the detector, told more or less of the camera, and box fitting; write a sheet."""
    results = {
        "detector": measure_detector(chosen, "nothing"),
        "detector, focal length told": measure_detector(chosen, "focal length"),
        "detector, camera told": measure_detector(chosen, "camera"),
        "2D boxes told": measure_drag(chosen, "nothing"),
        "2D boxes and camera told": measure_drag(chosen, "camera"),
    }
    for name, yaw_of in (("closeness", closeness_yaw), ("principal axes", principal_yaw)):
        for perturbed in (False, True):
            depth = "perturbed" if perturbed else "true"
            results[f"box fitting, {name}, {depth} depth"] = measure_fitting(chosen, yaw_of, perturbed)
    if sheet_rows > 0:
        write_detection_sheet(chosen, sheet, sheet_rows)
    return {name: scores for name, scores in results.items() if scores}


def write_detection_sheet(chosen: Sequence[Scene], file: Path, rows: int) -> None:
    """Write the first pictures of scenes, each with the true boxes beside those that were found."""
    detector, refiner = load_detector(), load_refiner()
    cells = []
    for scene in list(chosen)[: 2 * rows]:
        frame, picture = scene.labels.frames[0], scene.picture(0)
        height = float(frame.camera.world_from_camera[2, 3])
        found = detect(detector, refiner, picture, camera_height=height)
        boxes = [thing.box for thing in found.objects]
        for camera, each in ((frame.camera, frame.boxes), (found.camera, boxes)):
            cells.append(Image.fromarray(picture))
            draw_boxes(cells[-1], camera, each)
    file.parent.mkdir(parents=True, exist_ok=True)
    laid_out([cells[i : i + 4] for i in range(0, len(cells), 4)]).save(file)
