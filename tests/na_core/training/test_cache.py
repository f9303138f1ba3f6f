"""The pairs' cache: what it holds is what the pipeline would compute, and it resumes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from na_core.data.labels import load_labels
from na_core.data.pairs import frame_message, pairs
from na_core.data.scenes import Scene, read_picture, scene_folders
from na_core.geometry.boxes import bounds_2d, box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.model.conditioning import conditions
from na_core.model.pipeline import to_bytes
from na_core.training.cache import cache_pairs, load_pairs, scene_pairs


@pytest.mark.parametrize("guided", [True, False])
def test_pairs_are_what_frames_give(guided: bool, painted_scenes: Path) -> None:
    folder = scene_folders(painted_scenes)[0]
    scene = Scene(folder, load_labels(folder))
    made = scene_pairs(scene, guided, 8)
    assert made is not None
    assert [tuple(p) for p in made.order] == pairs(scene)
    for number, (source, target) in enumerate(pairs(scene)):
        frame, paths = frame_message(scene, source, target)
        pictures = {name: read_picture(path).astype(np.float32) / 255 for name, path in paths.items()}
        c = conditions(frame, pictures, 64, 64, factor=8, guided=guided)
        np.testing.assert_array_equal(made.poses[number, : len(c.poses)], c.poses)
        np.testing.assert_array_equal(made.background_poses[number], c.background_pose)
        np.testing.assert_array_equal(made.rectangles[number, : len(c.poses)], c.rectangles)
        np.testing.assert_array_equal(made.maps[number], c.map_channels.astype(np.float16))
        np.testing.assert_array_equal(made.proxies[number], to_bytes(c.proxy.picture))
        assert made.counts[number] == len(c.poses)
        np.testing.assert_array_equal(made.frames[target], read_picture(scene.picture_path(target)))
        hidden = [bounds_2d(frame.background.source_camera, b) for b in frame.background.hidden_boxes]
        np.testing.assert_allclose(made.hidden[source], hidden, atol=1e-6)


def test_absent_objects_leave_their_slot_empty(make_scene: Callable[..., Path], tmp_path: Path) -> None:
    camera = camera_of_photo(77, 64, 64, camera_height=1.5, pitch=0.35)
    first, second = (box_matrix((x, 4, 0.4), (0.6, 0.6, 0.8)) for x in (-0.7, 0.7))
    folder = make_scene(tmp_path / "s", [camera] * 2, [[first, second], [None, second]], 64, 64)
    made = scene_pairs(Scene(folder, load_labels(folder)), True, 8)
    assert made is not None
    assert [tuple(p) for p in made.order] == [(0, 1)]
    assert made.counts.tolist() == [1]
    assert (made.poses[0, 1] == 0).all()
    assert (made.hidden[1, 0] == 0).all()
    assert (made.hidden[1, 1] != 0).any()


def test_a_scene_without_usable_pairs(make_scene: Callable[..., Path], tmp_path: Path) -> None:
    camera = camera_of_photo(77, 64, 64, camera_height=1.5, pitch=0.35)
    box = box_matrix((0, 4, 0.4), (0.6, 0.6, 0.8))
    folder = make_scene(tmp_path / "train" / "s", [camera], [[box]], 64, 64)
    assert scene_pairs(Scene(folder, load_labels(folder)), True, 8) is None
    files = cache_pairs(tmp_path / "train", tmp_path / "cache", guided=True, factor=8, jobs=1)
    assert load_pairs(files[0]) is None


class TestResuming:
    def test_files_that_are_there_are_kept_and_missing_ones_made(
        self, painted_scenes: Path, tmp_path: Path
    ) -> None:
        cache = tmp_path / "cache"
        files = cache_pairs(painted_scenes, cache, guided=True, factor=8, jobs=1)
        assert [f.name for f in files] == ["00000000.npz", "00000001.npz"]
        kept, gone = files
        before = kept.stat().st_mtime_ns, gone.read_bytes()
        gone.unlink()
        assert cache_pairs(painted_scenes, cache, guided=True, factor=8, jobs=1) == files
        assert kept.stat().st_mtime_ns == before[0]
        first, again = load_pairs(kept), load_pairs(gone)
        assert first is not None
        assert again is not None
        assert len(again.order) == len(first.order)

    def test_half_written_files_are_ignored(self, painted_scenes: Path, tmp_path: Path) -> None:
        cache = tmp_path / "cache"
        cache.mkdir()
        (cache / "00000000.4242.partial").write_bytes(b"PK half a file")
        files = cache_pairs(painted_scenes, cache, guided=True, factor=8, jobs=1)
        assert all(load_pairs(file) is not None for file in files)

    def test_half_rendered_scenes_are_ignored(self, painted_scenes: Path, tmp_path: Path) -> None:
        grown = Path(shutil.copytree(painted_scenes, tmp_path / "train"))
        (grown / "00000002").mkdir()
        assert len(cache_pairs(grown, tmp_path / "cache", guided=True, factor=8, jobs=1)) == 2

    def test_no_scenes(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match="neural-assets dataset render"):
            cache_pairs(tmp_path, tmp_path / "cache", guided=True, factor=8, jobs=1)

    def test_malformed_labels_stop_it(self, painted_scenes: Path, tmp_path: Path) -> None:
        broken = Path(shutil.copytree(painted_scenes, tmp_path / "train"))
        file = broken / "00000001" / "scene.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"extra": 1}))
        with pytest.raises(ValueError, match="extra"):
            cache_pairs(broken, tmp_path / "cache", guided=True, factor=8, jobs=1)
