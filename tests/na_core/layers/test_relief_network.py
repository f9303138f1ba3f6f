"""The relief network: what it sees of boxes, and that what it says is always a legal relief."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from diffusers import UNet2DModel

from na_core.geometry.boxes import box_matrix
from na_core.geometry.boxmap import box_map
from na_core.geometry.camera import project_points
from na_core.geometry.photo_views import PhotoView, photo_views
from na_core.geometry.relief import through_box
from na_core.model.batched.cameras import Cameras
from na_core.model.relief_network import (
    INPUTS,
    OUTPUTS,
    Views,
    build_relief_network,
    find_relief,
    relief_inputs,
    run_network,
    without_doubtful_holes,
)
from na_core.scene import Box, Camera

if TYPE_CHECKING:
    from tests.na_core.model.conftest import Studio


@pytest.fixture(scope="module")
def network() -> UNet2DModel:
    torch.manual_seed(0)
    return build_relief_network((8, 8)).eval()


def views_of(studio: Studio) -> Views:
    camera = studio.camera
    return Views(
        pictures=torch.from_numpy(studio.photo)[None],
        camera=Cameras(
            torch.from_numpy(camera.world_from_camera.copy())[None],
            torch.tensor([(camera.fx, camera.fy, camera.cx, camera.cy)], dtype=torch.float64),
        ),
        boxes=torch.from_numpy(np.stack([a.source_box.world_from_box for a in studio.assets]))[None],
        rectangles=torch.tensor([a.source_box_2d for a in studio.assets], dtype=torch.float64)[None],
        known=torch.ones((1, len(studio.assets)), dtype=torch.bool),
        filled=torch.ones((1, len(studio.assets)), dtype=torch.bool),
    )


def view_of(studio: Studio) -> PhotoView:
    return photo_views(studio.frame())[0]


def test_layers_are_where_rays_enter_and_leave_boxes(studio: Studio) -> None:
    inputs, layers = relief_inputs(views_of(studio))
    assert inputs.shape == (1, INPUTS, 64, 64)
    assert torch.isfinite(inputs).all()
    boxes = [asset.source_box.world_from_box for asset in studio.assets]
    expected = box_map(studio.camera, boxes, 64, 64)
    np.testing.assert_array_equal(layers.index[0, 0], expected.index)
    for number, matrix in enumerate(boxes):
        hit = expected.index == number
        enter, leave = through_box(studio.camera, matrix, expected.local[hit])
        for found, local in ((layers.enter, enter), (layers.leave, leave)):
            depth = project_points(studio.camera, local / 2 @ matrix[:3, :3].T + matrix[:3, 3])[:, 2]
            np.testing.assert_allclose(found[0, 0].numpy()[hit], depth, rtol=1e-4)


@pytest.mark.parametrize(("width", "height"), [(64, 64), (33, 17), (1, 1), (100, 7)])
def test_pictures_of_any_size(width: int, height: int, network: UNet2DModel) -> None:
    assert run_network(network, torch.rand(2, INPUTS, height, width)).shape == (2, OUTPUTS, height, width)


def test_an_owner_is_one_of_two_boxes_there_and_its_depth_is_inside_it(
    studio: Studio, network: UNet2DModel
) -> None:
    boxes = [asset.source_box.world_from_box for asset in studio.assets]
    found = find_relief(network, studio.pictures[studio.name.sha256], view_of(studio))
    hits = box_map(studio.camera, boxes, 64, 64)
    assert ((found.owner == -1) | (found.owner == hits.index) | (found.owner == hits.second_index)).all()
    assert (np.isfinite(found.depth) == (found.owner >= 0)).all()
    nearest = (found.owner >= 0) & (found.owner == hits.index)
    if nearest.any():
        assert (found.depth[nearest] >= hits.depth[nearest] * (1 - 1e-3)).all()


def test_without_boxes_it_shows_nothing(studio: Studio, network: UNet2DModel) -> None:
    bare = replace(view_of(studio), boxes=(), rectangles=())
    found = find_relief(network, studio.pictures[studio.name.sha256], bare)
    assert (found.owner == -1).all()
    assert np.isinf(found.depth).all()


def test_a_scenes_scale_changes_nothing(studio: Studio, network: UNet2DModel) -> None:
    picture = studio.pictures[studio.name.sha256]
    view = view_of(studio)
    matrix = view.camera.world_from_camera.copy()
    matrix[:3, 3] *= 100
    larger = []
    for box in view.boxes:
        world = box.world_from_box.copy()
        world[:3] *= 100
        larger.append(Box(world))
    far = Camera(matrix, view.camera.fx, view.camera.fy, view.camera.cx, view.camera.cy)
    first = find_relief(network, picture, view)
    second = find_relief(network, picture, replace(view, camera=far, boxes=tuple(larger)))
    same = first.owner == second.owner
    assert same.mean() > 0.999
    shown = same & (first.owner >= 0)
    np.testing.assert_allclose(second.depth[shown], 100 * first.depth[shown], rtol=1e-2)


def test_flat_boxes_and_boxes_around_the_camera_are_legal(studio: Studio, network: UNet2DModel) -> None:
    odd = [box_matrix((0, 4, 0.4), (1, 1, 0)), box_matrix((0, 0, 1.5), (6, 6, 4)), np.zeros((4, 4))]
    odd[2][3, 3] = 1
    view = replace(view_of(studio), boxes=tuple(map(Box, odd)), rectangles=(None, None, None))
    found = find_relief(network, studio.pictures[studio.name.sha256], view)
    assert set(np.unique(found.owner)) <= {-1, 1}
    assert not np.isnan(found.depth).any()


def test_a_hole_is_filled_where_the_object_may_be_in_it() -> None:
    ring = torch.full((1, 12, 12), -1)
    ring[0, 2:10, 2:10] = 3
    ring[0, 4:8, 4:8] = -1
    doubtful = torch.full_like(ring, -1)
    doubtful[0, :, :6] = 3  # the left half of the hole, and as much beside the ring
    filled = without_doubtful_holes(ring, doubtful)
    assert (filled[0, 4:8, 4:6] == 3).all()
    assert (filled[0, 4:8, 6:8] == -1).all()
    assert (filled[0, :, :2] == -1).all()
    notched = ring.clone()
    notched[0, 5, 2:4] = -1  # open to the outside: no hole
    assert torch.equal(without_doubtful_holes(notched, doubtful), notched)
