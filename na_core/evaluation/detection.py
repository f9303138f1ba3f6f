"""Scoring detections: objects' 3D boxes and the camera found in held-out photos, against the labels.

Boxes are compared in the camera's frame, so that errors of the camera's pitch count. One photo does not show
scale: the camera's true height is given. Kinds of objects are not told apart; objects of which little shows
are nobody's mistake.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from na_core.data.scenes import Scene
from na_core.detection.detection import Detection, overlaps
from na_core.detection.embedded import THRESHOLD
from na_core.detection.targets import MIN_OBJECT_PIXELS, MIN_VISIBLE_SHARE
from na_core.evaluation.box_overlap import box_ious
from na_core.evaluation.scores import Scores
from na_core.geometry.camera import camera_from_world, pitch_and_roll
from na_core.scene import Camera

SAME_OBJECT_IOU = 0.5
"""IoU of 2D boxes from which a detection is of an object, where errors of its 3D box are measured."""

ERRORS = (
    "centre_error",
    "yaw_error",
    "front_error",
    "axis_error",
    "focal_error",
    "pitch_error",
    "roll_error",
)
"""Of objects that were found in 2D: of the centre relative to its distance; in degrees of yaw up to each
object's own symmetry, of yaw of those that have none, and of the axes alone. Of the camera: of the focal
length, relative; of pitch and roll in degrees."""

HALF_SURE = 0.6
"""Doubt of a box, in units of its size, that makes it half as sure as one whose place is known."""

RIGHT_IOUS = (0.25, 0.5)
"""IoU of 3D boxes from which a detection is right."""


@dataclass(frozen=True)
class Matches:
    """What was found in a photo beside what there is: K detections, the surest first, and G objects.

    Attributes:
        scores: (K,), how sure it is that there is an object, and that it stands where it was found.
        overlaps: (K, G) IoU of 3D boxes.
        wanted: (G,) bool, objects that are to be found.
        false: detections that an artist would see and that are of no object, or of one that is found already.
        errors: by :data:`ERRORS`.
    """

    scores: NDArray[np.float64]
    overlaps: NDArray[np.float64]
    wanted: NDArray[np.bool_]
    false: int
    errors: Mapping[str, Sequence[float]]


def match(scene: Scene, number: int, detection: Detection) -> Matches:
    """Compare what was found in a scene's picture with its labels."""
    frame = scene.labels.frames[number]
    there = [i for i, box in enumerate(frame.boxes) if box is not None and frame.visible[i] > 0]
    wanted = np.isin(there, to_find(scene, number))
    true = [frame.boxes[i].world_from_box for i in there]  # type: ignore[union-attr]
    mine = _in_camera(frame.camera, true)
    found = _in_camera(detection.camera, [thing.box.world_from_box for thing in detection.objects])
    scores = np.array([thing.score for thing in detection.objects])
    sure = np.array([1 / (1 + (thing.doubt / HALF_SURE) ** 2) for thing in detection.objects])
    rectangles = [thing.rectangle for thing in detection.objects]
    shown = scores >= THRESHOLD  # to an artist
    flat = overlaps(rectangles, [frame.boxes_2d[i] for i in there]) * shown[:, None]
    hit = int((flat.max(axis=0, initial=0) >= SAME_OBJECT_IOU).sum())
    errors: dict[str, list[float]] = {name: [] for name in ERRORS}
    for j, i in enumerate(there):
        if not wanted[j] or not len(found) or flat[:, j].max() < SAME_OBJECT_IOU:
            continue
        box, truth = found[flat[:, j].argmax()], mine[j]
        distance = np.linalg.norm(truth[:3, 3])
        errors["centre_error"].append(float(np.linalg.norm(box[:3, 3] - truth[:3, 3]) / distance))
        symmetry = scene.labels.objects[i].symmetry
        if symmetry:
            errors["axis_error"].append(_turn(box, truth, 4))
            errors["yaw_error"].append(_turn(box, truth, symmetry))
        if symmetry == 1:
            errors["front_error"].append(_turn(box, truth, 1))
    errors["focal_error"].append(abs(detection.camera.fx / frame.camera.fx - 1))
    looks = (pitch_and_roll(camera.world_from_camera[2, :3]) for camera in (detection.camera, frame.camera))
    for name, mine_is, true_is in zip(("pitch_error", "roll_error"), *looks, strict=True):
        errors[name].append(abs(float(np.degrees(mine_is - true_is))))
    return Matches(scores * sure, box_ious(found, mine), wanted, max(int(shown.sum()) - hit, 0), errors)


def to_find(scene: Scene, number: int) -> list[int]:
    """Return the objects of a scene's picture, by number, of which enough shows to be found."""
    frame, mask = scene.labels.frames[number], scene.mask(number)
    pixels = np.bincount(mask.ravel(), minlength=len(frame.boxes) + 1)[1:] * 65536 / mask.size
    return [
        i
        for i, box in enumerate(frame.boxes)
        if box is not None and frame.visible[i] >= MIN_VISIBLE_SHARE and pixels[i] >= MIN_OBJECT_PIXELS
    ]


def summarise(matches: Sequence[Matches]) -> Scores:
    """Return the suite's metrics over photos; medians are over objects, of cameras over photos."""
    scores: Scores = {}
    for threshold in RIGHT_IOUS:
        scores[f"ap3d_{round(100 * threshold)}"] = 100 * average_precision(matches, threshold)
    wanted = sum(int(each.wanted.sum()) for each in matches)
    scores["found"] = sum(len(each.errors["centre_error"]) for each in matches) / max(wanted, 1)
    scores["false"] = sum(each.false for each in matches) / max(len(matches), 1)
    for name in ERRORS:
        if errors := [error for each in matches for error in each.errors[name]]:
            scores[name] = float(np.median(errors))
    return scores | {"objects": wanted, "pictures": len(matches)}


def average_precision(matches: Sequence[Matches], threshold: float) -> float:
    """Return the area under precision over recall over photos, in [0, 1], sampled at 101 recalls (COCO's).

    The surest detections choose first; each takes the object that it overlaps most and that is still free.
    One whose best object is not to be found counts neither way. A detection is right from the threshold of
    IoU on.
    """
    hits: list[tuple[float, bool]] = []
    for each in matches:
        free = np.ones(len(each.wanted), bool)
        for number in np.argsort(-each.scores, kind="stable"):
            near = free & (each.overlaps[number] >= threshold)
            score, right = float(each.scores[number]), bool((near & each.wanted).any())
            if right:
                free[np.where(near & each.wanted, each.overlaps[number], -1).argmax()] = False
            if right or not near.any():
                hits.append((score, right))
    count = sum(int(each.wanted.sum()) for each in matches)
    if not hits or not count:
        return 0.0
    ordered = np.array([hit for _, hit in sorted(hits, key=lambda pair: -pair[0])])
    recall = ordered.cumsum() / count
    precision = ordered.cumsum() / np.arange(1, len(ordered) + 1)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(recall, np.linspace(0, 1, 101) - 1e-12)
    return float(np.where(at < len(best), best[np.minimum(at, len(best) - 1)], 0).mean())


def _in_camera(camera: Camera, boxes: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return camera_from_world(camera) @ np.array(boxes).reshape(-1, 4, 4)


def _turn(box: NDArray[np.float64], truth: NDArray[np.float64], symmetry: int) -> float:
    """Return the degrees between two boxes' fronts, up to turns of 360 / symmetry about the true one's up."""
    x, y = (truth[:3, axis] / np.linalg.norm(truth[:3, axis]) for axis in range(2))
    angle = np.degrees(np.arctan2(-(box[:3, 1] @ x), box[:3, 1] @ y))
    period = 360 / symmetry
    return float(abs((angle + period / 2) % period - period / 2))
