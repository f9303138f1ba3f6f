"""Show Layers: what the photo was taken apart into, as arrays and as images of Blender's own."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

KINDS = {"outlines", "plate", "shadows", "depth", "normals"}


def pixels_of(image):
    """Return an image's pixels (H, W, 4), the top row first."""
    width, height = image.size
    values = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(values)
    return values.reshape(height, width, 4)[::-1]


def test_layers_are_arrays_of_the_photos_size_by_the_names_of_assets(api, table, settings) -> None:
    layers = api.layers(table)
    assert list(layers.outlines) == list(layers.shadows) == ["Cup", "Jar"]
    for outline in layers.outlines.values():
        assert (outline.shape, outline.dtype) == ((64, 96), np.uint8)
    both = np.minimum(*layers.outlines.values())
    assert not both.any()  # a pixel is one object's
    for shadow in layers.shadows.values():
        assert shadow.shape == (64, 96, 3)
        assert 0 <= shadow.min() <= shadow.max() <= 1
    assert layers.plate.shape == layers.normals.shape == (64, 96, 3)
    assert (layers.depth > 0).all()
    np.testing.assert_allclose(np.linalg.norm(layers.normals, axis=-1), 1, atol=5e-3)


def test_assets_of_one_name_are_told_apart(api, table, settings) -> None:
    for item in table.neural_assets.hidden_boxes:
        item.name = "Cup"
    assert list(api.layers(table).outlines) == ["Cup", "Cup (2)"]


def test_images_show_what_the_arrays_hold(api, table, settings) -> None:
    layers, images = api.layers(table), api.images_of_layers(table)
    assert set(images) == KINDS
    for image in images.values():
        assert tuple(image.size) == (96, 64)
        assert image.packed_file is not None  # it is saved with the file
        assert image.neural_layer.photo == table.neural_assets.photo
    np.testing.assert_allclose(pixels_of(images["plate"])[..., :3] * 255, layers.plate, atol=0.51)
    np.testing.assert_allclose(pixels_of(images["depth"])[..., 0], layers.depth, rtol=1e-6)
    np.testing.assert_allclose(pixels_of(images["normals"])[..., :3], layers.normals, atol=1e-6)
    both = np.prod(list(layers.shadows.values()), axis=0)
    np.testing.assert_allclose(pixels_of(images["shadows"])[..., :3], both, atol=1e-6)
    covered = np.maximum(*layers.outlines.values())
    np.testing.assert_allclose(pixels_of(images["outlines"])[..., 3] * 255, covered, atol=0.51)


def test_made_again_they_are_the_same_images_with_new_pixels(api, table, settings, part) -> None:
    first = api.images_of_layers(table)
    before = pixels_of(first["outlines"]).copy()
    stale = part("layers.photo_layers").are_out_of_date
    assert not stale(table)
    cup = next(item for item in api.assets(table) if item.name == "Cup")
    cup.location.x += 0.2
    api.capture_asset(cup, scene=table)
    assert stale(table)
    again = api.images_of_layers(table)
    assert again == first
    assert not stale(table)
    assert not np.array_equal(pixels_of(again["outlines"]), before)
    assert len([image for image in bpy.data.images if image.neural_layer.photo is not None]) == len(KINDS)


def test_the_operator_does_the_same_and_the_camera_shows_what_is_chosen(api, table, settings) -> None:
    assert bpy.ops.neural_assets.show_layers() == {"FINISHED"}
    photo = table.neural_assets.photo
    (background,) = table.camera.data.background_images
    for kind in sorted(KINDS):
        assert bpy.ops.neural_assets.show_in_camera(kind=kind) == {"FINISHED"}
        assert background.image.neural_layer.kind == kind
    assert bpy.ops.neural_assets.show_in_camera(kind="photo") == {"FINISHED"}
    assert background.image == photo


def test_another_photo_takes_the_place_of_a_layer_behind_the_camera(api, table, settings, make_photo) -> None:
    bpy.ops.neural_assets.show_layers()
    bpy.ops.neural_assets.show_in_camera(kind="plate")
    api.import_photo(make_photo(50, 40), scene=table)
    (background,) = table.camera.data.background_images
    assert background.image == table.neural_assets.photo


def test_what_is_missing_is_said(api, table, no_settings) -> None:
    with pytest.raises(RuntimeError, match="Press Show Layers"):
        bpy.ops.neural_assets.show_in_camera(kind="plate")
    empty = bpy.data.scenes.new("Empty")
    with pytest.raises(api.UserError, match="No photo has been imported"):
        api.layers(empty)


def test_it_can_be_stopped(api, table, settings) -> None:
    with pytest.raises(api.RenderCancelled):
        api.layers(table, should_stop=lambda: True)
    assert api.layers(table).plate.shape == (64, 96, 3)


def test_an_image_that_is_used_is_saved_with_the_file(api, table, settings, tmp_path) -> None:
    images = api.images_of_layers(table)
    depth = pixels_of(images["depth"]).copy()
    bpy.ops.neural_assets.show_in_camera(kind="depth")
    path = tmp_path / "table.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    bpy.ops.wm.open_mainfile(filepath=str(path))
    (again,) = [image for image in bpy.data.images if image.neural_layer.photo]
    assert again.neural_layer.kind == "depth"
    np.testing.assert_allclose(pixels_of(again), depth, rtol=1e-6)


def test_images_follow_the_boxes_once_these_hold_still(api, part, table, settings) -> None:
    """As the timer does, which runs where there is a window."""
    updating = part("layers.updating")
    updating.stop()
    images = api.images_of_layers(table)
    assert updating.follow_boxes() == updating.SECONDS
    assert updating._update.task is None  # nothing has changed
    before = pixels_of(images["outlines"]).copy()
    cup = table.objects["Cup"]
    cup.location.x += 0.4
    api.capture_asset(cup, scene=table)
    updating.follow_boxes()
    cup.location.x += 0.1
    api.capture_asset(cup, scene=table)
    updating.follow_boxes()
    assert updating._update.task is None  # they still move
    updating.follow_boxes()
    assert updating._update.task is not None
    updating._update.task.finish()
    updating.follow_boxes()
    assert updating._update.task is None
    assert not part("layers.photo_layers").are_out_of_date(table)
    assert not np.array_equal(pixels_of(images["outlines"]), before)
    updating.stop()


def test_a_worker_that_fails_is_not_asked_again_and_again(api, part, table, settings, monkeypatch) -> None:
    updating = part("layers.updating")
    updating.stop()
    api.images_of_layers(table)
    cup = table.objects["Cup"]
    cup.location.x += 0.4
    api.capture_asset(cup, scene=table)
    asked = []

    def refused(scene):
        asked.append(scene)
        raise api.UserError("No worker Python is set.")

    monkeypatch.setattr(updating, "start_layers", refused)
    for _ in range(6):
        updating.follow_boxes()
    assert len(asked) == 1
    assert part("layers.photo_layers").are_out_of_date(table)
    updating.stop()
