"""Detecting the objects of one photo: seconds, and how long Blender's main thread is held.

    .venv/bin/python benchmarks/detection.py

A held-out photo, 256 x 256, and the same enlarged to 12 megapixels; a real worker that is up already. Writes
into results.json beside this file: ``detection_seconds`` (median, from the button to assets),
``detection_held_ms`` (the longest time that the main thread did not come round while it waited, which is what
makes a window stutter), ``detection_start_ms`` and ``detection_apply_ms`` (before and after), and the same of
the large photo with ``large_`` in front.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

os.environ.setdefault("NEURAL_ASSETS_WORKER_PYTHON", sys.executable)
os.environ["BLENDER_USER_RESOURCES"] = tempfile.mkdtemp(prefix="neural-assets-bench-")
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import bpy  # noqa: E402 (reads the environment above)
from PIL import Image  # noqa: E402

import blender_addon  # noqa: E402
from blender_addon import api  # noqa: E402
from blender_addon.detection.apply import apply_detection  # noqa: E402
from blender_addon.detection.detect import start_detection  # noqa: E402
from na_core.data.scenes import scenes  # noqa: E402
from na_core.evaluation.evaluate import BENCH  # noqa: E402

ROUNDS = 7
TICK_SECONDS = 0.005
LARGE = (4000, 3000)
RESULTS = Path(__file__).with_name("results.json")


def measure(photo: Path) -> dict[str, float]:
    """Return the figures of one photo; the first round, which loads the detector, is not counted."""
    totals, starts, held, applies = [], [], [], []
    for number in range(ROUNDS + 1):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        api.import_photo(photo)
        scene = bpy.context.scene
        begun = time.perf_counter()
        task = start_detection(scene)
        started = time.perf_counter()
        longest, now = 0.0, started
        while task.is_running():
            time.sleep(TICK_SECONDS)
            before, now = now, time.perf_counter()
            longest = max(longest, now - before - TICK_SECONDS)
        waited = time.perf_counter()
        apply_detection(scene, task.result())
        ended = time.perf_counter()
        if number:
            totals.append(ended - begun)
            starts.append(1000 * (started - begun))
            held.append(1000 * longest)
            applies.append(1000 * (ended - waited))
    return {
        "detection_seconds": round(median(totals), 3),
        "detection_start_ms": round(max(starts), 1),
        "detection_held_ms": round(max(held), 1),
        "detection_apply_ms": round(max(applies), 1),
    }


def main() -> None:
    """Measure both photos and merge into results.json."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender_addon.register()
    api.start_worker()
    figures = {}
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small.png", Path(folder) / "large.jpg"
        small.write_bytes(next(iter(scenes(BENCH))).picture_bytes(0))
        Image.open(small).convert("RGB").resize(LARGE).save(large)
        figures |= measure(small)
        figures |= {f"large_{name}": value for name, value in measure(large).items()}
    api.stop_worker()
    print(figures)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(results | figures, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    blender_addon.unregister()


if __name__ == "__main__":
    main()
    sys.stdout.flush()
    os._exit(0)  # some bpy wheels hang at exit after rendering
