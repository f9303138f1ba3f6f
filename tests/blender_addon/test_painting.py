"""Edit Outline, Edit Shadow, Edit Plate: what is painted is the layer, and nothing of it is lost."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from PIL import Image

bpy = pytest.importorskip("bpy")


def pixels_of(image):
    """Return an image's pixels (H, W, 3) from 0 to 255, the top row first."""
    width, height = image.size
    values = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(values)
    return np.rint(255 * values.reshape(height, width, -1)[::-1, :, :3]).astype(int)


def paint(image, rows, columns, level):
    """Paint a rectangle of an image, as a brush does: without saving or packing it."""
    width, height = image.size
    values = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(values)
    values.reshape(height, width, -1)[::-1][rows, columns, :3] = level / 255
    image.pixels.foreach_set(values)
    image.update()


@pytest.fixture
def cup(table):
    return table.objects["Cup"]


def message_of(api, scene, name="Cup"):
    frame = api.frame(scene=scene)
    return next(placed.asset for placed in frame.assets if placed.asset.name == name)


@examples(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.booleans(), st.integers(0, 99))
def test_any_reader_of_png_files_reads_the_same_pixels(part, width, height, coloured, seed) -> None:
    shape = (height, width, 3) if coloured else (height, width)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    data = part("scene.png").png_bytes(pixels)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)
    assert part("scene.png").png_bytes(pixels) == data


def test_an_outline_begins_as_the_networks(api, table, cup, settings) -> None:
    before, layers = api.render_frame(scene=table), api.layers(table)
    image = api.edit_outline(cup, scene=table)
    assert tuple(image.size) == (96, 64)
    assert image.packed_file is not None
    assert image.colorspace_settings.name == "Non-Color"
    np.testing.assert_array_equal(pixels_of(image)[..., 0], layers.outlines["Cup"])
    assert api.edit_outline(cup, scene=table) == image  # the second time it is the same one
    assert np.abs(api.render_frame(scene=table).astype(int) - before).max() == 0


def test_frames_show_what_was_painted_and_not_yet_saved(api, table, cup, settings) -> None:
    image = api.edit_outline(cup, scene=table)
    first = message_of(api, table)
    cup.location.x += 0.3
    before = api.render_frame(scene=table)
    paint(image, slice(20, 60), slice(15, 40), 255)
    second = message_of(api, table)
    assert first.outline is not None
    assert second.outline not in (None, first.outline)
    assert not np.array_equal(api.render_frame(scene=table), before)
    np.testing.assert_array_equal(api.layers(table).outlines["Cup"][20:60, 15:40], 255)


def test_reset_goes_back_to_the_network(api, table, cup, settings) -> None:
    before = api.frame(scene=table)
    image = api.edit_outline(cup, scene=table)
    api.edit_shadow(cup, scene=table)
    api.edit_plate(table)
    paint(image, slice(0, 64), slice(0, 96), 255)
    api.reset_outline(cup, scene=table)
    api.reset_shadow(cup, scene=table)
    api.reset_plate(table)
    assert api.frame(scene=table) == before


def test_a_shadow_is_white_where_there_is_none(api, table, cup, settings) -> None:
    image = api.edit_shadow(cup, scene=table)
    assert image.colorspace_settings.name != "Non-Color"
    paint(image, slice(50, 60), slice(5, 20), 128)
    shadow = api.layers(table).shadows["Cup"]
    assert shadow[:40].min() > 0.99 or shadow[0, 0].min() == 1
    np.testing.assert_allclose(shadow[50:60, 5:20], 0.2159, atol=2e-3)  # sRGB's 128 in linear light


def test_a_painted_plate_shows_where_an_object_was(api, table, cup, settings) -> None:
    plate = api.edit_plate(table)
    paint(plate, slice(0, 64), slice(0, 96), 77)
    was = api.layers(table).outlines["Cup"] == 255
    cup.hide_render = True
    shown = api.render_frame(scene=table)
    np.testing.assert_array_equal(shown[was], 77)


def test_a_deleted_object_leaves_along_its_outline(api, table, cup, settings) -> None:
    api.edit_outline(cup, scene=table)
    outline = message_of(api, table).outline
    bpy.data.objects.remove(cup)
    background = api.frame(scene=table).background
    assert background.outlines == (outline, None)


def test_duplicates_and_appended_assets_keep_what_was_painted(api, table, cup, settings, tmp_path) -> None:
    image = api.edit_outline(cup, scene=table)
    paint(image, slice(30, 40), slice(20, 30), 200)
    outline = message_of(api, table).outline
    copy = cup.copy()
    table.collection.objects.link(copy)
    assert message_of(api, table, copy.name).outline == outline
    path = str(tmp_path / "table.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True, load_ui=False)
    with bpy.data.libraries.load(path) as (_, target):
        target.objects = ["Cup"]
    (appended,) = target.objects
    np.testing.assert_array_equal(pixels_of(appended.neural_asset.outline)[30:40, 20:30], 200)


def test_what_was_painted_is_saved_with_the_file(api, table, cup, settings, tmp_path) -> None:
    image = api.edit_outline(cup, scene=table)
    paint(image, slice(30, 40), slice(20, 30), 200)
    before = api.frame(scene=table)
    path = str(tmp_path / "table.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    assert api.frame() == before


def test_an_asset_of_another_photo_has_its_own_photos_outline(api, table, settings, make_photo) -> None:
    shelf = bpy.data.scenes.new("Shelf")
    api.import_photo(make_photo(48, 40, "shelf.png"), scene=shelf)
    donor = api.add_asset((0.3, 0.3, 0.7, 0.9), name="Box", scene=shelf)
    guest = api.append_asset(donor, name="Guest", scene=table)
    image = api.edit_outline(guest, scene=table)
    assert tuple(image.size) == (48, 40)
    assert message_of(api, table, "Guest").outline is not None
    api.replace_asset(table.objects["Cup"], guest)
    assert table.objects["Cup"].neural_asset.outline == image


def test_on_another_photo_an_asset_forgets_what_was_painted(api, table, cup, settings, make_photo) -> None:
    api.edit_outline(cup, scene=table)
    api.import_photo(make_photo(50, 40), scene=table)
    api.capture_asset(cup, (0.2, 0.2, 0.5, 0.8), scene=table)
    assert cup.neural_asset.outline is None
    assert message_of(api, table).outline is None


@pytest.mark.parametrize("layer", ["outline", "shadow_image", "plate"])
def test_the_operators_do_the_same(api, table, cup, settings, layer) -> None:
    bpy.context.view_layer.objects.active = cup
    owner = table.neural_assets if layer == "plate" else cup.neural_asset
    assert bpy.ops.neural_assets.edit_layer(layer=layer) == {"FINISHED"}
    image = getattr(owner, layer)
    assert image is not None
    assert bpy.ops.neural_assets.edit_layer(layer=layer) == {"FINISHED"}
    assert getattr(owner, layer) == image
    assert bpy.ops.neural_assets.reset_layer(layer=layer) == {"FINISHED"}
    assert getattr(owner, layer) is None
    assert bpy.ops.neural_assets.reset_layer(layer=layer) == {"CANCELLED"}


def test_editing_can_be_undone(api, table, cup, settings) -> None:
    bpy.context.view_layer.objects.active = cup
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.neural_assets.edit_layer(layer="outline")
    bpy.ops.ed.undo_push(message="after")
    bpy.ops.ed.undo()
    scene = bpy.context.scene
    assert scene.objects["Cup"].neural_asset.outline is None
    assert message_of(api, scene).outline is None


def test_what_cannot_be_used_is_said_with_the_way_out(api, table, cup, settings) -> None:
    image = api.edit_outline(cup, scene=table)
    paint(image, slice(0, 64), slice(0, 96), 0)
    with pytest.raises(api.UserError, match=r"black all over.*Reset Outline"):
        api.frame(scene=table)
    api.reset_outline(cup, scene=table)
    cup.neural_asset.outline = bpy.data.images.new("Square", 32, 32)
    with pytest.raises(api.UserError, match=r"32 x 32 pixels, and its photo 96 x 64.*Reset Outline"):
        api.render_frame(scene=table)
    cup.neural_asset.outline = bpy.data.images.new("Half", 48, 32)  # of the same shape
    cup.neural_asset.outline.generated_color = (1, 1, 1, 1)
    assert message_of(api, table).outline is not None
    bpy.context.view_layer.objects.active = None
    with pytest.raises(RuntimeError, match="No asset is active"):
        bpy.ops.neural_assets.edit_layer(layer="outline")
    with pytest.raises(api.UserError, match="is not an asset"):
        api.edit_outline(table.camera, scene=table)


def test_the_outline_in_an_image_editor_is_drawn_over_the_photo(part, api, table, cup, settings) -> None:
    painted_now = part("layers.outline_overlay").painted_now
    outline, other = api.edit_outline(cup, scene=table), bpy.data.images.new("Other", 8, 8)
    editors = [(screen, area) for screen in bpy.data.screens for area in screen.areas]
    screen, editor = next(both for both in editors if both[1].type == "IMAGE_EDITOR")
    editor.spaces.active.image = other
    assert list(painted_now(table, [screen])) == []
    editor.spaces.active.image = outline
    assert list(painted_now(table, [screen])) == [outline]
    api.reset_outline(cup, scene=table)
    assert list(painted_now(table, [screen])) == []
