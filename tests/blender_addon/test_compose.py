"""Objects and backgrounds of several photos in one scene are frames like any other."""

from __future__ import annotations

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")


@pytest.fixture
def shelf(api, make_photo):
    """Another scene, with a photo of its own and an asset, Box."""
    scene = bpy.data.scenes.new("Shelf")
    api.import_photo(make_photo(48, 40, "shelf.png"), scene=scene)
    api.add_asset((0.3, 0.3, 0.7, 0.9), name="Box", scene=scene)
    yield scene
    bpy.data.scenes.remove(scene)


def placed(api, scene) -> dict:
    return {item.asset.name: item for item in api.frame(scene=scene).assets}


def test_a_replaced_object_is_the_others_in_its_own_place(api, table, shelf) -> None:
    cup, donor = table.objects["Cup"], shelf.objects["Box"]
    before = placed(api, table)["Cup"]
    api.replace_asset(cup, donor)
    after = placed(api, table)["Cup"]
    assert after.asset.photo == placed(api, shelf)["Box"].asset.photo != before.asset.photo
    assert after.asset.source_box == placed(api, shelf)["Box"].asset.source_box
    # As large, on the same place of the ground, in the donor's proportions.
    old, new = (item.box.world_from_box for item in (before, after))
    sizes = [np.linalg.norm(m[:3, :3], axis=0) for m in (old, new, donor_box(api, shelf))]
    assert np.prod(sizes[1]) == pytest.approx(np.prod(sizes[0]), rel=1e-4)
    np.testing.assert_allclose(sizes[1] / sizes[1][0], sizes[2] / sizes[2][0], rtol=1e-4)
    undersides = [m @ (0, 0, -0.5, 1) for m in (old, new)]
    np.testing.assert_allclose(undersides[0], undersides[1], atol=1e-5)
    # The cup itself is gone: its box stays hidden.
    assert len(api.frame(scene=table).background.hidden_boxes) == 2
    assert len(api.frame(scene=table).photos()) == 2


def donor_box(api, shelf) -> np.ndarray:
    return placed(api, shelf)["Box"].asset.source_box.world_from_box


def test_a_replaced_object_may_be_stretched_to_the_box(api, table, shelf) -> None:
    before = placed(api, table)["Cup"].box
    api.replace_asset(table.objects["Cup"], shelf.objects["Box"], keep_proportions=False)
    assert placed(api, table)["Cup"].box == before


def test_an_appended_object_stands_where_it_stood_and_moves_alone(api, table, shelf) -> None:
    donor = shelf.objects["Box"]
    donor.keyframe_insert("location", frame=1)
    copy = api.append_asset(donor, name="Guest", scene=table)
    assert placed(api, table)["Guest"].box == placed(api, shelf)["Box"].box
    copy.location.x += 1
    assert placed(api, table)["Guest"].box != placed(api, shelf)["Box"].box
    assert copy.animation_data is None
    assert len(api.frame(scene=table).background.hidden_boxes) == 2  # nothing of the table's photo is hidden


def test_another_scenes_background_comes_without_its_objects(api, table, shelf) -> None:
    before = api.frame(scene=table)
    api.swap_background(shelf, scene=table)
    after = api.frame(scene=table)
    assert after.background == api.frame(scene=shelf).background
    assert len(after.background.hidden_boxes) == 1
    assert after.camera == before.camera
    assert after.assets == before.assets


def test_what_is_known_of_the_photos_camera_comes_with_it(api, table, shelf) -> None:
    api.capture_photo_camera(table)
    assert table.neural_assets.camera_matched
    shelf.neural_assets.camera_matched, shelf.neural_assets.focal_length_assumed = False, False
    api.swap_background(shelf, scene=table)
    assert not table.neural_assets.camera_matched
    assert not table.neural_assets.focal_length_assumed


def test_what_cannot_be_composed_is_said(api, table, shelf) -> None:
    with pytest.raises(api.UserError, match="cannot replace itself"):
        api.replace_asset(table.objects["Cup"], table.objects["Cup"])
    with pytest.raises(api.UserError, match="is not an asset"):
        api.replace_asset(table.objects["Cup"], table.camera)
    with pytest.raises(api.UserError, match="is not an asset"):
        api.append_asset(table.camera, scene=table)
    with pytest.raises(api.UserError, match="this scene's already"):
        api.swap_background(table, scene=table)
    empty = bpy.data.scenes.new("Empty")
    with pytest.raises(api.UserError, match="has no photo"):
        api.swap_background(empty, scene=table)
    bpy.data.scenes.remove(empty)


def test_composed_frames_render(api, table, shelf, settings) -> None:
    api.append_asset(shelf.objects["Box"], scene=table)
    composed = api.render_frame(scene=table)
    api.swap_background(shelf, scene=table)
    swapped = api.render_frame(scene=table)
    assert composed.shape == swapped.shape
    assert not np.array_equal(composed, swapped)


def test_the_buttons_do_the_same(api, table, shelf) -> None:
    with bpy.context.temp_override(scene=table, view_layer=table.view_layers[0]):
        assert bpy.ops.neural_assets.swap_background(scene="Shelf") == {"FINISHED"}
        with pytest.raises(RuntimeError, match="no scene 'Nowhere'"):
            bpy.ops.neural_assets.swap_background(scene="Nowhere")
        copy = api.append_asset(shelf.objects["Box"], scene=table)
        for item in (table.objects["Cup"], copy):
            item.select_set(True, view_layer=table.view_layers[0])
        table.view_layers[0].objects.active = copy
        assert bpy.ops.neural_assets.replace_asset() == {"FINISHED"}
    assert placed(api, table)["Cup"].asset.photo == placed(api, shelf)["Box"].asset.photo
