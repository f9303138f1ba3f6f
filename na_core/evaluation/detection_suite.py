"""The ``detection`` suite: the embedded detector, and box fitting given true masks and depths."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from na_core.data.contact_sheet import draw_boxes, laid_out
from na_core.data.scenes import Scene
from na_core.detection.embedded import detect, load_detector
from na_core.detection.lifting import (
    Footprint,
    closeness_yaw,
    fit_box,
    points_of_depth,
    principal_yaw,
    scale_to_ground,
    smoothed,
)
from na_core.evaluation.box_overlap import box_iou
from na_core.evaluation.detection import match, summarise
from na_core.evaluation.scores import Scores
from na_core.geometry.camera import pitch_and_roll

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
    detector = load_detector()
    found = []
    for scene in chosen:
        for number, frame in enumerate(scene.labels.frames):
            focal = frame.camera.fx * scene.labels.width / max(scene.labels.width, scene.labels.height)
            pitch, roll = pitch_and_roll(frame.camera.world_from_camera[2, :3])
            matched = told == "camera"
            detection = detect(
                detector,
                scene.picture(number),
                focal=None if told == "nothing" else focal,
                pitch=pitch if matched else None,
                roll=roll if matched else None,
                camera_height=float(frame.camera.world_from_camera[2, 3]),
                threshold=MIN_DETECTION_SCORE,
            )
            found.append(match(scene, number, detection))
    return summarise(found) | {"scenes": len(chosen)}


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
    detector = load_detector()
    cells = []
    for scene in list(chosen)[: 2 * rows]:
        frame, picture = scene.labels.frames[0], scene.picture(0)
        found = detect(detector, picture, camera_height=float(frame.camera.world_from_camera[2, 3]))
        boxes = [thing.box for thing in found.objects]
        for camera, each in ((frame.camera, frame.boxes), (found.camera, boxes)):
            cells.append(Image.fromarray(picture))
            draw_boxes(cells[-1], camera, each)
    file.parent.mkdir(parents=True, exist_ok=True)
    laid_out([cells[i : i + 4] for i in range(0, len(cells), 4)]).save(file)
