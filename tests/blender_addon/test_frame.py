"""Frame messages come from the evaluated scene: whatever moves an empty moves the asset."""

from __future__ import annotations

import math

import bpy
import numpy as np
import pytest
from mathutils import Matrix

from na_core.scene import RenderJob, Sampling


def boxes(api, number=None):
    return {placed.asset.name: placed.box.world_from_box for placed in api.frame(number).assets}


def test_an_unmoved_frame_is_its_own_source(api, table):
    frame = api.frame()
    assert [placed.asset.name for placed in frame.assets] == ["Cup", "Jar"]
    for placed in frame.assets:
        assert placed.box == placed.asset.source_box
        assert placed.asset.source_camera == frame.background.source_camera
    assert np.allclose(
        frame.camera.world_from_camera, frame.background.source_camera.world_from_camera, atol=1e-7
    )
    assert frame.background.hidden_boxes == tuple(placed.box for placed in frame.assets)
    assert len(frame.photos()) == 1
    assert RenderJob.from_json(RenderJob((frame,)).to_json()).frames == (frame,)


def test_keyframes(api, table):
    cup = table.objects["Cup"]
    x = cup.location.x
    cup.keyframe_insert("location", frame=1)
    cup.location.x = x + 0.5
    cup.keyframe_insert("location", frame=11)
    table.frame_set(3)
    assert boxes(api, 1)["Cup"][0, 3] == pytest.approx(x)
    assert boxes(api, 11)["Cup"][0, 3] == pytest.approx(x + 0.5)
    assert table.frame_current == 3


def test_parents_shear_included(api, table):
    parent = bpy.data.objects.new("Parent", None)
    table.collection.objects.link(parent)
    cup = table.objects["Cup"]
    cup.rotation_euler.z = 0.6
    table.view_layers[0].update()
    before = np.array(cup.matrix_world)
    cup.parent = parent
    parent.scale = (1.5, 1.0, 1.0)
    parent.location = (0.1, 0.2, 0.0)
    change = np.array(Matrix.Translation(parent.location) @ Matrix.Diagonal((1.5, 1, 1, 1)))
    found = boxes(api)["Cup"]
    assert np.allclose(found, change @ before, atol=1e-5)
    axes = found[:3, :2] / np.linalg.norm(found[:3, :2], axis=0)
    assert abs(axes[:, 0] @ axes[:, 1]) > 0.05  # sheared


def test_constraints(api, table):
    constraint = table.objects["Cup"].constraints.new("COPY_LOCATION")
    constraint.target = table.objects["Jar"]
    found = boxes(api)
    assert np.allclose(found["Cup"][:3, 3], found["Jar"][:3, 3])


def test_drivers(api, table):
    curve = table.objects["Cup"].driver_add("location", 0)
    curve.driver.expression = "frame * 0.01"
    assert boxes(api, 20)["Cup"][0, 3] == pytest.approx(0.2)


def test_instances(api, table):
    collection = bpy.data.collections.new("Prop")
    cup = table.objects["Cup"]
    collection.objects.link(cup)
    table.collection.objects.unlink(cup)
    for offset in (0.0, 0.3):
        instance = bpy.data.objects.new("Instance", None)
        instance.instance_type = "COLLECTION"
        instance.instance_collection = collection
        instance.location.x = offset
        table.collection.objects.link(instance)
    places = [placed.box.world_from_box[0, 3] for placed in api.frame().assets if placed.asset.name == "Cup"]
    assert len(places) == 2
    assert places[1] - places[0] == pytest.approx(0.3, abs=1e-5)


def test_hidden_in_renders_is_removed(api, table):
    cup = table.objects["Cup"]
    for frame, hidden in ((1, False), (2, True), (3, False)):
        cup.hide_render = hidden
        cup.keyframe_insert("hide_render", frame=frame)
    assert "Cup" in boxes(api, 1)
    assert "Cup" not in boxes(api, 2)
    assert "Cup" in boxes(api, 3)
    background = api.frame(2).background
    assert background == api.frame(1).background
    assert len(background.hidden_boxes) == 2
    assert background.rectangles == tuple(placed.asset.source_box_2d for placed in api.frame(1).assets)


def test_a_collection_hidden_in_renders(api, table):
    collection = bpy.data.collections.new("Hidden")
    table.collection.children.link(collection)
    cup = table.objects["Cup"]
    collection.objects.link(cup)
    table.collection.objects.unlink(cup)
    assert "Cup" in boxes(api)
    collection.hide_render = True
    assert "Cup" not in boxes(api)


def test_the_camera_is_animated(api, table):
    camera = table.camera
    camera.keyframe_insert("location", frame=1)
    camera.location.y -= 1
    camera.keyframe_insert("location", frame=5)
    first, last = api.frame(1), api.frame(5)
    assert last.camera.world_from_camera[1, 3] == pytest.approx(first.camera.world_from_camera[1, 3] - 1)
    assert last.background.source_camera == first.background.source_camera


def test_sampling(api, part, table):
    sampling_message = part("scene.frame").sampling_message
    settings = table.neural_assets

    def sampling():
        table.update_tag()
        table.view_layers[0].update()
        return sampling_message(table.view_layers[0].depsgraph, 96, 64)

    assert sampling() == Sampling.from_preset("standard", width=96, height=64)
    settings.preset, settings.steps, settings.guidance, settings.seed = "best", 7, 3.0, 5
    assert sampling() == Sampling.from_preset("best", seed=5, width=96, height=64)
    settings.preset = "custom"
    expected = Sampling(steps=7, guidance=3.0, seed=5, preset="custom", width=96, height=64)
    assert sampling() == expected
    settings.keyframe_insert("seed", frame=1)
    settings.seed = 25
    settings.keyframe_insert("seed", frame=21)
    table.frame_set(21)
    assert sampling().seed == 25
    with pytest.raises(api.UserError, match=r"larger than 4096 pixels on a side.*Lower the resolution"):
        sampling_message(table.view_layers[0].depsgraph, 5000, 64)


def strengths(api, number=None):
    return {placed.asset.name: placed.shadow_strength for placed in api.frame(number).assets}


def test_shadow_strength_is_keyframed(api, table):
    assert strengths(api) == {"Cup": 1, "Jar": 1}
    cup = table.objects["Cup"]
    cup.neural_asset.shadow_strength = 0
    cup.keyframe_insert("neural_asset.shadow_strength", frame=1)
    cup.neural_asset.shadow_strength = 2
    cup.keyframe_insert("neural_asset.shadow_strength", frame=11)
    assert strengths(api, 1) == {"Cup": 0, "Jar": 1}
    assert 0 < strengths(api, 6)["Cup"] < 2
    assert strengths(api, 11) == {"Cup": 2, "Jar": 1}


def test_shadow_strength_that_a_driver_sets_stays_in_its_range(api, table):
    curve = table.objects["Cup"].driver_add("neural_asset.shadow_strength")
    curve.driver.expression = "frame - 5"
    assert [strengths(api, number)["Cup"] for number in (1, 6, 20)] == [0, 1, 2]


def test_copies_keep_their_shadow_strength(api, table):
    cup = table.objects["Cup"]
    cup.neural_asset.shadow_strength = 0.5
    copy = cup.copy()
    table.collection.objects.link(copy)
    appended = api.append_asset(cup, name="Appended")
    assert strengths(api) == {"Cup": 0.5, copy.name: 0.5, appended.name: 0.5, "Jar": 1}


def test_a_replaced_asset_keeps_its_shadow_strength(api, table):
    cup, jar = table.objects["Cup"], table.objects["Jar"]
    cup.neural_asset.shadow_strength = 0.5
    api.replace_asset(cup, jar)
    assert strengths(api) == {"Cup": 0.5, "Jar": 1}


def test_how_far_light_is_matched_is_keyframed_and_stays_in_its_range(api, table):
    cup = table.objects["Cup"]
    for value, number in ((0, 1), (1, 11)):
        cup.neural_asset.match_light = value
        cup.keyframe_insert("neural_asset.match_light", frame=number)
    found = {
        number: {placed.asset.name: placed.match_light for placed in api.frame(number).assets}
        for number in (1, 6, 11)
    }
    assert [found[number]["Cup"] for number in (1, 11)] == [0, 1]
    assert 0 < found[6]["Cup"] < 1
    assert all(share == 1 for name, share in found[6].items() if name != "Cup")
    curve = table.objects["Jar"].driver_add("neural_asset.match_light")
    curve.driver.expression = "frame - 5"
    shares = [[p.match_light for p in api.frame(n).assets if p.asset.name == "Jar"] for n in (1, 20)]
    assert shares == [[0], [1]]


def test_the_shadow_strengths_range_is_the_cores(part, table):
    from na_core.scene import MAX_SHADOW_STRENGTH, PlacedAsset

    shown = table.objects["Cup"].neural_asset.bl_rna.properties["shadow_strength"]
    assert (shown.hard_min, shown.hard_max) == (shown.soft_min, shown.soft_max) == (0, MAX_SHADOW_STRENGTH)
    assert shown.default == PlacedAsset.__dataclass_fields__["shadow_strength"].default
    assert shown.is_animatable


def test_presets_are_the_cores(part):
    from na_core.scene import SAMPLING_PRESETS

    assert [item[0] for item in part("scene.properties").PRESETS] == [*SAMPLING_PRESETS, "custom"]


def test_no_camera(api, table):
    table.camera = None
    with pytest.raises(api.UserError, match=r"The scene has no camera\. Import a photo"):
        api.frame()


def test_orthographic_camera(api, table):
    table.camera.data.type = "ORTHO"
    with pytest.raises(
        api.UserError, match=r"'Photo Camera' is not a perspective camera.*Type to Perspective"
    ):
        api.frame()


def test_other_objects_are_not_assets(api, table):
    table.collection.objects.link(bpy.data.objects.new("Plain", None))
    assert list(boxes(api)) == ["Cup", "Jar"]


def test_asset_behind_the_camera(api, table):
    table.objects["Jar"].location.y = -3
    with pytest.raises(
        api.UserError,
        match=r"The asset 'Jar' is behind the camera in frame 7\. Move it in front of the camera, or disable "
        r"it for renders in this frame\.",
    ):
        api.frame(7)
    table.objects["Jar"].hide_render = True
    assert list(boxes(api)) == ["Cup"]


def test_rotation_turns_the_box(api, table):
    before = boxes(api)["Cup"]
    table.objects["Cup"].rotation_euler.z += math.pi / 2
    after = boxes(api)["Cup"]
    assert np.allclose(after[:3, 3], before[:3, 3], atol=1e-6)
    assert not np.allclose(after, before, atol=1e-2)
