"""Assets: capture, undo, duplicate, delete, append."""

from __future__ import annotations

import bpy
import numpy as np
import pytest

from na_core.geometry.boxes import bounds_2d, box_matrix, source_quarter_turns
from na_core.scene import Box


def box(asset):
    return Box(np.array(asset.matrix_world))


@pytest.mark.parametrize("size", [(96, 64), (64, 96)])
@pytest.mark.parametrize("rectangle", [(0.1, 0.4, 0.3, 0.8), (0.55, 0.3, 0.9, 0.95), (0.2, 0.7, 0.9, 0.85)])
def test_the_box_fits_the_rectangle(api, scene, make_photo, size, rectangle):
    api.import_photo(make_photo(*size))
    asset = api.add_asset(rectangle, name="Cup")
    assert np.abs(np.array(bounds_2d(api.photo_camera(), box(asset))) - rectangle).max() < 0.01
    assert tuple(asset.neural_asset.source_box_2d) == pytest.approx(rectangle)


def test_the_empty_is_the_box(api, table):
    cup = table.objects["Cup"]
    assert (cup.type, cup.empty_display_type, cup.empty_display_size) == ("EMPTY", "CUBE", 0.5)
    properties = cup.neural_asset
    assert properties.is_asset
    assert properties.photo == table.neural_assets.photo
    source = Box(np.array(properties.source_box).reshape(4, 4))
    assert source == box(cup)  # to the last bit
    assert properties.quarter_turns == source_quarter_turns(source, api.photo_camera())
    assert [asset.name for asset in api.assets()] == ["Cup", "Jar"]


def test_a_known_box(api, scene, make_photo):
    api.import_photo(make_photo())
    matrix = box_matrix((0.2, 4.0, 0.3), (0.5, 0.4, 0.6), 0.7)
    asset = api.add_asset(name="Known", world_from_box=matrix)
    assert np.allclose(np.array(asset.matrix_world), matrix, atol=1e-6)
    expected = bounds_2d(api.photo_camera(), Box(matrix))
    assert tuple(asset.neural_asset.source_box_2d) == pytest.approx(expected, abs=1e-5)
    assert asset.neural_asset.quarter_turns == source_quarter_turns(Box(matrix), api.photo_camera())


def test_hidden_boxes_remember_a_deleted_asset(api, table):
    cup = table.objects["Cup"]
    matrix = np.array(cup.matrix_world)
    bpy.data.objects.remove(cup)
    hidden = api.frame().background.hidden_boxes
    assert len(hidden) == 2
    assert hidden[0] == Box(matrix)
    assert [placed.asset.name for placed in api.frame().assets] == ["Jar"]


def test_capturing_again_moves_the_hidden_box(api, table):
    cup = table.objects["Cup"]
    cup.location.x += 0.1
    for item in table.objects:
        item.select_set(item == cup)
    bpy.ops.neural_assets.capture_source()
    assert len(table.neural_assets.hidden_boxes) == 2
    assert api.frame().background.hidden_boxes[0] == box(cup)
    assert api.frame().assets[0].asset.source_box == box(cup)


def test_a_duplicate_inherits_everything(api, table):
    cup = table.objects["Cup"]
    copy = cup.copy()
    table.collection.objects.link(copy)
    copy.location.x += 0.4
    first, second, _ = api.frame().assets
    assert second.asset.name == "Cup.001"
    for name in ("photo", "source_box", "source_camera", "source_box_2d", "quarter_turns"):
        assert getattr(first.asset, name) == getattr(second.asset, name)
    assert first.box != second.box
    assert len(api.frame().background.hidden_boxes) == 2


def test_an_appended_asset_brings_its_photo(api, table, tmp_path, make_photo):
    before = api.frame()
    library = tmp_path / "library.blend"
    bpy.data.libraries.write(str(library), {table.objects["Cup"]}, fake_user=True)
    bpy.ops.wm.read_homefile(use_empty=True, load_ui=False)
    scene = bpy.context.scene
    api.import_photo(make_photo(50, 50))
    with bpy.data.libraries.load(str(library)) as (_, wanted):
        wanted.objects = ["Cup"]
    scene.collection.objects.link(wanted.objects[0])
    after = api.frame()
    assert after.assets[0].asset == before.assets[0].asset
    assert after.background.photo != before.background.photo
    assert len(after.photos()) == 2


def test_operator_without_a_window(api, table):
    rectangle = (0.4, 0.5, 0.55, 0.85)
    add = bpy.ops.neural_assets.add_asset_from_box
    assert add(rectangle=rectangle, name="Box", fit="rectangle") == {"FINISHED"}
    assert bpy.context.object.name == "Box"
    assert np.abs(np.array(bounds_2d(api.photo_camera(), box(bpy.context.object))) - rectangle).max() < 0.01


def test_a_rectangle_around_an_asset_gives_it_a_new_box_or_adds_another(api, table):
    cup = bpy.data.objects["Cup"]
    x0, y0, x1, y1 = cup.neural_asset.source_box_2d
    wider, before = (x0, y0, x1 + 0.02, y1), cup.matrix_world.copy()
    add = bpy.ops.neural_assets.add_asset_from_box
    assert add(rectangle=wider, name="Mug", fit="rectangle") == {"FINISHED"}
    assert [asset.name for asset in api.assets()] == ["Cup", "Jar"]
    assert cup.matrix_world != before
    assert tuple(cup.neural_asset.source_box_2d) == pytest.approx(wider, abs=1e-6)
    assert len(bpy.context.scene.neural_assets.hidden_boxes) == 2  # the old box hides nothing any more
    assert bpy.context.object == cup
    assert add(rectangle=wider, name="Mug", fit="rectangle", existing="keep") == {"FINISHED"}
    assert [asset.name for asset in api.assets()] == ["Cup", "Jar", "Mug"]
    assert api.add_asset(wider, existing="replace") in api.assets()
    assert len(api.assets()) == 3
    assert api.add_asset(wider, name="Beside").name == "Beside"
    assert len(api.assets()) == 4


def test_undo(api, table):
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.neural_assets.add_asset_from_box(
        "EXEC_DEFAULT", True, rectangle=(0.4, 0.5, 0.6, 0.9), name="Extra", fit="rectangle"
    )
    assert len(api.assets()) == 3
    bpy.ops.ed.undo()
    scene = bpy.context.scene
    assert [asset.name for asset in api.assets()] == ["Cup", "Jar"]
    assert len(scene.neural_assets.hidden_boxes) == 2
    bpy.ops.ed.redo()
    assert len(api.assets()) == 3


def test_every_edit_has_undo(addon):
    for name in ("import_photo", "capture_photo_camera", "add_asset_from_box", "capture_source"):
        assert "UNDO" in getattr(bpy.types, f"NEURAL_ASSETS_OT_{name}").bl_options


def test_errors_name_the_fix(api, scene, make_photo):
    with pytest.raises(api.UserError, match=r"No photo has been imported .*File > Import > Photo"):
        api.add_asset((0.1, 0.1, 0.2, 0.2))
    api.import_photo(make_photo(), pitch=0.0)
    with pytest.raises(api.UserError, match=r"meets no ground in front of the camera.*lower the horizon"):
        api.add_asset((0.4, 0.1, 0.6, 0.3))
    with pytest.raises(api.UserError, match="does not lie inside the photo"):
        api.add_asset((0.4, 0.5, 1.6, 0.9))
    with pytest.raises(api.UserError, match="needs a place in the photo"):
        api.add_asset()
    with pytest.raises(api.UserError, match="The photo does not show the box of 'Lost'"):
        api.add_asset(name="Lost", world_from_box=box_matrix((0, -5, 0), (1, 1, 1)))
    with pytest.raises(api.UserError, match="not a 4 x 4 matrix"):
        api.add_asset(name="Odd", world_from_box=[1, 2, 3])
    assert api.assets() == []
