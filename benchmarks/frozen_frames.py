"""Sixty frames that two versions of the code render alike, or differ in for a reason.

    .venv/bin/python benchmarks/frozen_frames.py render out/frozen
    .venv/bin/python benchmarks/frozen_frames.py compare out/frozen.before out/frozen

Four pairs of each suite of the bench and the edits of the photographs, rendered by ``mini`` with the standard
preset, one PNG each. ``compare`` prints the PSNR in dB of each frame that differs and writes the two versions
side by side, with what differs tenfold, to ``SECOND/compared.png``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import photographs
from na_core.data.pairs import frame_message
from na_core.data.scenes import scenes
from na_core.evaluation.evaluate import BENCH
from na_core.evaluation.suite_pairs import PAIR_SUITES, spread, suite_pairs
from na_core.model.checkpoints import load_checkpoint
from na_core.scene import Frame, Picture, Sampling

PAIRS_PER_SUITE = 4
SUITES = tuple(suite for suite in PAIR_SUITES if suite not in ("duplicate", "orbit"))
PHOTOGRAPHS = 60 - PAIRS_PER_SUITE * len(SUITES)

def frozen_frames() -> Iterator[tuple[str, Frame, Mapping[str, Picture], tuple[int, int]]]:
    """Yield each frame's name, message, photos by SHA-256, and width and height in pixels."""
    held_out = list(scenes(BENCH))
    for suite in SUITES:
        pairs = [(scene, pair) for scene in held_out for pair in suite_pairs(suite, scene)]
        for number, (scene, pair) in enumerate(spread(pairs, PAIRS_PER_SUITE)):
            frame, photos = frame_message(scene, pair)
            pictures = {sha256: scene.picture(row) for sha256, row in photos.items()}
            yield f"{suite}_{number}", frame, pictures, (scene.labels.width, scene.labels.height)
    listed = json.loads((Path(photographs.__file__).with_name("photographs.json")).read_text("utf-8"))
    subjects = [photographs.load(item) for item in listed]
    edits = [
        (f"{subject.name}_{title.replace(' ', '_')}", subject, donor, frame)
        for number, subject in enumerate(subjects)
        for donor in [subjects[number - 1]]
        for title, frame in photographs.edits(subject, donor.assets[0]).items()
    ]
    for name, subject, donor, frame in spread(edits, PHOTOGRAPHS):
        pictures = {
            photographs.photo_of(p).sha256: p for p in (subject.picture, subject.other, donor.picture)
        }
        yield name, frame, pictures, subject.size


def render(out: Path) -> None:
    """Render every frame to a PNG in a folder."""
    out.mkdir(parents=True, exist_ok=True)
    pipeline = load_checkpoint("mini")
    for name, frame, photos, (width, height) in frozen_frames():
        sampling = replace(Sampling(), width=width, height=height)
        Image.fromarray(pipeline([frame], photos, sampling).images[0]).save(out / f"{name}.png")


def compare(first: Path, second: Path) -> None:
    """Print how far the frames of two folders are apart, and show those that differ."""
    rows = []
    for path in sorted(first.glob("*.png")):
        before, after = (np.asarray(Image.open(folder / path.name)) for folder in (first, second))
        error = after.astype(float) - before
        if not error.any():
            continue
        decibels = 10 * np.log10(255**2 / np.square(error).mean())
        print(f"{path.stem:40} {decibels:5.1f} dB, largest difference {np.abs(error).max():.0f}")
        difference = np.clip(128 + 10 * error, 0, 255).astype(np.uint8)
        row = np.concatenate([before, after, difference], axis=1)
        rows.append(Image.fromarray(row).resize((768, round(768 * row.shape[0] / row.shape[1]))))
    if rows:
        sheet = Image.new("RGB", (768, sum(row.height for row in rows)))
        top = 0
        for row in rows:
            sheet.paste(row, (0, top))
            top += row.height
        sheet.save(second / "compared.png")
    print(f"{len(rows)} frames differ")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["render", folder]:
            render(Path(folder))
        case ["compare", before, after]:
            compare(Path(before), Path(after))
        case _:
            sys.exit(__doc__)
