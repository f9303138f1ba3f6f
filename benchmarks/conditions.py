"""How much faster training's conditions are computed for a batch than frame by frame in numpy.

    .venv/bin/python benchmarks/conditions.py

Computes the conditions of :data:`FRAMES` frames of :data:`SIZE` squared pixels with :data:`ASSETS` assets: by
``na_core.model.conditioning.conditions`` one after the other, and by ``na_core.model.batched`` together, by
turns in one process. Counts processor time, so neither gains by more cores; of both the fastest run counts,
the one that other work on the machine disturbed least. Where there is a GPU, it is timed as well, by the
clock. Prints milliseconds per frame and their ratio.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from na_core.geometry.boxes import bounds_2d, box_matrix, source_quarter_turns
from na_core.geometry.camera import camera_of_photo
from na_core.model import conditioning
from na_core.model.batched.conditioning import Conditions, conditions
from na_core.model.batched.frames import FrameBatch, frame_batch
from na_core.scene import Asset, Background, Box, Frame, Photo, PlacedAsset

FRAMES = 16
ASSETS = 8
SIZE = 256
FACTOR = 8
RUNS = 5


def _frame(rng: np.random.Generator, photo: Photo) -> Frame:
    """Return a frame in which everything has moved, the camera too."""
    source = camera_of_photo(1.2 * SIZE, SIZE, SIZE, 1.5, 0.3)
    camera = camera_of_photo(1.2 * SIZE, SIZE, SIZE, rng.uniform(1.3, 1.9), rng.uniform(0.2, 0.4))
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


def _photo(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Paint waves of all directions."""
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    waves = [np.sin(rng.uniform(-30, 30) * x + rng.uniform(-30, 30) * y) for _ in range(3)]
    return np.rint(127.5 + 127.5 * np.stack(waves, axis=-1)).astype(np.uint8)


def _one_by_one(
    frames: list[Frame], pictures: Mapping[str, NDArray[np.float32]]
) -> list[conditioning.Conditions]:
    return [
        conditioning.conditions(frame, pictures, SIZE, SIZE, factor=FACTOR, guided=True) for frame in frames
    ]


def _check(expected: list[conditioning.Conditions], found: Conditions) -> None:
    """Raise unless both give the same pictures and box maps."""
    pictures = np.stack([c.proxy.picture for c in expected]).transpose(0, 3, 1, 2)
    maps = np.stack([c.map_channels for c in expected])
    pairs = ((found.proxy.picture, pictures), (found.map_channels, maps))
    apart = max(float(np.abs(ours.numpy() - theirs).mean()) for ours, theirs in pairs)
    if apart > 1 / 255:
        raise RuntimeError(f"the two disagree by {apart:.1e}: their times mean nothing")


def _on_gpu(batch: FrameBatch) -> float:
    """Return the seconds of a batch on the GPU, the fastest of several."""
    there, elapsed = batch.to("cuda"), []
    for _ in range(2 * RUNS):
        torch.cuda.synchronize()
        start = time.perf_counter()
        conditions(there, factor=FACTOR, guided=True)
        torch.cuda.synchronize()
        elapsed.append(time.perf_counter() - start)
    return min(elapsed)


def measure() -> float:
    """Measure, check that both agree, print and return the ratio."""
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    photos = {f"{number:064x}": _photo(rng) for number in range(FRAMES)}
    frames = [_frame(rng, Photo(name)) for name in photos]
    pictures = {name: photo.astype(np.float32) / 255 for name, photo in photos.items()}
    numbers = {name: number for number, name in enumerate(photos)}
    batch = frame_batch(frames, numbers, torch.from_numpy(np.stack(list(photos.values()))))
    _check(_one_by_one(frames, pictures), conditions(batch, factor=FACTOR, guided=True))
    apart, together = [], []
    for _ in range(RUNS):
        start = time.process_time()
        _one_by_one(frames, pictures)
        middle = time.process_time()
        conditions(batch, factor=FACTOR, guided=True)
        apart.append(middle - start)
        together.append(time.process_time() - middle)
    ratio = min(apart) / min(together)
    numpy_ms, batched_ms = (1000 * min(seconds) / FRAMES for seconds in (apart, together))
    print(
        f"conditions of {FRAMES} frames of {SIZE} x {SIZE} with {ASSETS} assets: numpy {numpy_ms:.1f} ms, "
        f"batched {batched_ms:.1f} ms a frame, ratio {ratio:.1f} (processor time, fastest of {RUNS})"
    )
    if torch.cuda.is_available():
        print(f"on {torch.cuda.get_device_name()}: {1000 * _on_gpu(batch) / FRAMES:.2f} ms a frame")
    return ratio


if __name__ == "__main__":
    measure()
