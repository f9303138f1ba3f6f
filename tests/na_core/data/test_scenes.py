"""Scenes in folders: what is found, the form of pictures, and files that are damaged."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from na_core.data.scenes import load_scene, scene_folders, scenes


@pytest.fixture
def folder(painted_scenes: Path, tmp_path: Path) -> Path:
    """Return a copy of a scene's folder, to be damaged."""
    return Path(shutil.copytree(scene_folders(painted_scenes)[0], tmp_path / "train" / "00000000"))


def test_pictures_masks_and_depth_have_one_form(folder: Path) -> None:
    scene = load_scene(folder)
    picture, mask, depth, far = scene.picture(0), scene.mask(0), scene.depth(0), scene.far(0)
    assert picture.shape == (64, 64, 3)
    assert picture.dtype == mask.dtype == np.uint8
    assert set(np.unique(mask)) == {0, 1, 2}
    assert depth is not None
    assert depth.dtype == np.float32
    assert 2 < depth[mask == 1].mean() < 5 < depth[0].mean()
    assert far is not None
    assert (far[mask > 0] >= depth[mask > 0]).all()
    assert np.isinf(far[mask == 0]).all()
    assert scene.picture_bytes(0) == (folder / "frame_000.png").read_bytes()


def test_depth_beyond_64_metres_is_infinite(folder: Path) -> None:
    Image.fromarray(np.full((64, 64), 65535, np.uint16)).save(folder / "depth_000.png")
    depth = load_scene(folder).depth(0)
    assert depth is not None
    assert np.isinf(depth).all()


def test_depth_may_be_left_out(folder: Path) -> None:
    text = (folder / "scene.json").read_text()
    (folder / "scene.json").write_text(
        text.replace('"depth_000.png"', "null").replace('"far_000.png"', "null")
    )
    assert load_scene(folder).depth(0) is None
    assert load_scene(folder).far(0) is None


def test_half_written_scenes_are_not_seen(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "train" / "00000001")
    shutil.copytree(folder, tmp_path / "train" / ".00000002.99.partial")
    (tmp_path / "train" / "00000003").mkdir()
    for root in (tmp_path, tmp_path / "train"):
        assert [scene.name for scene in scenes(root)] == ["00000000", "00000001"]


def test_a_scenes_own_folder_is_a_place(folder: Path) -> None:
    assert [scene.name for scene in scenes(folder)] == ["00000000"]


@pytest.mark.parametrize("kind", ["frame", "mask", "depth", "far"])
class TestDamage:
    def test_a_missing_picture_is_named(self, kind: str, folder: Path) -> None:
        (folder / f"{kind}_001.png").unlink()
        with pytest.raises(OSError, match=f"{kind}_001.png"):
            list(pictures(folder))

    def test_a_text_file_is_named(self, kind: str, folder: Path) -> None:
        (folder / f"{kind}_001.png").write_text("not a picture")
        with pytest.raises(OSError, match=f"{folder}/{kind}_001.png: not a readable picture"):
            list(pictures(folder))

    def test_a_picture_of_another_size_is_named(self, kind: str, folder: Path) -> None:
        file = folder / f"{kind}_001.png"
        Image.open(file).crop((0, 0, 64, 32)).save(file)
        with pytest.raises(OSError, match=f"{kind}_001.png: 64 x 32 pixels, the labels say 64 x 64"):
            list(pictures(folder))


@pytest.mark.parametrize("kind", ["mask", "depth", "far"])
def test_a_picture_of_another_form_is_named(kind: str, folder: Path) -> None:
    shutil.copy(folder / "frame_001.png", folder / f"{kind}_001.png")
    with pytest.raises(OSError, match=f"{kind}_001.png: not a readable picture .expected mode"):
        list(pictures(folder))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0, 1), flip=st.floats(0, 1), data=st.data())
def test_a_damaged_picture_is_an_os_error_that_names_it(
    cut: float, flip: float, data: st.DataObject, folder: Path
) -> None:
    file = folder / f"{data.draw(st.sampled_from(['frame', 'mask', 'depth', 'far']))}_000.png"
    whole = file.read_bytes()
    damaged = bytearray(whole[: int(len(whole) * cut)])
    if damaged:
        damaged[int((len(damaged) - 1) * flip)] ^= data.draw(st.integers(1, 255))
    file.write_bytes(bytes(damaged))
    try:
        list(pictures(folder))
    except OSError as error:
        assert file.name in str(error)
    finally:
        file.write_bytes(whole)


def pictures(folder: Path) -> Iterator[object]:
    scene = load_scene(folder)
    for i in range(len(scene.labels.frames)):
        yield scene.picture(i)
        yield scene.mask(i)
        yield scene.depth(i)
        yield scene.far(i)
