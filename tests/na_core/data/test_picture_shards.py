"""Picture shards hold what decoders are trained on, as many scenes as fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from na_core.data.pairs import pair_lists
from na_core.data.picture_shards import pack_pictures
from na_core.data.scenes import scene_folders, scenes
from na_core.data.shards import pack, packed_size

ALL = 10**7


@pytest.fixture
def shard(painted_scenes: Path, tmp_path: Path) -> Path:
    shard = tmp_path / "pictures.tar"
    assert pack_pictures(scene_folders(painted_scenes), shard, ALL) == 2
    return shard


def test_pictures_and_pairs_are_those_of_the_scenes(shard: Path, painted_scenes: Path) -> None:
    for before, after in zip(scenes(painted_scenes), scenes(shard), strict=True):
        assert before.name == after.name
        assert pair_lists(before) == pair_lists(after)
        for number, (was, frame) in enumerate(zip(before.labels.frames, after.labels.frames, strict=True)):
            assert (frame.camera, frame.boxes, frame.visible) == (was.camera, was.boxes, was.visible)
            error = after.picture(number).astype(float) - before.picture(number)
            assert np.sqrt(np.square(error).mean()) < 8  # sharp stripes; rendered pictures are at 2
            assert after.plate(number) is None
            assert after.depth(number) is None


def test_a_mask_is_said_to_be_missing(shard: Path) -> None:
    scene = next(scenes(shard))
    with pytest.raises(OSError, match=r"has no file mask_000\.png"):
        scene.mask(0)


def test_as_many_scenes_as_fit_are_packed(shard: Path, painted_scenes: Path, tmp_path: Path) -> None:
    folders, less = scene_folders(painted_scenes), tmp_path / "less.tar"
    assert pack_pictures(folders, less, shard.stat().st_size) == 2
    assert pack_pictures(folders, less, shard.stat().st_size - 1) == 1
    assert less.stat().st_size < shard.stat().st_size
    with pytest.raises(ValueError, match=r"less\.tar: not one scene fits into 1,000 bytes"):
        pack_pictures(folders, less, 1000)


def test_the_size_of_a_shard_is_known_before(painted_scenes: Path, tmp_path: Path) -> None:
    folders = scene_folders(painted_scenes)
    for count in (1, 2):
        pack(folders[:count], tmp_path / "whole.tar")
        assert packed_size(folders[:count]) == (tmp_path / "whole.tar").stat().st_size
