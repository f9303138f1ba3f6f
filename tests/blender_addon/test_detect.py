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


def test_the_camera_alone_is_found_and_boxes_stay(api, part, imported, settings) -> None:
    mine = api.add_asset((0.3, 0.5, 0.5, 0.8), name="Mine", scene=imported)
    box, captured = mine.matrix_world.copy(), tuple(mine.neural_asset.source_box)
    before = api.photo_camera(imported)
    found = api.detect_camera(imported)
    assert found == api.photo_camera(imported)
    assert not np.allclose(before.world_from_camera[:3, :3], found.world_from_camera[:3, :3], atol=1e-3)
    assert api.assets(imported) == [mine]
    assert mine.matrix_world == box
    assert tuple(mine.neural_asset.source_box) == captured
    assert 0 < imported.neural_assets.focal_length_doubt < 1
    told = part("render.problems").warnings(imported)
    assert any("guessed from the photo, ±" in text for text in told)
    with bpy.context.temp_override(scene=imported, view_layer=imported.view_layers[0]):
        assert bpy.ops.neural_assets.detect_camera() == {"FINISHED"}
    assert api.photo_camera(imported) == found


def test_a_known_focal_length_stays_and_is_not_doubted(api, part, scene, photo, settings) -> None:
    api.import_photo(photo, scene=scene, focal_length_35mm=35)
    before = api.photo_camera(scene)
    after = api.detect_camera(scene)
    assert after.fx == pytest.approx(before.fx, rel=1e-5)
    assert scene.neural_assets.focal_length_doubt == 0
    assert not any("focal length" in text for text in part("render.problems").warnings(scene))


def test_a_box_is_fitted_to_what_the_photo_shows_in_a_rectangle(api, imported, settings) -> None:
    first = next(iter(scenes(BENCH))).labels.frames[0]
    rectangle = first.boxes_2d[0]
    asset = api.add_asset(rectangle, name="Fitted", fit="photo", scene=imported)
    matrix = np.array(asset.matrix_world)
    assert box_corners(matrix)[:, 2].min() == pytest.approx(0, abs=1e-4)
    assert tuple(asset.neural_asset.source_box_2d) == pytest.approx(rectangle, abs=1e-6)
    seen = np.array(bounds_2d(api.photo_camera(imported), Box(matrix)))
    assert np.abs(seen - rectangle).max() < 0.1
    add = bpy.ops.neural_assets.add_asset_from_box
    with bpy.context.temp_override(scene=imported, view_layer=imported.view_layers[0]):
        assert add(rectangle=rectangle, name="Again") == {"FINISHED"}  # the photo, and Replace, by default
    assert api.assets(imported) == [asset]
    np.testing.assert_allclose(np.array(asset.matrix_world), matrix, atol=1e-4)


def test_without_a_worker_the_rectangle_alone_makes_the_box(api, imported, settings, monkeypatch) -> None:
    monkeypatch.setenv("NEURAL_ASSETS_WORKER_PYTHON", "/nowhere/python")
    with pytest.raises(api.UserError):
        api.add_asset((0.3, 0.5, 0.5, 0.8), fit="photo", scene=imported)
    with bpy.context.temp_override(scene=imported, view_layer=imported.view_layers[0]):
        add = bpy.ops.neural_assets.add_asset_from_box
        assert add(rectangle=(0.3, 0.5, 0.5, 0.8), name="Alone") == {"FINISHED"}
    (asset,) = api.assets(imported)
    seen = bounds_2d(api.photo_camera(imported), Box(np.array(asset.matrix_world)))
    assert seen == pytest.approx((0.3, 0.5, 0.5, 0.8), abs=0.01)


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
