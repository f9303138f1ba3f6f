"""Processes share the scenes: each has its own, and together they have all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from na_core.data.scenes import scene_folders, scenes
from na_core.data.shards import pack
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.training.errors import TrainingError
from na_core.training.scene_shards import load_pictures, shard_of
from tests.na_core.conftest import write_scenes


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scenes(tmp_path_factory.mktemp("seven") / "train", 7, 16)


@pytest.mark.parametrize("processes", [1, 2, 3, 7])
def test_every_scene_is_in_exactly_one_shard(processes: int, seven: Path) -> None:
    names = [[scene.name for scene in shard_of(seven, i, processes)] for i in range(processes)]
    assert sorted(name for shard in names for name in shard) == [scene.name for scene in scenes(seven)]
    assert max(map(len, names)) - min(map(len, names)) <= 1


def test_a_folder_a_tar_and_a_folder_of_tars_are_the_same(seven: Path, tmp_path: Path) -> None:
    folders = scene_folders(seven)
    pack(folders, tmp_path / "all" / "train.tar")
    pack(folders[:3], tmp_path / "two" / "a.tar")
    pack(folders[3:], tmp_path / "two" / "b.tar")
    expected = load_pictures(shard_of(seven, 1, 2), torch.device("cpu"))
    for place in (tmp_path / "all" / "train.tar", tmp_path / "two"):
        assert torch.equal(load_pictures(shard_of(place, 1, 2), torch.device("cpu")), expected)


def test_pictures_are_in_the_order_of_scenes_and_frames(seven: Path) -> None:
    shard = shard_of(seven, 0, 3)
    pictures = load_pictures(shard, torch.device("cpu"))
    assert pictures.shape == (9, 16, 16, 3)
    assert pictures.dtype == torch.uint8
    for number, scene in enumerate(shard):
        for frame in range(3):
            found = pictures[3 * number + frame].numpy()
            np.testing.assert_array_equal(found, scene.picture(frame))


def test_more_processes_than_scenes(seven: Path) -> None:
    with pytest.raises(TrainingError, match="process 8 of 8 has no scene"):
        shard_of(seven, 7, 8)


def test_pictures_of_two_sizes_are_refused(make_scene: Callable[..., Path], tmp_path: Path) -> None:
    camera = camera_of_photo(77, 64, 64, camera_height=1.5, pitch=0.35)
    box = box_matrix((0, 4, 0.4), (0.6, 0.6, 0.8))
    make_scene(tmp_path / "s" / "a", [camera], [[box]], 64, 64)
    make_scene(tmp_path / "s" / "b", [camera], [[box]], 32, 64)
    with pytest.raises(TrainingError, match="b has pictures of 32 x 64 pixels, a of 64 x 64"):
        shard_of(tmp_path / "s")


def test_a_damaged_picture_is_named(seven: Path, tmp_path: Path) -> None:
    damaged = write_scenes(tmp_path / "train", 1, 16)
    file = damaged / "00000000" / "frame_001.png"
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(OSError, match=r"frame_001\.png"):
        load_pictures(shard_of(damaged), torch.device("cpu"))
