"""Compact shards hold the same scenes in less room."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from na_core.data.compact_shards import main, pack_compactly
from na_core.data.scenes import Scene, load_scene, scene_folders, scenes
from na_core.data.shards import pack


@pytest.fixture
def compact(painted_scenes: Path, tmp_path: Path) -> list[Scene]:
    """Return the painted scenes as a compact shard gives them."""
    shard = tmp_path / "compact.tar"
    assert pack_compactly(scene_folders(painted_scenes), shard) == 2
    return list(scenes(shard))


def test_pictures_keep_their_bytes_and_the_rest_its_pixels(
    compact: list[Scene], painted_scenes: Path
) -> None:
    for before, after in zip(scenes(painted_scenes), compact, strict=True):
        assert before.name == after.name
        assert before.labels.edits == after.labels.edits
        for i, frame in enumerate(after.labels.frames):
            assert after.picture_bytes(i) == before.picture_bytes(i)
            assert (frame.camera, frame.boxes) == (
                before.labels.frames[i].camera,
                before.labels.frames[i].boxes,
            )
            for found, expected in (
                (after.mask(i), before.mask(i)),
                (after.depth(i), before.depth(i)),
                (after.far(i), before.far(i)),
                (after.plate(i), before.plate(i)),
            ):
                np.testing.assert_array_equal(found, expected)


def test_masks_and_depths_are_webp_where_that_is_smaller(
    compact: list[Scene], painted_scenes: Path, tmp_path: Path
) -> None:
    names = {name for scene in compact for frame in scene.labels.frames for name in (frame.mask, frame.depth)}
    assert any(name is not None and name.endswith(".webp") for name in names)
    sizes = [
        sum(size for scene in found for _, size in scene.storage.files.values())
        for found in (compact, scenes(packed(painted_scenes, tmp_path)))
    ]
    assert sizes[0] < sizes[1]


def packed(folder: Path, scratch: Path) -> Path:
    pack(scene_folders(folder), scratch / "plain.tar")
    return scratch / "plain.tar"


def test_a_picture_that_two_frames_show_is_kept_once(painted_scenes: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(scene_folders(painted_scenes)[0], tmp_path / "00000000"))
    shutil.copy(folder / "frame_000.png", folder / "frame_001.png")
    pack_compactly([folder], tmp_path / "compact.tar")
    (scene,) = scenes(tmp_path / "compact.tar")
    assert [frame.picture for frame in scene.labels.frames] == [f"frame_00{i}.png" for i in (0, 0, 2)]
    assert scene.picture_bytes(1) == (folder / "frame_001.png").read_bytes()


def test_depth_that_is_left_out_stays_out(painted_scenes: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(scene_folders(painted_scenes)[0], tmp_path / "00000000"))
    text = (folder / "scene.json").read_text()
    for i in range(3):
        text = text.replace(f'"depth_{i:03}.png"', "null").replace(f'"far_{i:03}.png"', "null")
        (folder / f"depth_{i:03}.png").unlink()
    (folder / "scene.json").write_text(text)
    pack_compactly([folder], tmp_path / "compact.tar")
    (scene,) = scenes(tmp_path / "compact.tar")
    assert scene.depth(0) is None
    assert scene.mask(0).max() == 2


def test_a_damaged_webp_is_an_os_error_that_names_it(compact: list[Scene], tmp_path: Path) -> None:
    shutil.unpack_archive(tmp_path / "compact.tar", tmp_path / "out", filter="data")
    folder = tmp_path / "out" / compact[0].name
    name = next(f.name for f in sorted(folder.iterdir()) if f.suffix == ".webp")
    whole = (folder / name).read_bytes()
    for length in (0, 11, len(whole) // 2, len(whole) - 8):
        (folder / name).write_bytes(whole[:length])
        scene = load_scene(folder)
        with pytest.raises(OSError, match=f"{name}: not a readable picture"):
            for i in range(len(scene.labels.frames)):
                scene.mask(i), scene.depth(i), scene.far(i)


def test_the_command_packs_a_split(painted_scenes: Path, tmp_path: Path) -> None:
    main([str(painted_scenes), str(tmp_path / "train.tar")])
    assert [scene.name for scene in scenes(tmp_path / "train.tar")] == ["00000000", "00000001"]
