"""What photographs are taken apart into, and a frame with one object moved: a sheet for each.

    .venv/bin/python benchmarks/layers.py --tiles out/layers                 # pictures of this code
    .venv/bin/python benchmarks/layers.py --tiles out/layers --before out/before

The photographs come with scikit-image; boxes are by hand (photographs.json beside this file). ``--tiles``
writes single pictures: the photo with its boxes, outlines (tinted by their alpha), plate, shadow and the
moved frame. With ``--before``, the tiles of another version of the code, the sheets of ``docs/layers.md``
show both, that one's above. Another version runs this file with its tree in PYTHONPATH.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

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

TILES = ("photo", "outlines", "plate", "shadow", "moved")
TINTS = np.array([(255, 60, 60), (60, 220, 60), (70, 110, 255), (250, 220, 0)])
HEIGHT = 320
"""Of a tile in pixels."""


def tiles(pipeline: NeuralAssetsPipeline, subject: Subject) -> dict[str, Image.Image]:
    """Return the pictures of a subject, by name."""
    frame = subject.frame(moved(subject.assets[0].source_box, subject.move))
    picture = torch.tensor(subject.picture)[None]
    layers = take_apart(views_as_tensors(source_views(frame), picture), pipeline.taking_apart)
    owner = layers.owner[0].numpy()
    # Earlier versions have neither alpha nor shadows.
    alpha = getattr(layers, "alpha", (layers.owner >= 0) * 255)[0].numpy()[..., None] / 255
    shadow = getattr(layers, "shadow", torch.zeros(1, *picture.shape[1:]))[0].float().exp().clamp(0, 1)
    tinted = subject.picture * (1 - 0.6 * alpha) + TINTS[np.maximum(owner, 0) % len(TINTS)] * 0.6 * alpha
    height, width = subject.picture.shape[:2]
    sampling = replace(Sampling(), width=width, height=height)
    rendered = pipeline([frame], {photo_of(subject.picture).sha256: subject.picture}, sampling).images[0]
    pictures: dict[str, Picture] = {
        "photo": np.asarray(boxed(subject, subject.picture)),
        "outlines": tinted.astype(np.uint8),
        "plate": layers.plate[0].numpy(),
        "shadow": (shadow * 255).round().to(torch.uint8).numpy(),
        "moved": rendered,
    }
    size = (round(width * HEIGHT / height), HEIGHT)
    return {n: Image.fromarray(p).resize(size, Image.Resampling.LANCZOS) for n, p in pictures.items()}


def main() -> None:
    """Write the tiles, and the sheets where others are given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--tiles", type=Path, required=True, metavar="DIR", help="where tiles are written")
    parser.add_argument("--before", type=Path, metavar="DIR", help="tiles of another version")
    parser.add_argument("--checkpoint", default="mini", metavar="DIR")
    options = parser.parse_args()
    pipeline = load_checkpoint(options.checkpoint)
    for item in json.loads((HERE / "photographs.json").read_text(encoding="utf-8")):
        found = tiles(pipeline, load(item))
        folder = options.tiles / item["photograph"]
        folder.mkdir(parents=True, exist_ok=True)
        for name, image in found.items():
            image.save(folder / f"{name}.png")
        print(folder, flush=True)
        if options.before:
            other = [Image.open(options.before / item["photograph"] / f"{name}.png") for name in TILES]
            sheet = laid_out([other, [found[name] for name in TILES]])
            save_for_docs(sheet, IMAGES / f"layers-{item['photograph']}.webp", 1600)


if __name__ == "__main__":
    main()
