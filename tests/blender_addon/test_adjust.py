"""Boxes and the camera are put right by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")
from na_core.geometry.boxes import bounds_2d, box_corners  # noqa: E402
from na_core.geometry.camera import camera_of_photo, project_points  # noqa: E402
from na_core.scene import Box  # noqa: E402


def box_of(item) -> np.ndarray:
    bpy.context.view_layer.update()
    return np.array(item.matrix_world)


def test_a_lifted_box_comes_back_to_the_ground_and_moves_nowhere_else(api, table) -> None:
    cup = table.objects["Cup"]
    before = box_of(cup)
    cup.location.z += 0.4
    cup.location.x += 0.1
    table.view_layers[0].update()
    api.snap_to_ground(cup)
    table.view_layers[0].update()
    after = np.array(cup.matrix_world)
    assert box_corners(after)[:, 2].min() == pytest.approx(0, abs=1e-6)
    assert after[0, 3] == pytest.approx(before[0, 3] + 0.1, abs=1e-6)
    api.snap_to_ground(cup, 0.25)
    table.view_layers[0].update()
    assert box_corners(np.array(cup.matrix_world))[:, 2].min() == pytest.approx(0.25, abs=1e-6)


@pytest.mark.parametrize("turns", range(4))
def test_the_front_turns_to_the_camera_and_the_box_stays(api, table, turns: int) -> None:
    cup = table.objects["Cup"]
    cup.rotation_euler.z += turns * math.pi / 2
    if turns % 2:
        cup.scale.x, cup.scale.y = cup.scale.y, cup.scale.x
    table.view_layers[0].update()
    api.capture_asset(cup)
    corners = box_corners(np.array(cup.matrix_world))
    api.mark_front(cup)
    table.view_layers[0].update()
    after = np.array(cup.matrix_world)
    order = np.lexsort(np.round(corners, 4).T), np.lexsort(np.round(box_corners(after), 4).T)
    np.testing.assert_allclose(corners[order[0]], box_corners(after)[order[1]], atol=1e-5)
    towards = np.array(table.camera.matrix_world)[:3, 3] - after[:3, 3]
    front = -after[:3, 1] / np.linalg.norm(after[:3, 1])
    assert front @ towards / np.linalg.norm(towards) > 0.7
    assert cup.neural_asset.quarter_turns == 0
    placed = next(item for item in api.frame().assets if item.asset.name == "Cup")
    assert placed.box == placed.asset.source_box  # it was captured where it stands


def test_a_box_is_fitted_to_another_rectangle(api, table) -> None:
    cup = table.objects["Cup"]
    ratio = cup.scale.y / cup.scale.x
    api.refit(cup, (0.2, 0.35, 0.45, 0.85), scene=table)
    table.view_layers[0].update()
    bounds = bounds_2d(api.photo_camera(table), Box(np.array(cup.matrix_world)))
    np.testing.assert_allclose(bounds, (0.2, 0.35, 0.45, 0.85), atol=2e-3)
    assert cup.scale.y / cup.scale.x == pytest.approx(ratio, rel=1e-4)
    with pytest.raises(api.UserError, match="does not lie inside the photo"):
        api.refit(cup, (0.2, 0.35, 1.45, 0.85), scene=table)


def test_a_tables_edges_set_the_camera(api, table) -> None:
    width, height = table.neural_assets.photo.size
    stands = api.photo_camera(table).world_from_camera
    camera = camera_of_photo(80.0, width, height, stands[2, 3], 0.5, 0.05)
    turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * 0.5 @ turn.T + (0.2, 3.0)
    seen = project_points(camera, np.c_[corners, np.zeros(4)])[:, :2]
    edges = [(*seen[i], *seen[(i + 1) % 4]) for i in (0, 2, 1, 3)]
    api.match_camera(edges[:2], edges[2:], scene=table)
    found = api.photo_camera(table)
    assert found.fx == pytest.approx(80 / width, rel=1e-4)
    np.testing.assert_allclose(found.world_from_camera[:3, :3], camera.world_from_camera[:3, :3], atol=1e-4)
    np.testing.assert_allclose(found.world_from_camera[:3, 3], stands[:3, 3], atol=1e-5)
    with pytest.raises(api.UserError, match="Draw another one"):
        api.match_camera(edges[:1], edges[2:], scene=table)


def test_the_buttons_do_the_same_for_all_selected(api, table) -> None:
    with bpy.context.temp_override(scene=table, view_layer=table.view_layers[0]):
        for item in api.assets(table):
            item.location.z += 0.2
            item.select_set(True, view_layer=table.view_layers[0])
        table.view_layers[0].update()
        chosen = api.assets(table)
        with bpy.context.temp_override(selected_objects=chosen):
            assert bpy.ops.neural_assets.snap_to_ground() == {"FINISHED"}
            assert bpy.ops.neural_assets.mark_front() == {"FINISHED"}
            assert bpy.ops.neural_assets.refit() == {"FINISHED"}
        with pytest.raises(RuntimeError, match="No lines were drawn"):
            bpy.ops.neural_assets.match_camera()
    table.view_layers[0].update()
    for item in api.assets(table):
        assert box_corners(np.array(item.matrix_world))[:, 2].min() == pytest.approx(0, abs=1e-5)


def test_only_assets_are_adjusted(api, table) -> None:
    with pytest.raises(api.UserError, match="is not an asset"):
        api.mark_front(table.camera)
    with pytest.raises(api.UserError, match="is not an asset"):
        api.refit(table.camera, scene=table)


def test_a_dragged_face_moves_and_the_box_is_captured(api, table) -> None:
    cup = table.objects["Cup"]
    before = box_of(cup)
    api.drag_face(cup, 1, 0.1)
    after = box_of(cup)
    across = before[:3, 0] / np.linalg.norm(before[:3, 0])
    moved = (after[:3, 3] + after[:3, 0] / 2) - (before[:3, 3] + before[:3, 0] / 2)
    assert moved @ across == pytest.approx(0.1, abs=1e-5)
    assert box_corners(after)[:, 2].min() == pytest.approx(box_corners(before)[:, 2].min(), abs=1e-5)
    assert tuple(cup.neural_asset.source_box) == pytest.approx(after.ravel(), abs=1e-5)
    with pytest.raises(api.UserError, match="no face 6"):
        api.drag_face(cup, 6, 0.1)


@pytest.mark.parametrize("yaw", [-2.0, 0.4, 3.0])
def test_a_turned_front_looks_where_it_was_dragged_and_the_outline_stays(api, table, yaw: float) -> None:
    cup = table.objects["Cup"]
    rectangle = tuple(cup.neural_asset.source_box_2d)
    api.turn_front(cup, yaw)
    matrix = box_of(cup)
    front = -matrix[:2, 1] / np.linalg.norm(matrix[:2, 1])
    assert front == pytest.approx((math.sin(yaw), -math.cos(yaw)), abs=1e-5)
    assert bounds_2d(api.photo_camera(), Box(matrix)) == pytest.approx(rectangle, abs=0.01)


def test_the_buttons_do_the_same_with_undo(api, table) -> None:
    cup = table.objects["Cup"]
    bpy.context.view_layer.objects.active = cup
    bpy.ops.ed.undo_push(message="before")
    before = box_of(cup)
    assert bpy.ops.neural_assets.drag_face("EXEC_DEFAULT", True, face="+X", distance=0.1) == {"FINISHED"}
    assert bpy.ops.neural_assets.turn_front("EXEC_DEFAULT", True, yaw=0.5) == {"FINISHED"}
    assert not np.allclose(box_of(cup), before)
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    np.testing.assert_allclose(box_of(bpy.data.objects["Cup"]), before, atol=1e-6)


def test_the_front_is_dragged_to_the_ground_or_not_at_all(api, part, table) -> None:
    drag_box = part("operators.drag_box")
    camera, box = api.photo_camera(), Box(box_of(table.objects["Cup"]))
    point = np.array([box.world_from_box[0, 3] + 0.3, box.world_from_box[1, 3] - 0.4, 0.0])
    x, y = project_points(camera, point[None])[0, :2]
    assert drag_box.yaw_towards(camera, box, (x, y)) == pytest.approx(math.atan2(0.3, 0.4), abs=1e-4)
    assert drag_box.yaw_towards(camera, box, (0.5, -2.0)) is None  # the sky


def test_a_known_length_gives_the_scene_its_scale_and_everything_looks_as_before(api, table) -> None:
    before, camera = api.frame(), api.photo_camera()
    x, y = camera.world_from_camera[:2, 3]
    ends = np.array([(x - 0.2, y + 2.0, 0.0), (x + 0.3, y + 2.2, 0.0)])
    line = project_points(camera, ends)[:, :2].ravel()
    length = 3 * float(np.linalg.norm(ends[1] - ends[0]))
    api.set_length(tuple(line), length)
    after = api.frame()
    assert api.photo_camera().world_from_camera[2, 3] == pytest.approx(3 * camera.world_from_camera[2, 3])
    for old, new in zip(before.assets, after.assets, strict=True):
        seen, now = (
            project_points(of.camera, box_corners(item.box.world_from_box))[:, :2]
            for of, item in ((before, old), (after, new))
        )
        np.testing.assert_allclose(seen, now, atol=1e-4)
        assert new.box == new.asset.source_box
        size, grown = (np.linalg.norm(item.box.world_from_box[:3, 0]) for item in (old, new))
        assert grown == pytest.approx(3 * size, rel=1e-4)
    assert len(table.neural_assets.hidden_boxes) == len(before.assets)


def test_a_length_needs_a_line_on_the_ground_and_nothing_animated(api, table) -> None:
    with pytest.raises(api.UserError, match="below the horizon"):
        api.set_length((0.1, -3.0, 0.9, -3.0), 1.0)
    with pytest.raises(api.UserError, match="greater than zero"):
        api.set_length((0.1, 0.9, 0.9, 0.9), 0.0)
    table.objects["Cup"].keyframe_insert("location", frame=1)
    with pytest.raises(api.UserError, match="before you animate"):
        api.set_length((0.1, 0.9, 0.9, 0.9), 1.0)
