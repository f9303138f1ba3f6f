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
