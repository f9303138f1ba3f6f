"""Add View to Asset: other photos of the same object, wherever the asset goes."""

from __future__ import annotations

import numpy as np
import pytest
from mathutils import Matrix

bpy = pytest.importorskip("bpy")


@pytest.fixture
def cup(table):
    return table.objects["Cup"]


@pytest.fixture
def behind(table, api, make_photo):
    """The same cup in another photo, in a scene of its own."""
    other = bpy.data.scenes.new("Behind")
    api.import_photo(make_photo(80, 72), scene=other)
    return api.add_asset((0.3, 0.2, 0.6, 0.9), name="Cup Behind", scene=other)


def asset_of(api, scene, name="Cup"):
    return next(p.asset for p in api.frame(scene=scene).assets if p.asset.name == name)


def test_an_asset_is_seen_in_the_other_photo_too(api, table, cup, behind) -> None:
    theirs = asset_of(api, bpy.data.scenes["Behind"], "Cup Behind")
    api.add_view(cup, behind)
    (view,) = asset_of(api, table).views
    assert view == theirs.all_views()[0]
    assert asset_of(api, table).photo != view.photo
    assert view.photo in api.frame(scene=table).photos()


@pytest.mark.parametrize("turn", [1, 2, 3])
def test_its_front_is_brought_to_the_objects_front(api, table, cup, behind, turn) -> None:
    theirs = asset_of(api, bpy.data.scenes["Behind"], "Cup Behind").source_box.world_from_box
    api.add_view(cup, behind, turn=turn)
    (view,) = asset_of(api, table).views
    quarter = np.array(Matrix.Rotation(turn * np.pi / 2, 4, "Z"))
    np.testing.assert_allclose(view.source_box.world_from_box, theirs @ quarter, atol=1e-6)


def test_the_donor_may_be_deleted_and_copies_keep_the_view(api, table, cup, behind) -> None:
    api.add_view(cup, behind)
    before = asset_of(api, table).views
    bpy.data.objects.remove(behind)
    bpy.data.scenes.remove(bpy.data.scenes["Behind"])
    copy = cup.copy()
    copy.name = "Second Cup"
    table.collection.objects.link(copy)
    assert asset_of(api, table, "Second Cup").views == before
    api.replace_asset(table.objects["Jar"], cup)
    assert asset_of(api, table, "Jar").views == before


def test_views_survive_saving(api, table, cup, behind, tmp_path) -> None:
    api.add_view(cup, behind)
    before = asset_of(api, table).views
    path = str(tmp_path / "table.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path, load_ui=False)
    scene = next(each for each in bpy.data.scenes if each.name != "Behind")
    assert asset_of(api, scene).views == before


def test_a_half_turn_shows_the_other_photo(api, table, cup, behind, settings) -> None:
    cup.rotation_euler.z += np.pi
    one = api.render_frame(scene=table)
    api.add_view(cup, behind)
    two = api.render_frame(scene=table)
    assert not np.array_equal(one, two)
    api.remove_view(cup, 0)
    np.testing.assert_array_equal(api.render_frame(scene=table), one)


def test_errors_say_what_to_do(api, table, cup, behind) -> None:
    with pytest.raises(api.UserError, match=r"same photo.*scene of its own"):
        api.add_view(cup, cup)
    with pytest.raises(api.UserError, match="is not an asset"):
        api.add_view(cup, table.camera)
    with pytest.raises(api.UserError, match="no view number 0"):
        api.remove_view(cup, 0)


def test_operators_do_what_the_functions_do(api, table, cup, behind) -> None:
    table.view_layers[0].objects.active = cup
    assert bpy.ops.neural_assets.add_view(donor="Cup Behind", turn=2) == {"FINISHED"}
    assert len(cup.neural_asset.views) == 1
    with pytest.raises(RuntimeError, match="There is no object 'Nobody'"):
        bpy.ops.neural_assets.add_view(donor="Nobody")
    assert bpy.ops.neural_assets.remove_view(number=0) == {"FINISHED"}
    assert not cup.neural_asset.views
