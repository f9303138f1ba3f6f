"""What one result is worth: the picture, its objects, what they left behind and what should not change."""

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from na_core.data.pairs import SEEN, Pair
from na_core.data.scenes import Scene
from na_core.evaluation.learned import Compare, LearnedMetrics
from na_core.evaluation.metrics import grown, psnr, sharpness, squared_error, ssim, touched, window
from na_core.evaluation.regions import edges, holes
from na_core.evaluation.scores import Scores, mean_scores
from na_core.scene import Picture, Rectangle

IMAGE_METRICS = ("image_psnr", "image_ssim", "image_sharpness", "lpips")
OBJECT_METRICS = ("object_psnr", "object_ssim", "sharpness", "dino")

VACATING_SUITES = frozenset({"translate", "rotate", "scale", "remove", "transfer"})
"""Suites in which an object may leave pixels behind."""

MOVING_SUITES = frozenset({"camera", "orbit", "background", "reconstruct"})
"""Suites in which everything changes, or nothing: no part of the picture is to stay as it was."""

MIN_VACATED_SHARE = 0.005
"""Share of the picture below which a vacated region is too small to be measured."""

MIN_HOLES_SHARE = 0.002
"""Share of the picture below which what no photo showed is too little to be measured."""

MIN_UNCHANGED_SHARE = 0.01
"""Share of the picture below which an unchanged region is too small to be measured."""


def score(
    suite: str,
    scene: Scene,
    pair: Pair,
    result: Picture,
    source: Picture,
    truth: Picture,
    learned: LearnedMetrics,
) -> Scores:
    """Return what a result scores.

    ``image_psnr``, ``image_ssim``, ``image_sharpness`` and ``lpips`` are over the whole picture.
    ``object_psnr``, ``object_ssim``, ``sharpness`` and ``dino`` are over the crop of each object's target 2D
    box grown by 10 %: the mean over objects of each crop's own (not the PSNR of a pooled error, so a small
    object counts as much as a large one). ``perceptual`` is the same for the crops of what an edit is about,
    see :func:`edited_crops`. ``vacated_psnr`` is over what the edited object uncovers,
    ``unchanged_psnr`` over what neither shows nor showed a changed object. ``holes_psnr`` is over what no
    photo showed, ``holes_perceptual`` the distance of the truth with the result in these places;
    ``edges_psnr`` is over objects' outlines, see :mod:`na_core.evaluation.regions`. ``right_way`` is 1 where
    a turned object looks more as it should than as it did, else 0. What does not apply is absent.

    Args:
        suite: of :data:`na_core.evaluation.suite_pairs.PAIR_SUITES`.
        scene, pair: what was asked for.
        result, source, truth: (H, W, 3), what came, the picture before the edit, and the target's picture.
        learned: metrics that need a network.

    Raises:
        ValueError: the pictures have different sizes.
    """
    width, height = scene.labels.width, scene.labels.height
    before, after = scene.labels.frames[pair.source], scene.labels.frames[pair.target]
    crops = []
    for i in shown_objects(suite, scene, pair):
        crop = window(grown(after.boxes_2d[i]), width, height)
        crops.append(_likeness(result[crop], truth[crop], OBJECT_METRICS, learned.dino))
    scores = mean_scores(crops) | _likeness(result, truth, IMAGE_METRICS, learned.lpips)
    edited = edited_crops(suite, scene, pair)
    if edited and learned.perceptual is not None:
        scores["perceptual"] = fmean(learned.perceptual(result[crop], truth[crop]) for crop in edited)
    scores |= _of_regions(scene, pair, result, truth, learned)
    changed = changed_objects(scene, pair)
    was, now = ([grown(frame.boxes_2d[i]) for i in changed] for frame in (before, after))
    if suite in VACATING_SUITES:
        vacated = touched(was, width, height) & ~touched(now, width, height)
        if vacated.mean() >= MIN_VACATED_SHARE:
            scores["vacated_psnr"] = psnr(result, truth, vacated)
    same_view = before.camera == after.camera and before.stage == after.stage
    if suite not in MOVING_SUITES and same_view:
        unchanged = ~touched(was + now, width, height)
        if unchanged.mean() >= MIN_UNCHANGED_SHARE:
            scores["unchanged_psnr"] = psnr(result, truth, unchanged)
    if suite == "turn180":
        turned = touched([frame.boxes_2d[i] for frame in (before, after) for i in changed], width, height)
        if turned.any():
            wanted, opposite = (squared_error(result, other, turned) for other in (truth, source))
            scores["right_way"] = float(wanted < opposite)
    return scores


def _of_regions(scene: Scene, pair: Pair, result: Picture, truth: Picture, learned: LearnedMetrics) -> Scores:
    """Return what a result scores where no photo showed what is there, and at objects' outlines."""
    outlines, unseen = edges(scene, pair), holes(scene, pair)
    scores: Scores = {}
    if outlines.any():
        scores["edges_psnr"] = psnr(result, truth, outlines)
    if unseen is not None and unseen.mean() >= MIN_HOLES_SHARE:
        scores["holes_psnr"] = psnr(result, truth, unseen)
        if learned.perceptual is not None:
            patched = np.where(unseen[..., None], result, truth)
            scores["holes_perceptual"] = learned.perceptual(patched, truth)
    return scores


def changed_objects(scene: Scene, pair: Pair) -> list[int]:
    """Return the objects that change: of an edit its own and those that appear, of other pairs all."""
    if pair.edit is None:
        return list(range(len(scene.labels.objects)))
    before, after = (scene.labels.frames[number].boxes for number in (pair.source, pair.target))
    return [
        i
        for i, (was, now) in enumerate(zip(before, after, strict=True))
        if i == pair.edit.object or (was is None and now is not None)
    ]


def shown_objects(suite: str, scene: Scene, pair: Pair) -> list[int]:
    """Return the objects whose crops are measured, of those that the target shows.

    All where the suite moves the camera, the background or everything; else those that the edit is about.
    """
    after = scene.labels.frames[pair.target]
    if suite in MOVING_SUITES or pair.edit is None:
        about = list(range(len(scene.labels.objects)))
    elif suite == "remove":
        about = []
    else:
        about = changed_objects(scene, pair)
    return [i for i in about if after.visible[i] >= SEEN and _has_area(after.boxes_2d[i])]


def edited_crops(suite: str, scene: Scene, pair: Pair) -> list[tuple[slice, slice]]:
    """Return the rows and columns of what an edit is about: of objects' grown 2D boxes.

    They are those of :func:`shown_objects`; of a removed object, of where it was; none if there is no edit.
    """
    if pair.edit is None:
        return []
    if suite == "remove":
        frame, objects = scene.labels.frames[pair.source], changed_objects(scene, pair)
    else:
        frame, objects = scene.labels.frames[pair.target], shown_objects(suite, scene, pair)
    rectangles = [frame.boxes_2d[i] for i in objects]
    size = scene.labels.width, scene.labels.height
    return [window(grown(rectangle), *size) for rectangle in rectangles if _has_area(rectangle)]


def _likeness(result: Picture, truth: Picture, names: Sequence[str], learned: Compare | None) -> Scores:
    """Return PSNR, SSIM and, where there are any, sharpness and a learned metric under the given names."""
    last = None if learned is None else learned(result, truth)
    values = psnr(result, truth), ssim(result, truth), sharpness(result, truth), last
    return {name: value for name, value in zip(names, values, strict=True) if value is not None}


def _has_area(rectangle: Rectangle) -> bool:
    return rectangle[2] > rectangle[0] and rectangle[3] > rectangle[1]
