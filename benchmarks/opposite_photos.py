"""What a second photo, of the other side, is worth: objects that turn, from one photo and from two.

    neural-assets dataset render --out data/circles --split test --clip rotate --scenes 10 --seed 7200 \
        --frames 12 --samples 8 --no-depth --no-plates --without 0
    neural-assets dataset meshes data/circles/test --out data/circles/meshes
    python benchmarks/opposite_photos.py data/circles/test --meshes data/circles/meshes

In such a scene one object turns by 30 degrees a frame. Frame 0 is the photo, frame 6 the second one; the
frames around it look at the side that frame 0 does not show. Object PSNR is over the object's pixels in them:
all, and those that show what frame 0 did not. Methods: the relief that the photos tell; the true mesh, grey
all over; the true mesh in its own colours.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from tqdm import tqdm

from na_core.data.pairs import Pair, frame_message
from na_core.data.scenes import Scene, scenes
from na_core.evaluation.true_meshes import SceneMeshes, read_meshes, with_meshes
from na_core.geometry.boxes import bounds_2d
from na_core.model.checkpoints import load_checkpoint
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.scene import AssetView, Frame, Photo, Picture, Sampling

SECOND, TARGETS = 6, (4, 5, 7, 8)
"""Number of the second photo, and of the frames that are rendered: 30 and 60 degrees from it."""

FEWEST = 40
"""Pixels of an object below which a frame is left out."""

SHEET = 7
"""Number of the frame that the sheet shows."""

CELL, MARGIN, HEADING = 200, 1.12, 22
"""Pixels of a picture on the sheet, how much of what is around the object it shows, and of the line above."""

COLUMNS = (
    *("photo", "second photo", "truth", "relief", "relief, both"),
    *("grey mesh", "grey mesh, both", "mesh, both"),
)

SHOWN = 0.8
"""Share of the object that both photos show at least: what something hides in one is not its other side."""


def second_view(scene: Scene, name: str) -> AssetView | None:
    """Return how the second photo shows an object."""
    frame = scene.labels.frames[SECOND]
    number = [label.name for label in scene.labels.objects].index(name)
    box = frame.boxes[number]
    if box is None:
        return None
    photo = Photo(hashlib.sha256(scene.picture_bytes(SECOND)).hexdigest())
    return AssetView(
        photo,
        box,
        frame.camera,
        frame.boxes_2d[number] if frame.visible[number] else bounds_2d(frame.camera, box),
    )


def with_second_photo(frame: Frame, scene: Scene) -> Frame:
    """Return a frame whose assets are seen in the second photo, too."""
    assets = []
    for placed in frame.assets:
        view = second_view(scene, placed.asset.name)
        asset = placed.asset if view is None else replace(placed.asset, views=(view,))
        assets.append(replace(placed, asset=asset))
    return replace(frame, assets=tuple(assets))


def grey(meshes: SceneMeshes) -> SceneMeshes:
    """Return meshes without materials."""
    return replace(meshes, meshes={name: replace(mesh, materials=()) for name, mesh in meshes.meshes.items()})


def psnr(errors: NDArray[np.float64]) -> float:
    """Return the PSNR of squared errors of levels from 0 to 255."""
    return float(10 * np.log10(255**2 / max(errors.mean(), 1e-9)))


def measured(
    pipeline: NeuralAssetsPipeline, scene: Scene, meshes: SceneMeshes, rows: list[NDArray[np.uint8]]
) -> dict[str, list[tuple[float, float]]]:
    """Return the object PSNR of each method in each frame, over all pixels and those not seen at first."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    (turning,) = {edit.object for edit in scene.labels.edits}
    assert turning is not None
    if min(scene.labels.frames[n].visible[turning] for n in (0, SECOND)) < SHOWN:
        return {}
    name = scene.labels.objects[turning].name
    second = scene.picture(SECOND)
    row = [scene.picture(0), second, scene.picture(SHEET)]
    for number in TARGETS:
        message, photos = frame_message(scene, Pair(0, number, 0))
        pictures: dict[str, Picture] = {sha256: scene.picture(n) for sha256, n in photos.items()}
        pictures |= meshes.textures | {hashlib.sha256(scene.picture_bytes(SECOND)).hexdigest(): second}
        truth, mask = scene.picture(number), scene.mask(number) == turning + 1
        if mask.sum() < FEWEST:
            continue
        slot = [placed.asset.name for placed in message.assets].index(name)
        height, width = truth.shape[:2]
        sampling = Sampling.from_preset("standard", width=width, height=height)
        solid = with_meshes(message, meshes.meshes)
        passes = pipeline.passes(solid, pictures, width, height, meshes.files)
        unseen = mask & (passes.index == slot + 1) & (passes.validity == 0)
        plain = grey(meshes)
        asked: Mapping[str, Frame] = {
            "relief": message,
            "grey mesh": with_meshes(message, plain.meshes),
            "mesh": solid,
        }
        for method, frame in asked.items():
            for count, each in ((1, frame), (2, with_second_photo(frame, scene))):
                picture = pipeline([each], pictures, sampling, meshes=meshes.files).images[0]
                errors = (picture.astype(float) - truth) ** 2
                key = f"{method}, {count} photo{'s' * (count - 1)}"
                over_unseen = psnr(errors[unseen]) if unseen.sum() >= FEWEST else np.nan
                found[key].append((psnr(errors[mask]), over_unseen))
                if number == SHEET and (method, count) != ("mesh", 1):
                    row.append(picture)
    if len(row) == len(COLUMNS):
        rows.append(_cut_out(row, np.array([frame.boxes_2d[turning] for frame in scene.labels.frames])))
    return found


def _cut_out(pictures: list[Picture], rectangles: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return pictures side by side, cut to what is around an object in all of its 2D boxes (n, 4)."""
    height, width = pictures[0].shape[:2]
    corners = np.concatenate([rectangles[:, :2], rectangles[:, 2:]]) * (width, height)
    half = np.ptp(corners, axis=0).max() / 2 * MARGIN
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    window = (*(middle - half).round().astype(int).tolist(), *(middle + half).round().astype(int).tolist())
    cells = [
        Image.fromarray(each).crop(window).resize((CELL, CELL), Image.Resampling.LANCZOS) for each in pictures
    ]
    return np.concatenate([np.asarray(cell) for cell in cells], axis=1)


def _sheet(rows: list[NDArray[np.uint8]]) -> Image.Image:
    """Return rows of pictures under their headings."""
    whole = Image.new("RGB", (CELL * len(COLUMNS), HEADING + CELL * len(rows)), "white")
    draw = ImageDraw.Draw(whole)
    for number, name in enumerate(COLUMNS):
        draw.text((number * CELL + 4, 4), name, fill="black", font_size=15)
    for number, row in enumerate(rows):
        whole.paste(Image.fromarray(row), (0, HEADING + number * CELL))
    return whole


def main() -> None:
    """Measure, print a table, and write it as JSON with a sheet."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("scenes", type=Path)
    parser.add_argument("--meshes", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("out/opposite_photos"))
    options = parser.parse_args()
    pipeline = load_checkpoint("mini")
    rows: list[NDArray[np.uint8]] = []
    every: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for scene in tqdm(list(scenes(options.scenes)), unit="scene"):
        for method, values in measured(
            pipeline, scene, read_meshes(options.meshes / scene.name), rows
        ).items():
            every[method] += values
    means = {
        method: np.nanmean(np.array(values), axis=0).round(2).tolist() for method, values in every.items()
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "results.json").write_text(json.dumps(means, indent=1))
    _sheet(rows).save(options.out / "sheet.png")
    for method, (whole, unseen) in means.items():
        print(f"{method:24} {whole:6.2f} {unseen:6.2f} dB")
    print(f"{len(next(iter(every.values())))} frames of {len(rows)} objects")


if __name__ == "__main__":
    main()
