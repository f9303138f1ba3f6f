"""Real photographs with an object moved, turned, removed, copied, replaced, joined by another: a sheet.

    .venv/bin/python benchmarks/photographs.py

The photographs come with scikit-image; boxes are by hand (photographs.json beside this file). Writes
docs/images/photographs.webp and, into photographs_results.json, PSNR in dB of each photograph unmoved
(``unmoved``) and, while an object moves, of what lies beyond it and the strip around it (``untouched``).
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from pictures import IMAGES, save_for_docs
from PIL import Image, ImageDraw
from skimage import data

from na_core.data.contact_sheet import draw_boxes, laid_out
from na_core.geometry.boxes import bounds_2d, box_matrix
from na_core.geometry.camera import assumed_focal, camera_of_photo, pixel_centres
from na_core.geometry.lifting import box_from_rectangle
from na_core.layers.plate import PLATE_MARGIN
from na_core.layers.resample import resampled_colours
from na_core.model.checkpoints import load_checkpoint
from na_core.model.pipeline import NeuralAssetsPipeline, to_bytes
from na_core.model.working_size import rays_per_side
from na_core.scene import Asset, Background, Box, Camera, Frame, Photo, Picture, PlacedAsset, Sampling

HERE = Path(__file__).parent
SHEET = IMAGES / "photographs.webp"

SHEET_WIDTH = 1920
"""Pixels: a row holds nine pictures."""

@dataclass(frozen=True)
class Subject:
    """A photograph with assets; the first one is edited."""

    name: str
    picture: Picture
    size: tuple[int, int]
    camera: Camera
    assets: tuple[Asset, ...]
    other: Picture
    move: tuple[float, float]
    turn: float
    copy: tuple[float, float]

    @property
    def background(self) -> Background:
        """The photograph without its assets."""
        return Background(
            photo_of(self.picture),
            self.camera,
            hidden_boxes=tuple(asset.source_box for asset in self.assets),
            rectangles=tuple(asset.source_box_2d for asset in self.assets),
        )

    def frame(self, *first: Box, background: Background | None = None) -> Frame:
        """Return the frame with the first asset in the given boxes and the others where they are."""
        placed = [PlacedAsset(self.assets[0], box) for box in first]
        placed += [PlacedAsset(asset, asset.source_box) for asset in self.assets[1:]]
        return Frame(self.camera, tuple(placed), background or self.background)


def load(item: dict[str, Any]) -> Subject:
    """Build a subject from its entry in photographs.json."""
    picture = photograph(item["photograph"])
    height, width = picture.shape[:2]
    camera = camera_of_photo(
        assumed_focal(width, height), width, height, item["height"], math.radians(item["pitch"])
    )
    photo = photo_of(picture)
    assets = []
    for asset in item["assets"]:
        box = box_from_rectangle(
            camera,
            asset["rectangle"],
            yaw=math.radians(asset["yaw"]) if "yaw" in asset else None,
            depth_ratio=asset.get("depth_ratio", 0.7),
        )
        assets.append(Asset(asset["name"], photo, box, camera, tuple(asset["rectangle"])))
    return Subject(
        item["photograph"],
        picture,
        tuple(item["size"]),
        camera,
        tuple(assets),
        photograph(item["background"]),
        tuple(item["move"]),
        item["turn"],
        tuple(item["copy"]),
    )


def photograph(name: str) -> Picture:
    """Return one of scikit-image's photographs, (H, W, 3) uint8."""
    found = getattr(data, name)()
    picture = np.asarray(found[0] if isinstance(found, tuple) else found)
    return picture if picture.ndim == 3 else np.stack([picture] * 3, axis=-1)


def photo_of(picture: Picture) -> Photo:
    """Return the message that names a picture."""
    return Photo(hashlib.sha256(picture.tobytes()).hexdigest())


def moved(box: Box, by: tuple[float, float] = (0.0, 0.0), turn: float = 0.0) -> Box:
    """Return a box moved on the ground by metres and turned about its middle by degrees."""
    matrix = box.world_from_box
    centre = matrix[:3, 3]
    turned = box_matrix(centre, (1, 1, 1), math.radians(turn)) @ box_matrix(-centre, (1, 1, 1))
    return Box(box_matrix((*by, 0.0), (1, 1, 1)) @ turned @ matrix)


def as_large_as(box: Box, donor: Asset) -> Box:
    """Return a box of a donor's proportions with another box's volume, yaw and underside."""
    matrix = box.world_from_box
    mine, theirs = (np.linalg.norm(m[:3, :3], axis=0) for m in (matrix, donor.source_box.world_from_box))
    size = theirs * (mine.prod() / theirs.prod()) ** (1 / 3)
    underside = matrix[:3, 3] - matrix[:3, 2] / 2
    yaw = math.atan2(matrix[1, 0], matrix[0, 0])
    return Box(box_matrix(underside + np.array([0, 0, size[2] / 2]), size, yaw))


def edits(subject: Subject, donor: Asset) -> dict[str, Frame]:
    """Return the frames of a subject's row, by title; the donor is another photograph's asset."""
    box = subject.assets[0].source_box
    beside = moved(box, subject.copy)
    replaced = subject.frame()
    guest = PlacedAsset(donor, as_large_as(box, donor))
    appended = PlacedAsset(donor, as_large_as(beside, donor))
    height, width = subject.other.shape[:2]
    mine = subject.camera
    # As if this camera had taken the other photograph, wide enough to fill the frame.
    fx = min(mine.fx, mine.fy * height / width)
    wide = Camera(mine.world_from_camera, fx=fx, fy=fx * width / height)
    return {
        "unmoved": subject.frame(box),
        "moved": subject.frame(moved(box, subject.move)),
        "turned": subject.frame(moved(box, turn=subject.turn)),
        "removed": subject.frame(),
        "copied": subject.frame(box, beside),
        "replaced": replace(replaced, assets=(guest, *replaced.assets)),
        "appended": replace(subject.frame(box), assets=(*subject.frame(box).assets, appended)),
        "other background": subject.frame(box, background=Background(photo_of(subject.other), wide, ())),
    }


def psnr(error: NDArray[np.float64]) -> float:
    """Return the PSNR in dB of errors in levels; 99 of none."""
    mean = float(np.square(error).mean())
    return min(99.0, 10 * math.log10(255**2 / mean)) if mean else 99.0


def beyond(subject: Subject, *boxes: Box) -> NDArray[np.bool_]:
    """Return which pixels (H, W) lie outside boxes' 2D bounds and the strip around them."""
    width, height = subject.size
    points = pixel_centres(width, height)
    outside = np.ones((height, width), bool)
    for box in boxes:
        x0, y0, x1, y1 = bounds_2d(subject.camera, box)
        low, high = np.array([x0, y0]) - 2 * PLATE_MARGIN, np.array([x1, y1]) + 2 * PLATE_MARGIN
        outside &= ~((points >= low) & (points <= high)).all(axis=-1)
    return outside


def boxed(subject: Subject, picture: Picture) -> Image.Image:
    """Draw the assets' boxes on a picture."""
    image = Image.fromarray(picture)
    draw_boxes(image, subject.camera, [asset.source_box for asset in subject.assets])
    return image


def as_sampled(picture: Picture, width: int, height: int) -> Picture:
    """Return a photograph at the size of a frame, sampled as frames sample it."""
    rows, columns = picture.shape[:2]
    rays = rays_per_side(max(width, height), max(rows, columns), width, height)
    fine = resampled_colours(torch.tensor(picture)[None], rays * width, rays * height)
    mean = F.avg_pool2d(fine.permute(0, 3, 1, 2).float() / 255, rays)
    return to_bytes(mean)[0]


def row(
    pipeline: NeuralAssetsPipeline, subject: Subject, donor: Subject
) -> tuple[list[Image.Image], dict[str, float]]:
    """Render a subject, with the donor's first asset as a guest: its pictures and its figures."""
    photos = {photo_of(p).sha256: p for p in (subject.picture, subject.other, donor.picture)}
    sampling = replace(Sampling(), width=subject.size[0], height=subject.size[1])
    frames = edits(subject, donor.assets[0])
    rendered = dict(zip(frames, pipeline(list(frames.values()), photos, sampling).images, strict=True))
    small = as_sampled(subject.picture, *subject.size)
    box = subject.assets[0].source_box
    outside = beyond(subject, box, moved(box, subject.move))
    error = {title: picture.astype(float) - small for title, picture in rendered.items()}
    figures = {
        "unmoved": round(psnr(error["unmoved"]), 1),
        "untouched": round(psnr(error["moved"][outside]), 1),
        "untouched_share": round(float(outside.mean()), 2),
    }
    images = [boxed(subject, small)]
    for title, picture in rendered.items():
        image = Image.fromarray(picture)
        ImageDraw.Draw(image).text((4, 2), title, fill="white", stroke_width=2, stroke_fill="black")
        images.append(image)
    return images, figures


def main() -> None:
    """Write the sheet and the figures."""
    pipeline = load_checkpoint("mini")
    rows, figures = [], {}
    subjects = [load(item) for item in json.loads((HERE / "photographs.json").read_text(encoding="utf-8"))]
    for number, subject in enumerate(subjects):
        images, figures[subject.name] = row(pipeline, subject, subjects[number - 1])
        rows.append(images)
        print(subject.name, figures[subject.name], flush=True)
    save_for_docs(laid_out(rows), SHEET, SHEET_WIDTH)
    (HERE / "photographs_results.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
