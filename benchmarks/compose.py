"""What composing frames takes: as training does it, many small ones at once, and as rendering does it.

    .venv/bin/python benchmarks/compose.py

Composes the frames of :data:`CASES`, each with :data:`ASSETS` assets that have all moved, seen by a camera
that has moved too. The photos are taken apart beforehand, at the scale of the frames. Prints milliseconds a
frame in processor time on one thread; the fastest run counts, the one that other work disturbed least. Where
there is a GPU, it is timed as well, by the clock. Writes ``compose`` into results.json beside this file.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from na_core.compose.compose import compose
from na_core.geometry.boxes import bounds_2d, box_matrix, source_quarter_turns
from na_core.geometry.camera import camera_of_photo
from na_core.layers.layers import Layers
from na_core.layers.take_apart import take_apart
from na_core.scene import Asset, Background, Box, Frame, Photo, PlacedAsset
from na_core.tensors.frames import FrameBatch, frame_batch
from na_core.tensors.views import source_views, views_as_tensors

ASSETS = 8
RUNS = 7
CASES = ((16, 256, 256), (1, 256, 256), (1, 1024, 1024), (1, 1920, 1080))
"""Frames at once, their width and their height in pixels."""

RESULTS = Path(__file__).with_name("results.json")


def _frame(rng: np.random.Generator, photo: Photo, width: int, height: int) -> Frame:
    """Return a frame in which everything has moved, the camera too."""
    focal = 1.2 * max(width, height)
    source = camera_of_photo(focal, width, height, 1.5, 0.3)
    camera = camera_of_photo(focal, width, height, rng.uniform(1.3, 1.9), rng.uniform(0.2, 0.4))
    placed = []
    for number in range(ASSETS):
        dimensions = rng.uniform(0.3, 1, 3)
        before, after = (
            Box(box_matrix((rng.uniform(-1.6, 1.6), rng.uniform(3, 6), 0.4), dimensions, rng.uniform(-3, 3)))
            for _ in range(2)
        )
        turns = source_quarter_turns(before, source)
        asset = Asset(f"asset {number}", photo, before, source, bounds_2d(source, before), turns)
        placed.append(PlacedAsset(asset, after))
    hidden = tuple(p.asset.source_box for p in placed)
    return Frame(camera, tuple(placed), Background(photo, source, hidden))


def _photo(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """Paint waves of all directions."""
    y, x = np.mgrid[:height, :width] / max(width, height)
    waves = [np.sin(rng.uniform(-30, 30) * x + rng.uniform(-30, 30) * y) for _ in range(3)]
    return np.rint(127.5 + 127.5 * np.stack(waves, axis=-1)).astype(np.uint8)


def scene(count: int, width: int, height: int) -> tuple[Layers, FrameBatch]:
    """Return frames, each of a photo of its own, and the layers of the photos."""
    rng = np.random.default_rng(0)
    frames = [_frame(rng, Photo(f"{number:064x}"), width, height) for number in range(count)]
    views = [source_views(frame)[0] for frame in frames]
    pictures = np.stack([_photo(rng, width, height) for _ in frames])
    layers = take_apart(views_as_tensors(views, torch.from_numpy(pictures)))
    return layers, frame_batch(frames)


def measure(count: int, width: int, height: int) -> dict[str, float]:
    """Return the milliseconds a frame that composing so many of a size at once takes, by device."""
    layers, frames = scene(count, width, height)
    elapsed = []
    for _ in range(RUNS):
        start = time.process_time()
        compose(layers, frames, width, height)
        elapsed.append(time.process_time() - start)
    times = {"cpu": 1000 / count * min(elapsed)}
    if torch.cuda.is_available():
        times["gpu"] = 1000 / count * _on_gpu(layers, frames, width, height)
    return {device: round(milliseconds, 2) for device, milliseconds in times.items()}


def _on_gpu(layers: Layers, frames: FrameBatch, width: int, height: int) -> float:
    """Return the seconds of a batch on the GPU, the fastest of several."""
    layers, frames = layers.to("cuda"), frames.to("cuda")
    elapsed = []
    for _ in range(2 * RUNS):
        torch.cuda.synchronize()
        start = time.perf_counter()
        compose(layers, frames, width, height)
        torch.cuda.synchronize()
        elapsed.append(time.perf_counter() - start)
    return min(elapsed)


def main() -> None:
    """Measure every case and merge it into results.json."""
    torch.set_num_threads(1)
    measured = {f"{count}x{width}x{height}": measure(count, width, height) for count, width, height in CASES}
    print(f"{ASSETS} assets, ms a frame:", measured)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    results["compose"] = measured
    RESULTS.write_text(json.dumps(results, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
