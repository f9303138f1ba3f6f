"""What photographs are taken apart into, and a frame with one object moved: a sheet for each.

    .venv/bin/python benchmarks/layers.py

The photographs come with scikit-image; boxes are by hand (photographs.json beside this file). Writes the
sheets of ``docs/layers.md``: the photo with its boxes, outlines (tinted by their alpha), plate, shadow and
the moved frame.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import torch
from photographs import HERE, Subject, boxed, load, moved, photo_of
from pictures import IMAGES, save_for_docs
from PIL import Image

from na_core.data.contact_sheet import laid_out
from na_core.layers.take_apart import take_apart
from na_core.model.checkpoints import load_checkpoint
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.scene import Picture, Sampling
from na_core.tensors.views import source_views, views_as_tensors

TINTS = np.array([(255, 60, 60), (60, 220, 60), (70, 110, 255), (250, 220, 0)])
HEIGHT = 320
"""Of a tile in pixels."""


def tiles(pipeline: NeuralAssetsPipeline, subject: Subject) -> list[Image.Image]:
    """Return the pictures of a subject, in the order of its sheet."""
    frame = subject.frame(moved(subject.assets[0].source_box, subject.move))
    picture = torch.tensor(subject.picture)[None]
    layers = take_apart(views_as_tensors(source_views(frame), picture), pipeline.taking_apart)
    owner = layers.owner[0].numpy()
    alpha = layers.alpha[0].numpy()[..., None] / 255
    shadow = layers.shadow[0].float().exp().clamp(0, 1)
    tinted = subject.picture * (1 - 0.6 * alpha) + TINTS[np.maximum(owner, 0) % len(TINTS)] * 0.6 * alpha
    height, width = subject.picture.shape[:2]
    sampling = replace(Sampling(), width=width, height=height)
    rendered = pipeline([frame], {photo_of(subject.picture).sha256: subject.picture}, sampling).images[0]
    pictures: list[Picture] = [
        np.asarray(boxed(subject, subject.picture)),
        tinted.astype(np.uint8),
        layers.plate[0].numpy(),
        (shadow * 255).round().to(torch.uint8).numpy(),
        rendered,
    ]
    size = (round(width * HEIGHT / height), HEIGHT)
    return [Image.fromarray(each).resize(size, Image.Resampling.LANCZOS) for each in pictures]


def main() -> None:
    """Write the sheets."""
    pipeline = load_checkpoint("mini")
    for item in json.loads((HERE / "photographs.json").read_text(encoding="utf-8")):
        sheet = laid_out([tiles(pipeline, load(item))])
        save_for_docs(sheet, IMAGES / f"layers-{item['photograph']}.webp", 1600)
        print(item["photograph"], flush=True)


if __name__ == "__main__":
    main()
