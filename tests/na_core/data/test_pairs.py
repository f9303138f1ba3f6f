"""Scenes on disk, the pairs that can be learned from, and the message of a pair."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from na_core.data.contact_sheet import contact_sheet
from na_core.data.pairs import frame_message, pairs
from na_core.data.scenes import Scene, read_mask, read_picture, scene_folders, scenes
from na_core.geometry.boxes import box_matrix, source_quarter_turns
from na_core.geometry.camera import camera_of_photo
from na_core.scene import Box, Frame

SIDE = 32


def write_scene(folder: Path, presence: list[list[bool]]) -> Scene:
    """Write a scene with one frame for each row of ``presence``, one object for each column."""
    folder.mkdir(parents=True)
    frames: list[dict[str, Any]] = []
    for k, row in enumerate(presence):
        camera = camera_of_photo(SIDE, SIDE, SIDE, 1.0 + 0.1 * k, 0.3)
        boxes = [Box(box_matrix((i - 0.5, 3 + k, 0.2), (0.4, 0.4, 0.4), k + i)) for i in range(len(row))]
        frames.append(
            {
                "picture": f"frame_{k:03d}.png",
                "mask": f"mask_{k:03d}.png",
                "camera": camera.to_dict(),
                "boxes": [box.to_dict() if here else None for box, here in zip(boxes, row, strict=True)],
                "boxes_2d": [[0.2, 0.2, 0.5, 0.5] if here else [0, 0, 0, 0] for here in row],
                "visible": [0.8 if here else 0.0 for here in row],
            }
        )
        Image.new("RGB", (SIDE, SIDE), (40 * k, 90, 120)).save(folder / f"frame_{k:03d}.png")
        Image.new("L", (SIDE, SIDE), k).save(folder / f"mask_{k:03d}.png")
    data = {
        "schema_version": 1,
        "seed": 0,
        "split": "train",
        "width": SIDE,
        "height": SIDE,
        "objects": [{"name": f"box {i}", "family": "crate"} for i in range(len(presence[0]))],
        "frames": frames,
    }
    (folder / "scene.json").write_text(json.dumps(data))
    return next(scenes(folder))


def test_every_ordered_pair_of_frames_is_a_pair(tmp_path):
    scene = write_scene(tmp_path / "train/00000000", [[True, True]] * 3)
    assert sorted(pairs(scene)) == [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]


def test_a_target_with_an_object_that_the_source_does_not_show_is_no_pair(tmp_path):
    scene = write_scene(tmp_path / "train/00000000", [[True, True], [True, False]])
    assert pairs(scene) == [(0, 1)]  # an object may vanish, none may appear


def test_the_message_of_a_pair_takes_appearance_from_the_source_and_pose_from_the_target(tmp_path):
    scene = write_scene(tmp_path / "train/00000000", [[True, True], [True, True]])
    frame, photos = frame_message(scene, 0, 1)
    source, target = scene.labels.frames
    assert frame.camera == target.camera
    assert frame.background.source_camera == source.camera
    assert frame.background.hidden_boxes == source.boxes
    assert [placed.asset.name for placed in frame.assets] == ["box 0", "box 1"]
    for placed, before, after in zip(frame.assets, source.boxes, target.boxes, strict=True):
        assert placed.asset.source_box == before
        assert placed.box == after
        assert placed.asset.quarter_turns == source_quarter_turns(before, source.camera)
    ((sha256, path),) = photos.items()
    assert path == scene.picture_path(0)
    assert sha256 == hashlib.sha256(path.read_bytes()).hexdigest() == frame.background.photo.sha256
    assert Frame.from_json(frame.to_json()) == frame


def test_a_removed_object_is_hidden_from_the_background_and_not_placed(tmp_path):
    scene = write_scene(tmp_path / "train/00000000", [[True, True], [True, False]])
    frame, _ = frame_message(scene, 0, 1)
    assert [placed.asset.name for placed in frame.assets] == ["box 0"]
    assert len(frame.background.hidden_boxes) == 2


def test_half_written_scenes_are_not_seen(tmp_path):
    write_scene(tmp_path / "train/00000001", [[True]])
    write_scene(tmp_path / "train/00000000", [[True]])
    (tmp_path / "train/.00000002.99.partial").mkdir()
    (tmp_path / "train/.00000002.99.partial/scene.json").write_text("{")
    (tmp_path / "train/00000003").mkdir()
    for root in (tmp_path, tmp_path / "train"):
        assert [path.name for path in scene_folders(root)] == ["00000000", "00000001"]


def test_pictures_and_masks_have_one_form(tmp_path):
    scene = write_scene(tmp_path / "train/00000000", [[True], [True]])
    picture, mask = read_picture(scene.picture_path(1)), read_mask(scene.mask_path(1))
    assert picture.shape == (SIDE, SIDE, 3) and picture.dtype == np.uint8
    assert mask.shape == (SIDE, SIDE) and (mask == 1).all()
    with pytest.raises(ValueError, match="single-channel"):
        read_mask(scene.picture_path(0))


def test_a_contact_sheet_shows_a_row_for_each_scene(tmp_path):
    for seed in range(3):
        write_scene(tmp_path / f"train/{seed:08d}", [[True, True], [True, False]])
    with Image.open(contact_sheet(tmp_path, tmp_path / "sheet.png", limit=2, side=64)) as sheet:
        assert sheet.size == (128, 128)
        assert len(sheet.getcolors(maxcolors=10**6) or []) > 4  # boxes are drawn


def test_a_contact_sheet_of_nothing_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="no complete scene"):
        contact_sheet(tmp_path, tmp_path / "sheet.png")
