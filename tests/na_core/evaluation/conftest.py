"""Painted scenes with every kind of edit and a film, and an untrained checkpoint."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from na_core.data.labels import Edit
from na_core.data.scenes import Scene, load_scene
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.model.presets import build_pipeline
from na_core.scene import Camera

SIDE = 64

EDITS = (
    Edit("translate", 0, 1, None, 0),
    Edit("rotate", 0, 2, None, 0),
    Edit("rotate", 0, 3, None, 0),
    Edit("scale", 0, 4, None, 1),
    Edit("remove", 0, 5, None, 1),
    Edit("add", 0, 7, 6, 2),
    Edit("camera", 0, 8, None, None),
    Edit("background", 0, 10, 9, None),
    Edit("transfer", 0, 11, 6, 1),
    Edit("duplicate", 0, 13, 12, 3),
    Edit("orbit", 0, 14, None, None),
)
"""The first rotation is a half turn, the second is not. Object 3 is a copy of object 0."""


def around(camera: Camera, middle: tuple[float, float], angle: float) -> Camera:
    """Return the camera turned about the upright axis through a point of the ground."""
    there, turn = np.eye(4), np.eye(4)
    there[:2, 3] = middle
    turn[:2, :2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    orbited = there @ turn @ np.linalg.inv(there) @ camera.world_from_camera
    return replace(camera, world_from_camera=orbited)


@pytest.fixture(scope="session")
def bench_scenes(make_scene: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a split of a scene with all edits and of a film, to be read only."""
    root = tmp_path_factory.mktemp("bench") / "test"
    still = camera_of_photo(1.2 * SIDE, SIDE, SIDE, camera_height=1.5, pitch=0.35)
    moved = camera_of_photo(1.2 * SIDE, SIDE, SIDE, camera_height=1.7, pitch=0.4)
    left = box_matrix((-0.6, 3.6, 0.4), (0.7, 0.5, 0.8), 0.4)
    right = box_matrix((0.7, 4, 0.3), (0.6, 0.6, 0.6), 1)
    new = box_matrix((0.7, 4, 0.35), (0.5, 0.5, 0.7), 0.6)
    placements = [
        [left, right, None],
        [box_matrix((-0.1, 3.2, 0.4), (0.7, 0.5, 0.8), 0.4), right, None],
        [box_matrix((-0.6, 3.6, 0.4), (0.7, 0.5, 0.8), 0.4 + math.pi), right, None],
        [box_matrix((-0.6, 3.6, 0.4), (0.7, 0.5, 0.8), 1.2), right, None],
        [left, box_matrix((0.7, 4, 0.2), (0.4, 0.4, 0.4), 1), None],
        [left, None, None],
        [None, None, box_matrix((0, 3.5, 0.35), (0.5, 0.5, 0.7), 0.2)],
        [left, right, box_matrix((0.1, 4.2, 0.35), (0.5, 0.5, 0.7), 0.6)],
        [left, right, None],
        [None, None, box_matrix((0, 3.5, 0.35), (0.5, 0.5, 0.7), 0.2)],
        [left, right, None],
        [left, None, new],
        [None, right, None, left],
        [left, right, None, box_matrix((0.1, 3, 0.4), (0.7, 0.5, 0.8), 0.4)],
        [left, right, None],
    ]
    for boxes in placements:
        boxes += [None] * (4 - len(boxes))
    cameras = {8: moved, 14: around(still, (0.0, 3.8), 0.3)}
    stages = [1 if i in (9, 10) else 0 for i in range(len(placements))]
    views = [cameras.get(i, still) for i in range(len(placements))]
    make_scene(root / "stills", views, placements, SIDE, SIDE, clip="translate", stages=stages, edits=EDITS)
    steps = range(4)
    film_cameras = [
        camera_of_photo(1.2 * SIDE, SIDE, SIDE, camera_height=1.5 + 0.05 * t, pitch=0.35) for t in steps
    ]
    film = [[box_matrix((-0.6 + 0.05 * t, 3.6, 0.4), (0.7, 0.5, 0.8), 0.4 + 0.1 * t), right] for t in steps]
    make_scene(root / "film", film_cameras, film, SIDE, SIDE, clip="video")
    return root


@pytest.fixture
def edits(bench_scenes: Path) -> Scene:
    """Return the scene with an edit of every kind."""
    return load_scene(bench_scenes / "stills")


@pytest.fixture
def film(bench_scenes: Path) -> Scene:
    """Return the film: the camera rises, the left block moves and turns."""
    return load_scene(bench_scenes / "film")


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of an untrained pipeline called "small"."""
    folder = tmp_path_factory.mktemp("checkpoints") / "small"
    build_pipeline("guided", "tiny").save_pretrained(folder)
    return folder
