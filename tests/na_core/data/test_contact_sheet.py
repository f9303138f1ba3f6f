"""Contact sheets: what is on them, and where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from na_core.data.contact_sheet import contact_sheet, random_frames
from na_core.data.scenes import scene_folders, scenes
from na_core.data.shards import pack


def pixels(file: Path) -> np.ndarray:
    with Image.open(file) as sheet:
        return np.asarray(sheet)


def test_a_row_for_each_scene_and_a_column_for_each_frame(painted_scenes: Path, tmp_path: Path) -> None:
    sheet = pixels(contact_sheet(painted_scenes, tmp_path / "sheets" / "sheet.png", side=64, labels=False))
    assert sheet.shape == (128, 192, 3)
    for row, scene in enumerate(scenes(painted_scenes)):
        for column in range(3):
            cell = sheet[row * 64 :, column * 64 :][:64, :64]
            np.testing.assert_array_equal(cell, scene.picture(column))


def test_a_limit_spreads_over_the_scenes(painted_scenes: Path, tmp_path: Path) -> None:
    assert pixels(contact_sheet(painted_scenes, tmp_path / "sheet.png", 1, side=64)).shape == (64, 192, 3)


def test_labels_are_drawn_over_the_pictures(painted_scenes: Path, tmp_path: Path) -> None:
    drawn = pixels(contact_sheet(painted_scenes, tmp_path / "a.png"))
    bare = pixels(contact_sheet(painted_scenes, tmp_path / "b.png", labels=False))
    assert 0.01 < (drawn != bare).any(axis=-1).mean() < 0.5


def test_a_shard_has_the_sheet_of_its_scenes(painted_scenes: Path, tmp_path: Path) -> None:
    pack(scene_folders(painted_scenes), tmp_path / "train.tar")
    from_shard = contact_sheet(tmp_path / "train.tar", tmp_path / "a.png")
    assert from_shard.read_bytes() == contact_sheet(painted_scenes, tmp_path / "b.png").read_bytes()


def test_random_frames_make_a_grid_that_is_nearly_square(painted_scenes: Path, tmp_path: Path) -> None:
    for frames, shape in {1: (64, 64), 2: (64, 128), 4: (128, 128), 5: (128, 192)}.items():
        sheet = contact_sheet(painted_scenes, tmp_path / f"{frames}.png", frames=frames, side=64)
        assert pixels(sheet).shape == (*shape, 3)


def test_random_frames_repeat_by_seed(painted_scenes: Path, tmp_path: Path) -> None:
    first, again, other = (
        contact_sheet(painted_scenes, tmp_path / f"{i}.png", frames=4, seed=seed).read_bytes()
        for i, seed in enumerate((0, 0, 1))
    )
    assert first == again != other


def test_random_frames_are_of_other_scenes_while_there_are_some(painted_scenes: Path) -> None:
    found = list(scenes(painted_scenes))
    for seed in range(5):
        drawn = [(scene.name, frame) for scene, frame in random_frames(found, 9, seed)]
        assert len(set(drawn)) == 6
        assert [len({name for name, _ in drawn[i : i + 2]}) for i in (0, 2, 4)] == [2, 2, 2]


def test_a_sheet_of_nothing_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no complete scene"):
        contact_sheet(tmp_path, tmp_path / "sheet.png")
