"""Decoders on the same held-out pairs, from the same layers: a quick look where `evaluate` takes an hour.

    .venv/bin/python benchmarks/decoders.py proxy=mini:0 mini=mini pixels=runs/NAME/checkpoint

Each is NAME=CHECKPOINT, or NAME=CHECKPOINT:STEPS; 0 steps are the proxy of its layers. Photos are taken apart
once, as the first checkpoint does it. Prints the means over the embedded bench's pairs (metrics as
`evaluate` has them), and writes a sheet: source, target, and each picture.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from na_core.data.pairs import Pair
from na_core.data.scenes import Scene, scenes
from na_core.evaluation.evaluate import BENCH
from na_core.evaluation.learned import load_learned
from na_core.evaluation.methods import Rendered, SceneRenderer
from na_core.evaluation.scores import Scores, mean_scores
from na_core.evaluation.scoring import score
from na_core.model.checkpoints import load_checkpoint
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.scene import Picture, Sampling
from na_core.training.validation import held_out_pairs

SHOWN = (
    "object_psnr",
    "holes_psnr",
    "holes_perceptual",
    "edges_psnr",
    "perceptual",
    "sharpness",
    "image_psnr",
    "unchanged_psnr",
    "vacated_psnr",
)
"""Metrics that are printed."""

SHEET_ROWS = 14


def decoders(words: Sequence[str], device: str = "cpu") -> list[Rendered]:
    """Return what the command line names, on a device, with the first one's layers."""
    found: list[Rendered] = []
    first: NeuralAssetsPipeline | None = None
    for word in words:
        name, _, place = word.partition("=")
        checkpoint, _, steps = place.partition(":")
        pipeline = load_checkpoint(checkpoint, device)
        first = first or pipeline
        pipeline.register_modules(photo_network=first.photo_network)
        pipeline.register_to_config(plate_texture=first.config.plate_texture)
        pipeline.layers = first.layers
        found.append(Rendered(name, word, pipeline, Sampling(int(steps or 1), 1.0, preset="custom")))
    return found


@torch.no_grad()
def measured(
    methods: Sequence[Rendered], pairs: Sequence[tuple[Scene, Pair]]
) -> tuple[dict[str, Scores], list[Picture]]:
    """Measure methods on pairs.

    Returns:
        The mean scores of each method by its name; and for each pair a row of a sheet: source, target, and
        the methods' pictures.
    """
    learned = load_learned()
    scores: dict[str, list[Scores]] = defaultdict(list)
    rows = []
    for scene, pair in pairs:
        renderer, suite = SceneRenderer(scene), "video" if pair.edit is None else pair.edit.kind
        row = [scene.picture(pair.source), scene.picture(pair.target)]
        for method in methods:
            picture = renderer.render(method, 0, pair)
            scores[method.name].append(score(suite, scene, pair, picture, row[0], row[1], learned))
            row.append(picture)
        rows.append(np.concatenate(row, axis=1))
    return {name: mean_scores(each) for name, each in scores.items()}, rows


def table(means: Mapping[str, Scores]) -> str:
    """Return the mean scores of methods as Markdown, a line for each metric that all of them have."""
    lines = [f"| metric | {' | '.join(means)} |", "|---|" + "---|" * len(means)]
    for metric in SHOWN:
        if all(metric in each for each in means.values()):
            lines.append(f"| {metric} | {' | '.join(f'{each[metric]:.3f}' for each in means.values())} |")
    return "\n".join(lines)


def write_rows(rows: Sequence[Picture], file: Path) -> None:
    """Write the first rows of a sheet."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(rows[:SHEET_ROWS])).save(file)


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("decoders", nargs="+", metavar="NAME=CHECKPOINT[:STEPS]")
    parser.add_argument("--pairs", type=int, default=54)
    parser.add_argument("--scenes", type=Path, default=BENCH)
    parser.add_argument("--out", type=Path, default=Path("out/decoders.png"))
    options = parser.parse_args()
    pairs = held_out_pairs(list(scenes(options.scenes)), options.pairs)
    means, rows = measured(decoders(options.decoders), pairs)
    print(table(means))
    write_rows(rows, options.out)


if __name__ == "__main__":
    main()
