"""Small painted scenes on disk: what a data set holds, without Blender."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from na_core.data.contact_sheet import colour_of
from na_core.data.labels import LABELS_FILE, LABELS_VERSION, Edit
from na_core.data.scenes import DEPTH_UNIT
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo, project_points
from na_core.scene import Box, Camera
from tests.na_core.reference import reference_backdrop, reference_box_map

Placement = Sequence[NDArray[np.float64] | None]


def painted(
    camera: Camera, boxes: Placement, width: int, height: int, stage: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint16], NDArray[np.uint16]]:
    """Paint striped boxes on a chequered ground.

    Returns:
        (H, W, 3) picture, (H, W) index mask, depth and the far side's depth in steps.
    """
    ground = reference_backdrop(camera, np.zeros(3), 0.0, 40.0, width, height)
    depth = project_points(camera, ground)[..., 2]
    chequer = (np.floor(ground[..., 0] * 2) + np.floor(ground[..., 1] * 2)) % 2
    picture = 0.35 + 0.2 * chequer[..., None] * np.roll([1.0, 0.9, 0.2], stage)
    present = [i for i, box in enumerate(boxes) if box is not None]
    seen = reference_box_map(camera, [boxes[i] for i in present], width, height)
    mask = np.zeros((height, width), np.uint8)
    far = np.full((height, width), np.inf)
    for number, i in enumerate(present):
        hit = seen.index[0] == number
        stripes = 0.5 + 0.5 * np.sign(np.sin(seen.local[0][hit] * 6 + i))
        colour = np.roll(np.array([0.9, 0.3, 0.1]), i)
        picture[hit] = 0.2 * stripes + 0.8 * colour * (0.6 + 0.4 * stripes[:, :1])
        mask[hit] = i + 1
        depth[hit] = seen.depth[0][hit]
        far[hit] = seen.leave[0][hit]
    steps, far_steps = (np.minimum(np.rint(of / DEPTH_UNIT), 65535).astype(np.uint16) for of in (depth, far))
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8), mask, steps, far_steps


def write_scene(
    folder: Path,
    cameras: Sequence[Camera],
    placements: Sequence[Placement],
    width: int,
    height: int,
    *,
    clip: str = "mixed",
    stages: Sequence[int] | None = None,
    edits: Sequence[Edit] = (),
) -> Path:
    """Write a scene's folder: one frame for each camera and placement of the same objects."""
    stages = stages or [0] * len(cameras)
    folder.mkdir(parents=True)
    frames = []
    for number, (camera, boxes, stage) in enumerate(zip(cameras, placements, stages, strict=True)):
        picture, mask, depth, far = painted(camera, boxes, width, height, stage)
        Image.fromarray(picture).save(folder / f"frame_{number:03}.png")
        indices = Image.fromarray(mask)
        indices.putpalette([channel for i in range(256) for channel in colour_of(i)])
        indices.save(folder / f"mask_{number:03}.png")
        Image.fromarray(depth).save(folder / f"depth_{number:03}.png")
        Image.fromarray(far).save(folder / f"far_{number:03}.png")
        plate, *_ = painted(camera, [None] * len(boxes), width, height, stage)
        Image.fromarray(plate).save(folder / f"plate_{number:03}.png")
        rectangles, visible = [], []
        for i, box in enumerate(boxes):
            alone = 0
            if box is not None:
                alone = int((reference_box_map(camera, [box], width, height).index[0] == 0).sum())
            rows, columns = np.nonzero(mask == i + 1)
            visible.append(len(rows) / alone if alone else 0.0)
            if len(rows):
                edges = columns.min() / width, rows.min() / height
                rectangles.append([*edges, (columns.max() + 1) / width, (rows.max() + 1) / height])
            else:
                rectangles.append([0.0] * 4)
        frames.append(
            {
                "picture": f"frame_{number:03}.png",
                "mask": f"mask_{number:03}.png",
                "depth": f"depth_{number:03}.png",
                "far": f"far_{number:03}.png",
                "plate": f"plate_{number:03}.png",
                "stage": stage,
                "camera": camera.to_dict(),
                "boxes": [None if box is None else Box(box).to_dict() for box in boxes],
                "boxes_2d": rectangles,
                "visible": visible,
            }
        )
    objects = [
        {"name": f"block {i}", "family": "block", "symmetry": 1 + i % 2} for i in range(len(placements[0]))
    ]
    labels = {
        "schema_version": LABELS_VERSION,
        "seed": 0,
        "split": "train",
        "clip": clip,
        "width": width,
        "height": height,
        "objects": objects,
        "frames": frames,
        "edits": [asdict(edit) for edit in edits],
    }
    (folder / LABELS_FILE).write_text(json.dumps(labels))
    return folder


def write_scenes(root: Path, count: int = 2, side: int = 64) -> Path:
    """Write a split of ``count`` scenes: two blocks, three frames; the camera moves in the last frame."""
    for number in range(count):
        rng = np.random.default_rng(number)
        still = camera_of_photo(1.2 * side, side, side, camera_height=1.5, pitch=0.35)
        moved = camera_of_photo(1.2 * side, side, side, camera_height=1.7, pitch=0.4)
        placements = []
        for _ in range(3):
            left = box_matrix((-0.7, rng.uniform(3.4, 4.4), 0.4), (0.7, 0.5, 0.8), rng.uniform(0, 6))
            right = box_matrix((0.7, rng.uniform(3.4, 4.4), 0.3), (0.6, 0.6, 0.6), rng.uniform(0, 6))
            placements.append([left, right])
        write_scene(root / f"{number:08}", [still, still, moved], placements, side, side)
    return root


@pytest.fixture
def every_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let lists hold all pixels, as on a GPU."""
    from na_core.compose import relighting, shadows
    from na_core.raster import boxmap, march, pixels

    for module in (boxmap, march, pixels, relighting, shadows):
        monkeypatch.setattr(module, "listing_pays", lambda device: False)


@pytest.fixture(scope="session")
def make_scene() -> Callable[..., Path]:
    """Return :func:`write_scene`."""
    return write_scene


@pytest.fixture(scope="session")
def painted_scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a split of two painted scenes, to be read only."""
    return write_scenes(tmp_path_factory.mktemp("scenes") / "train")
