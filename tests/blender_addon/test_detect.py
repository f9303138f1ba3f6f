"""Detect Objects: the photo's objects become assets under the camera that was found."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
from na_core.data.scenes import scenes  # noqa: E402
from na_core.geometry.boxes import bounds_2d, box_corners  # noqa: E402
from na_core.scene import Box  # noqa: E402

BENCH = Path(__file__).resolve().parents[2] / "na_core" / "evaluation" / "scenes" / "test.tar"

LOW = 0.05
"""A threshold that finds things in any photo of objects."""


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A held-out photo with objects."""
    path = tmp_path_factory.mktemp("photos") / "objects.png"
    path.write_bytes(next(iter(scenes(BENCH))).picture_bytes(0))
    return path


@pytest.fixture
def imported(api, scene, photo):
    api.import_photo(photo, scene=scene)
    return scene


def test_objects_become_named_assets_in_a_collection(api, imported, settings) -> None:
    found = api.detect(imported, threshold=LOW)
    assert found
    assert found == list(imported.collection.children["Detected Objects"].objects)
    camera = api.photo_camera(imported)
    for item in found:
        properties = item.neural_asset
        assert properties.is_asset
        assert LOW <= properties.score <= 1
        assert item.show_name
        matrix = np.array(item.matrix_world)
        assert box_corners(matrix)[:, 2].min() == pytest.approx(0, abs=1e-4)
        # The 3D box is seen about where the object is.
        seen, told = np.array(bounds_2d(camera, Box(matrix))), np.array(properties.source_box_2d)
        assert np.abs((seen[:2] + seen[2:]) / 2 - (told[:2] + told[2:]) / 2).max() < 0.25
    assert len({tuple(np.round(item.color, 3)) for item in found}) == len(found)
    assert len(api.frame(scene=imported).assets) == len(found)


def test_the_camera_becomes_the_one_that_was_found(api, imported, settings) -> None:
    before = api.photo_camera(imported)
    api.detect(imported, threshold=LOW)
    after = api.photo_camera(imported)
    assert not np.allclose(before.world_from_camera[:3, :3], after.world_from_camera[:3, :3], atol=1e-3)
    np.testing.assert_allclose(before.world_from_camera[:3, 3], after.world_from_camera[:3, 3], atol=1e-5)
    now = api.frame(scene=imported).camera  # the scene's camera went along
    np.testing.assert_allclose(now.world_from_camera, after.world_from_camera, atol=1e-5)


def test_a_second_time_nothing_is_added_twice_and_the_camera_stays(api, imported, settings) -> None:
    first = api.detect(imported, threshold=LOW)
    camera, frame = api.photo_camera(imported), api.frame(scene=imported)
    first[0].location.x += 0.5
    again = api.detect(imported, threshold=LOW)
    assert len(again) < len(first)
    assert api.photo_camera(imported) == camera
    assert len(api.frame(scene=imported).assets) == len(frame.assets) + len(again)


def test_a_camera_with_assets_under_it_stays_and_boxes_go_under_it(api, imported, settings) -> None:
    api.add_asset((0.01, 0.9, 0.06, 0.99), name="Mine", scene=imported)
    camera = api.photo_camera(imported)
    found = api.detect(imported, threshold=LOW)
    assert api.photo_camera(imported) == camera
    for item in found:
        assert box_corners(np.array(item.matrix_world))[:, 2].min() == pytest.approx(0, abs=1e-4)


def test_a_matched_camera_stays_and_stands_objects_on_its_ground(api, imported, settings) -> None:
    camera = api.photo_camera(imported)
    imported.camera.rotation_euler.z += 0.4  # whichever way it looks
    imported.camera.rotation_euler.x += 0.1
    imported.view_layers[0].update()
    api.capture_photo_camera(imported)
    matched = api.photo_camera(imported)
    assert matched != camera
    found = api.detect(imported, threshold=LOW)
    assert api.photo_camera(imported) == matched
    for item in found:
        matrix = np.array(item.matrix_world)
        assert box_corners(matrix)[:, 2].min() == pytest.approx(0, abs=1e-4)
        seen, told = np.array(bounds_2d(matched, Box(matrix))), np.array(item.neural_asset.source_box_2d)
        assert abs(seen[0] + seen[2] - told[0] - told[2]) / 2 < 0.1  # in the direction that it was seen in


def test_a_photo_without_objects_ends_in_a_message(api, part, scene, make_photo, settings) -> None:
    api.import_photo(make_photo(), scene=scene)
    assert api.detect(scene, threshold=1.0) == []
    summary = part("detection.detect").summary
    assert "Add Asset from Box" in summary(part("detection.result").Detection(None, ()), [])
    with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0]):
        assert bpy.ops.neural_assets.detect(threshold=1.0) == {"CANCELLED"}  # a warning, not an error


def test_without_a_photo_the_fix_is_named(api, scene) -> None:
    with pytest.raises(api.UserError, match="Import"):
        api.detect(scene)


def test_the_button_selects_what_it_found(api, imported, settings) -> None:
    with bpy.context.temp_override(scene=imported, view_layer=imported.view_layers[0]):
        assert bpy.ops.neural_assets.detect(threshold=LOW) == {"FINISHED"}
    assert api.assets(imported)


def test_it_can_be_cancelled_and_changes_nothing_then(api, imported, settings) -> None:
    before = api.photo_camera(imported)
    with pytest.raises(api.RenderCancelled):
        api.detect(imported, should_stop=lambda: True)
    assert api.assets(imported) == []
    assert api.photo_camera(imported) == before
    assert not [t for t in threading.enumerate() if t.name == "neural-assets-detect"]


def test_a_worker_that_dies_is_a_sentence_and_the_next_one_answers(api, imported, settings, part) -> None:
    api.detect(imported, threshold=LOW)
    part("worker.supervisor").stop()
    imported.neural_assets.hidden_boxes.clear()
    for item in api.assets(imported):
        bpy.data.objects.remove(item)
    assert api.detect(imported, threshold=LOW)
