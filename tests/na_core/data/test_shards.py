"""Shards hold what folders hold, to the byte, or say that they are damaged."""

from __future__ import annotations

import random
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest

from na_core.data.scenes import Scene, scene_folders, scenes
from na_core.data.shards import ShardError, pack, shard_scenes


@pytest.fixture(scope="module")
def shard(painted_scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the painted scenes in a shard, to be read only."""
    file = tmp_path_factory.mktemp("shards") / "train.tar"
    assert pack(scene_folders(painted_scenes), file) == 2
    return file


def assert_same(found: list[Scene], expected: list[Scene]) -> None:
    assert [scene.name for scene in found] == [scene.name for scene in expected]
    for first, second in zip(found, expected, strict=True):
        assert first.labels == second.labels
        for i in range(len(first.labels.frames)):
            assert first.picture_bytes(i) == second.picture_bytes(i)
            np.testing.assert_array_equal(first.picture(i), second.picture(i))
            np.testing.assert_array_equal(first.mask(i), second.mask(i))
            np.testing.assert_array_equal(first.depth(i), second.depth(i))


def test_a_shard_reads_like_the_folders_that_it_holds(shard: Path, painted_scenes: Path) -> None:
    assert_same(list(scenes(shard)), list(scenes(painted_scenes)))


def test_a_folder_of_shards_is_a_place(shard: Path, painted_scenes: Path) -> None:
    assert_same(list(scenes(shard.parent)), list(scenes(painted_scenes)))


def test_the_same_files_give_the_same_bytes(shard: Path, painted_scenes: Path, tmp_path: Path) -> None:
    for folder in scene_folders(painted_scenes):
        for file in folder.iterdir():
            file.touch()
    pack(scene_folders(painted_scenes), tmp_path / "again.tar")
    assert (tmp_path / "again.tar").read_bytes() == shard.read_bytes()


def test_any_tool_opens_and_makes_one(shard: Path, painted_scenes: Path, tmp_path: Path) -> None:
    with tarfile.open(shard) as archive:
        archive.extractall(tmp_path / "out", filter="data")
    assert_same(list(scenes(tmp_path / "out")), list(scenes(painted_scenes)))
    made = tmp_path / "made.tar"
    subprocess.run(["tar", "-cf", made, "-C", painted_scenes, "."], check=True)
    assert_same(list(scenes(made)), list(scenes(painted_scenes)))


def test_a_shard_that_ends_early_says_so_and_shows_no_wrong_scene(
    shard: Path, painted_scenes: Path, tmp_path: Path
) -> None:
    whole = shard.read_bytes()
    with tarfile.open(shard) as archive:
        edges = [item.offset for item in archive] + [item.offset_data for item in archive]
    spread = random.Random(0).sample(range(len(whole)), 60)
    cuts = {*spread, *edges, *(edge + 1 for edge in edges), 0, 511, len(whole) - 1}
    expected = list(scenes(painted_scenes))
    cut_shard = tmp_path / "cut.tar"
    for cut in sorted(cuts):
        cut_shard.write_bytes(whole[:cut])
        try:
            found = list(scenes(cut_shard))
        except ShardError as error:
            assert str(cut_shard) in str(error)
        else:
            assert not any(whole[cut:]), "only the padding at the end may be missing"
            assert_same(found, expected)


def test_a_damaged_header_hides_no_scenes(shard: Path, tmp_path: Path) -> None:
    with tarfile.open(shard) as archive:
        middle = archive.getmembers()[8].offset
    data = bytearray(shard.read_bytes())
    data[middle + 150] ^= 1  # in the header's checksum
    (tmp_path / "bad.tar").write_bytes(data)
    with pytest.raises(ShardError, match="not a whole tar file"):
        shard_scenes(tmp_path / "bad.tar")


def test_a_shard_that_shrinks_while_it_is_read(shard: Path, tmp_path: Path) -> None:
    copied = tmp_path / "train.tar"
    copied.write_bytes(shard.read_bytes())
    last = list(scenes(copied))[-1]
    copied.write_bytes(shard.read_bytes()[:20000])
    with pytest.raises(OSError, match=r"train\.tar: ends inside 00000001/frame_002\.png; copy it again"):
        last.picture_bytes(2)


def test_what_is_no_shard_is_named(tmp_path: Path) -> None:
    file = tmp_path / "notes.tar"
    for content in (b"", b"These are notes.\n" * 100, b"\x89PNG\r\n\x1a\n"):
        file.write_bytes(content)
        with pytest.raises(ShardError, match=r"notes\.tar: not a whole tar file"):
            list(scenes(file))


def test_a_shard_without_scenes_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("nothing")
    pack([tmp_path / "empty"], tmp_path / "empty.tar")
    with pytest.raises(ShardError, match=r"empty\.tar: holds no scene"):
        list(scenes(tmp_path / "empty.tar"))


def test_a_file_that_a_scene_lacks_is_named(shard: Path) -> None:
    with pytest.raises(OSError, match=r"train\.tar: 00000000 has no file depth_099\.png"):
        shard_scenes(shard)["00000000"].read("depth_099.png")


def test_a_failed_packing_leaves_nothing(painted_scenes: Path, tmp_path: Path) -> None:
    folders = [scene_folders(painted_scenes)[0], tmp_path / "missing"]
    with pytest.raises(OSError, match="missing"):
        pack(folders, tmp_path / "out" / "train.tar")
    assert list((tmp_path / "out").iterdir()) == []


def test_two_scenes_of_one_name_do_not_become_one(painted_scenes: Path, tmp_path: Path) -> None:
    folder = scene_folders(painted_scenes)[0]
    with pytest.raises(ValueError, match=r"train\.tar: two scenes are called '00000000'"):
        pack([folder, folder], tmp_path / "train.tar")
