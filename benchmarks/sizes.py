"""Seconds of first and next frames by size, the worker's memory, and how alike the sizes look.

    .venv/bin/python benchmarks/sizes.py

The demo's table with six assets at 256 x 256, 1024 x 1024 and 1920 x 1080: the first frame takes the photo
apart, the next have other boxes. And the photograph of a cup at four sizes, each scaled down to 384 x 256 by
area: PSNR in dB of the two that are least alike, of ``mini`` (``mini_db``) and as proxies (``proxy_db``), and
the least intersection over union of the objects' outlines (``outline_iou``). Writes ``sizes`` into
results.json beside this file. Times are by the clock: run it on an idle machine.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from na_core.threads import wait_passively  # noqa: E402

wait_passively()  # as every command does, before torch is imported

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from PIL import Image  # noqa: E402
from skimage import data  # noqa: E402

from na_core.compose.compose import compose  # noqa: E402
from na_core.geometry.boxes import box_matrix  # noqa: E402
from na_core.geometry.camera import assumed_focal, camera_of_photo  # noqa: E402
from na_core.geometry.lifting import box_from_rectangle  # noqa: E402
from na_core.model.checkpoints import load_checkpoint  # noqa: E402
from na_core.model.pipeline import NeuralAssetsPipeline  # noqa: E402
from na_core.model.working_size import photo_side  # noqa: E402
from na_core.scene import Asset, Background, Box, Camera, Frame, Photo, Picture, PlacedAsset, Sampling  # noqa: E402
from na_core.tensors.frames import frame_batch  # noqa: E402
from na_core.tensors.views import source_views  # noqa: E402
from server.inference import peak_resident_mib  # noqa: E402

TIMED = ((256, 256), (1024, 1024), (1920, 1080))
COMPARED = ((384, 256), (768, 512), (1536, 1024), (1920, 1280))
NEXT_FRAMES = 5
RESULTS = Path(__file__).with_name("results.json")


def table_frame(step: int = 0) -> tuple[Frame, Picture]:
    """Return the demo's table: its five assets and a copy of one, each a little further on, and the photo."""
    side_file = json.loads((ROOT / "demo" / "tabletop.json").read_text(encoding="utf-8"))
    picture = np.asarray(Image.open(ROOT / "demo" / side_file["photo"]).convert("RGB"))
    camera, photo = Camera.from_dict(side_file["camera"]), Photo("7ab1e".zfill(64))
    assets = [
        Asset(item["name"], photo, Box(np.array(item["world_from_box"])), camera, tuple(item["rectangle"]))
        for item in side_file["assets"]
    ]
    hidden = tuple(asset.source_box for asset in assets)
    moves = [(0.004 * step * (i % 6 - 2.5), 0.0, 0.0) for i in range(6)]
    moves[5] = (moves[5][0] - 0.2, 0.0, 0.0)
    placed = tuple(
        PlacedAsset(asset, moved(asset.source_box, move))
        for asset, move in zip([*assets, assets[0]], moves, strict=True)
    )
    return Frame(camera, placed, Background(photo, camera, hidden)), picture


def coffee_frame() -> tuple[Frame, Picture]:
    """Return the photograph of a cup of coffee, which has moved over its table, and the photo."""
    side_file = json.loads((ROOT / "demo" / "coffee.json").read_text(encoding="utf-8"))
    picture = np.asarray(data.coffee())
    height, width = picture.shape[:2]
    camera = camera_of_photo(
        assumed_focal(width, height),
        width,
        height,
        side_file["camera"]["height"],
        math.radians(side_file["camera"]["pitch_degrees"]),
    )
    photo = Photo("c0ffee".zfill(64))
    assets = [
        Asset(
            item["name"],
            photo,
            box_from_rectangle(camera, item["rectangle"], yaw=None, depth_ratio=0.7),
            camera,
            tuple(item["rectangle"]),
        )
        for item in side_file["assets"]
    ]
    hidden = tuple(asset.source_box for asset in assets)
    placed = tuple(
        PlacedAsset(asset, moved(asset.source_box, move))
        for asset, move in zip(assets, ((0.09, 0.03, 0.0),), strict=True)
    )
    return Frame(camera, placed, Background(photo, camera, hidden)), picture


def moved(box: Box, by: tuple[float, float, float]) -> Box:
    """Return a box moved by metres."""
    return Box(box_matrix(by, (1, 1, 1)) @ box.world_from_box)


def times(pipeline: NeuralAssetsPipeline) -> dict[str, dict[str, float]]:
    """Return the seconds of first and next frames by size, and of the next as proxies (``composing``)."""
    found = {}
    for width, height in TIMED:
        pipeline.clear_cache()
        sampling = replace(Sampling(), width=width, height=height)
        seconds, proxies = (
            [_seconds(pipeline, step, each) for step in range(NEXT_FRAMES + 1)]
            for each in (sampling, replace(sampling, steps=0, preset="custom"))
        )
        found[f"{width}x{height}"] = {
            "first": round(seconds[0], 2),
            "next": round(median(seconds[1:]), 3),
            "composing": round(median(proxies[1:]), 3),
        }
        print(width, height, found[f"{width}x{height}"], flush=True)
    return found


def _seconds(pipeline: NeuralAssetsPipeline, step: int, sampling: Sampling) -> float:
    """Return what a frame of the table takes."""
    frame, picture = table_frame(step)
    start = time.perf_counter()
    pipeline([frame], {frame.background.photo.sha256: picture}, sampling)
    return time.perf_counter() - start


def likeness(pipeline: NeuralAssetsPipeline) -> dict[str, float]:
    """Return how alike the photograph of a cup looks at all sizes."""
    frame, picture = coffee_frame()
    photos = {frame.background.photo.sha256: picture}
    least: dict[str, float] = {}
    for name, steps in (("proxy_db", 0), ("mini_db", 1)):
        scaled = []
        for width, height in COMPARED:
            sampling = Sampling(steps=steps, preset="custom", width=width, height=height)
            image = Image.fromarray(pipeline([frame], photos, sampling).images[0])
            scaled.append(np.asarray(image.resize(COMPARED[0], Image.Resampling.BOX)).astype(float))
        least[name] = min(psnr(a - b) for a, b in itertools.combinations(scaled, 2))
    outlines = [outline(pipeline, frame, picture, *size) for size in COMPARED]
    least["outline_iou"] = min(
        float((a & b).sum() / (a | b).sum()) for a, b in itertools.combinations(outlines, 2)
    )
    return {name: round(value, 3) for name, value in least.items()}


def outline(
    pipeline: NeuralAssetsPipeline, frame: Frame, picture: Picture, width: int, height: int
) -> NDArray[np.bool_]:
    """Return where a frame of some size shows assets, at the smallest size."""
    views = source_views(frame)
    photos = {views[0].sha256: picture}
    side = photo_side(frame, *picture.shape[1::-1], width, height)
    layers = pipeline.layers.sampled(views, photos, side, pipeline.taking_apart, pipeline.device)
    shown = compose(layers, frame_batch([frame]), width, height).index[0] >= 0
    mask = Image.fromarray((shown.numpy() * 255).astype(np.uint8)).resize(COMPARED[0], Image.Resampling.BOX)
    return np.asarray(mask) >= 128


def psnr(error: NDArray[np.float64]) -> float:
    """Return the PSNR in dB of errors in levels."""
    return 10 * math.log10(255**2 / max(float(np.square(error).mean()), 1e-9))


def main() -> None:
    """Measure and merge into results.json."""
    pipeline = load_checkpoint("mini")
    measured = {"seconds": times(pipeline), "worker_peak_mib": peak_resident_mib(), **likeness(pipeline)}
    print(measured)
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    RESULTS.write_text(
        json.dumps(results | {"sizes": measured}, indent=2, sort_keys=True) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
