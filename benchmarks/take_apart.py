"""Seconds and memory of taking a photo with four boxes apart, layer by layer's sum, at several sizes.

    .venv/bin/python benchmarks/take_apart.py

The demo's photo, enlarged smoothly, in a process of its own for each size, with `mini`. Writes ``take_apart``
into results.json beside this file: seconds (the better of two) and the process's memory at its largest,
above what it had with the checkpoint loaded, in MiB.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image

from na_core.layers.take_apart import take_apart
from na_core.model.checkpoints import load_checkpoint
from na_core.scene import Box, Camera
from na_core.tensors.views import SourceView, views_as_tensors

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).with_name("results.json")
SIZES = ((256, 256), (1024, 1024), (1920, 1080), (4000, 3000))
BOXES = 4


def measure(width: int, height: int) -> dict[str, float]:
    """Take the photo apart twice at a size; return the figures."""
    subject = json.loads((ROOT / "demo" / "tabletop.json").read_text(encoding="utf-8"))
    picture = np.asarray(Image.open(ROOT / "demo" / subject["photo"]).convert("RGB"))
    photo = cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)
    assets = subject["assets"][:BOXES]
    view = SourceView(
        "",
        Camera.from_dict(subject["camera"]),
        tuple(Box(np.array(asset["world_from_box"])) for asset in assets),
        tuple(tuple(asset["rectangle"]) for asset in assets),
        BOXES,
    )
    how = load_checkpoint("mini").taking_apart
    before, seconds = _memory(), []
    for _ in range(2):
        start = time.perf_counter()
        take_apart(views_as_tensors([view], torch.from_numpy(photo)[None]), how)
        seconds.append(time.perf_counter() - start)
    return {"seconds": round(min(seconds), 2), "mib": round(_memory() - before)}


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure one size, given as two arguments; or all of them, and write the results."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(*map(int, sys.argv[1:]))))
        return
    table = {}
    for width, height in SIZES:
        done = subprocess.run(
            [sys.executable, __file__, str(width), str(height)], check=True, capture_output=True, text=True
        )
        table[f"{width} x {height}"] = json.loads(done.stdout.splitlines()[-1])
        print(width, height, table[f"{width} x {height}"], flush=True)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(results | {"take_apart": table}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
