"""The suites: what is rendered, and which numbers come of it, scene by scene."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean

import numpy as np
import torch
from PIL import Image

from na_core.data.pairs import SEEN, frame_message, pairs
from na_core.data.scenes import Scene, read_picture
from na_core.evaluation.methods import Checkpoint, Method
from na_core.evaluation.metrics import Picture, grown, outside, psnr, sharpness, ssim, window
from na_core.model.pipeline import NeuralAssetsPipeline, decode, encode, to_bytes
from na_core.scene import Frame

Scores = dict[str, float]

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
"""Real photos that come inside scikit-image's wheel."""

PHOTOGRAPH_SIDE = 256
"""Pixels of the square that photographs are cut and resized to."""

SMALLEST_BACKGROUND = 0.01
"""Share of the picture below which an unchanged background is too small to be measured."""


@dataclass(frozen=True)
class Pair:
    """One picture to render, and the truth.

    Attributes:
        frame: what is asked for.
        photos: by SHA-256, the source picture.
        source: index of the source frame, ``target`` of the target frame.
        truth: (H, W, 3), the target frame's picture.
    """

    frame: Frame
    photos: Mapping[str, Picture]
    source: int
    target: int
    truth: Picture


def scene_pairs(scene: Scene, limit: int | None = None) -> list[Pair]:
    """Return a scene's usable pairs in order: all, or ``limit`` evenly spread ones."""
    order = pairs(scene)
    if limit is not None and len(order) > limit:
        order = [order[i * len(order) // limit] for i in range(limit)]
    pictures = [read_picture(scene.picture_path(i)) for i in range(len(scene.labels.frames))]
    out = []
    for source, target in order:
        frame, paths = frame_message(scene, source, target)
        out.append(Pair(frame, dict.fromkeys(paths, pictures[source]), source, target, pictures[target]))
    return out


def measure_video(method: Method, scene: Scene, pair_limit: int | None = None) -> Scores:
    """Render a scene's pairs and average what they score; empty if the scene has no usable pair.

    ``image_psnr`` is over the whole picture. ``object_psnr``, ``object_ssim`` and ``sharpness`` are over the
    crop of each visible object's target 2D box grown by 10 %: the mean over objects of each crop's own
    PSNR (not the PSNR of a pooled error, so a small object counts as much as a large one).
    ``unchanged_psnr`` is over the pixels outside all grown source and target 2D boxes, in pairs with a still
    camera.
    """
    labels = scene.labels
    chosen = scene_pairs(scene, pair_limit)
    pictures = []
    for pair in chosen:
        pictures += method.render([pair.frame], pair.photos, labels.width, labels.height)
    scored = [_score(scene, pair, picture) for pair, picture in zip(chosen, pictures, strict=True)]
    return mean_scores(scored) | ({"pairs": len(scored)} if scored else {})


def _score(scene: Scene, pair: Pair, result: Picture) -> Scores:
    width, height = scene.labels.width, scene.labels.height
    before, after = scene.labels.frames[pair.source], scene.labels.frames[pair.target]
    crops = []
    for rectangle, visible in zip(after.boxes_2d, after.visible, strict=True):
        rows, columns = window(grown(rectangle), width, height)
        if visible >= SEEN and rows.stop > rows.start and columns.stop > columns.start:
            crops.append(_score_object(result[rows, columns], pair.truth[rows, columns]))
    scores = mean_scores(crops) | {"image_psnr": psnr(result, pair.truth)}
    if before.camera == after.camera:
        still = outside([grown(r) for r in (*before.boxes_2d, *after.boxes_2d)], width, height)
        if still.mean() >= SMALLEST_BACKGROUND:
            scores["unchanged_psnr"] = psnr(result, pair.truth, still)
    return scores


def _score_object(result: Picture, truth: Picture) -> Scores:
    scores = {"object_psnr": psnr(result, truth), "object_ssim": ssim(result, truth)}
    ratio = sharpness(result, truth)
    return scores if ratio is None else scores | {"sharpness": ratio}


def mean_scores(scores: Iterable[Scores]) -> Scores:
    """Return the mean of each metric over the scores that have it."""
    columns: dict[str, list[float]] = {}
    for each in scores:
        for name, value in each.items():
            columns.setdefault(name, []).append(value)
    return {name: fmean(values) for name, values in columns.items()}


def measure_vae(method: Checkpoint, scene: Scene) -> Scores:
    """Return ``image_psnr`` of a scene's pictures through the checkpoint's VAE and back."""
    pictures = [read_picture(scene.picture_path(i)) for i in range(len(scene.labels.frames))]
    return {"image_psnr": fmean(psnr(reconstruct(method.pipeline, p), p) for p in pictures)}


def measure_photographs(method: Checkpoint) -> Scores:
    """Return ``photograph_psnr``: the mean over scikit-image's photos, at 256 x 256 pixels."""
    photographs = [photograph(name) for name in PHOTOGRAPHS]
    return {"photograph_psnr": fmean(psnr(reconstruct(method.pipeline, p), p) for p in photographs)}


@lru_cache(maxsize=len(PHOTOGRAPHS))
def photograph(name: str) -> Picture:
    """Return one of scikit-image's photos: the central square, at 256 x 256 pixels."""
    from skimage import data

    image = Image.fromarray(getattr(data, name)())
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((PHOTOGRAPH_SIDE, PHOTOGRAPH_SIDE), Image.Resampling.LANCZOS))


@torch.no_grad()
def reconstruct(pipeline: NeuralAssetsPipeline, picture: Picture) -> Picture:
    """Return a picture (H, W, 3) encoded and decoded by a pipeline's VAE.

    Sides that are no multiple of a latent's pixels are padded with their edges for it.
    """
    rows, columns = picture.shape[:2]
    pad = [(0, -side % pipeline.factor) for side in (rows, columns)]
    padded = np.pad(picture, (*pad, (0, 0)), mode="edge")
    tensor = torch.as_tensor(padded, device=pipeline.device).permute(2, 0, 1)[None]
    tensor = (tensor.float() / 127.5 - 1).to(pipeline.vae.dtype)
    decoded = decode(pipeline.vae, encode(pipeline.vae, tensor)).float()[0]
    result = to_bytes((decoded / 2 + 0.5).permute(1, 2, 0).cpu().numpy())
    return result[:rows, :columns]
