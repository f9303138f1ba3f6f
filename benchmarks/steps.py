"""Quality against time: the bench at several numbers of steps and guidance scales.

    .venv/bin/python benchmarks/steps.py [--checkpoint mini] [--limit 3] [--out out/steps]

Measures `video`, `translate` and `rotate` with `neural-assets evaluate` (a killed run goes on), prints a
table and writes steps.json beside this file and docs/images/steps.svg: object PSNR over steps, a line for
each guidance scale. Seconds are of the whole frame, from its message to pixels, 256 x 256 and the photo's
own part computed before.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import fmean, median

import numpy as np
from training_curves import Curve, plot

from na_core.data.labels import REQUESTED_KINDS
from na_core.data.pairs import edit_pairs, frame_message
from na_core.data.scenes import scenes
from na_core.evaluation.evaluate import BENCH
from na_core.evaluation.evaluate import main as evaluate
from na_core.model.checkpoints import load_checkpoint
from na_core.scene import Frame, Picture, Sampling

SUITES = ("video", "translate", "rotate")
SETTINGS = [(steps, 1.0) for steps in (1, 2, 4, 8, 16, 50)] + [
    (steps, guidance) for guidance in (2.0, 4.0) for steps in (1, 4)
]
HERE = Path(__file__).parent
PLOT = HERE.parent / "docs" / "images" / "steps.svg"


def measure(checkpoint: str, steps: int, guidance: float, limit: int, out: Path) -> dict[str, float]:
    """Return object PSNR and sharpness at so many steps and that guidance, means over the suites."""
    results = evaluate(
        [checkpoint], SUITES, limit=limit, out=out, steps=steps, guidance=guidance, sheet_rows=0
    )
    suites = json.loads(results.read_text(encoding="utf-8"))["suites"]
    (method,) = {name for name in suites["video"] if name not in ("copy", "proxy")}
    mine = [suites[suite][method] for suite in SUITES]
    return {
        "steps": steps,
        "guidance": guidance,
        "object_psnr": round(fmean(scores["object_psnr"] for scores in mine), 3),
        "sharpness": round(float(np.exp(fmean(np.log(scores["sharpness"]) for scores in mine))), 3),
        "proxy_psnr": round(fmean(suites[suite]["proxy"]["object_psnr"] for suite in SUITES), 3),
    }


def main() -> None:
    """Measure, print and plot."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--checkpoint", default="mini")
    parser.add_argument("--limit", type=int, default=3, help="scenes of each suite")
    parser.add_argument("--out", type=Path, default=Path("out/steps"))
    options = parser.parse_args()
    rows = [
        measure(options.checkpoint, steps, guidance, options.limit, options.out)
        for steps, guidance in SETTINGS
    ]
    for row, seconds in zip(rows, _seconds(options.checkpoint), strict=True):
        row["seconds"] = round(seconds, 3)
    print("| steps | guidance | object PSNR | sharpness | seconds |\n|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['steps']} | {row['guidance']:g} | {row['object_psnr']:.2f} | {row['sharpness']:.2f} "
            f"| {row['seconds']:.2f} |"
        )
    (HERE / "steps.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    guidances = sorted({row["guidance"] for row in rows})
    curves = [
        Curve(
            f"guidance {guidance:g}",
            tuple((row["steps"], row["object_psnr"]) for row in rows if row["guidance"] == guidance),
            rows[0]["proxy_psnr"],
        )
        for guidance in guidances
    ]
    PLOT.write_text(plot(curves, "object PSNR, dB", "steps", (1, 2, 4, 8, 16, 50)), encoding="utf-8")


def fullest_frame() -> tuple[Frame, dict[str, Picture]]:
    """Return the first edit of the bench's scene with the most objects, and its photos by SHA-256."""
    usual = [scene for scene in scenes(BENCH) if scene.labels.clip not in REQUESTED_KINDS]
    edited = [scene for scene in usual if edit_pairs(scene)]
    scene = max(edited, key=lambda scene: len(scene.labels.objects))
    frame, numbers = frame_message(scene, edit_pairs(scene)[0])
    return frame, {sha256: scene.picture(number) for sha256, number in numbers.items()}


def _seconds(checkpoint: str) -> list[float]:
    """Return the median seconds of a frame at each setting, which take turns."""
    pipeline = load_checkpoint(checkpoint)
    frame, photos = fullest_frame()
    taken: list[list[float]] = [[] for _ in SETTINGS]
    pipeline([frame], photos, Sampling())
    for _ in range(3):
        for (steps, guidance), times in zip(SETTINGS, taken, strict=True):
            start = time.perf_counter()
            pipeline([frame], photos, Sampling(steps=steps, guidance=guidance, preset="custom"))
            times.append(time.perf_counter() - start)
    return [median(times) for times in taken]


if __name__ == "__main__":
    main()
