"""Pixels and points of the ground."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.raster.backdrop import backdrops
from na_core.raster.ground import (
    ground_from_pixel,
    ground_heights,
    image_from_ground,
    image_from_ground_below,
    undersides,
)
from na_core.tensors.cameras import cameras_of
from tests.na_core.sunlit import ground_points


@settings(max_examples=20, deadline=None)
@given(height=st.floats(0.3, 4), pitch=st.floats(-0.4, 1.2), ground=st.sampled_from([-1.0, 0.0, 0.2]))
def test_pixels_show_the_points_that_rays_meet_and_these_are_shown_there(
    height: float, pitch: float, ground: float
) -> None:
    camera = camera_of_photo(70, 64, 48, height, pitch)
    expected = ground_points(camera, 64, 48, ground)[..., :2]
    one, at = cameras_of([camera]), torch.tensor([ground], dtype=torch.float64)
    y, x = np.mgrid[:48, :64]
    pixels = np.stack([x, y, np.ones_like(x)]).reshape(3, -1).astype(float)
    points = (ground_from_pixel(one, at, 64, 48)[0].numpy() @ pixels).reshape(3, 48, 64)
    shows = ~np.isnan(expected).any(-1)
    np.testing.assert_array_equal(points[2] > 0, shows)
    near = points[2] > 1e-3
    np.testing.assert_allclose((points[:2] / points[2])[:, near].T, expected[near], rtol=1e-6, atol=1e-6)

    back = (image_from_ground(one, at)[0].numpy() @ points.reshape(3, -1)).reshape(3, 48, 64)
    image = (back[:2] / back[2])[:, near]
    np.testing.assert_allclose(image, np.stack([(x + 0.5) / 64, (y + 0.5) / 48])[:, near], atol=1e-9)
    np.testing.assert_allclose(back[2][near], 1, atol=1e-9)  # depth by inverse depth


def test_the_ground_is_the_backdrops_where_boxes_are_hidden_and_else_all_boxes() -> None:
    boxes = [box_matrix((0, 4, z), (0.5, 0.5, 0.4)) for z in (0.2, 0.3, 1.0)]
    matrices = torch.from_numpy(np.stack(boxes))[None]
    np.testing.assert_allclose(undersides(matrices)[0], [0, 0.1, 0.8])
    filled = torch.tensor([[True, True, True]])
    hidden = torch.tensor([[True, True, False]])
    camera = cameras_of([camera_of_photo(70, 64, 48, 1.5, 0.2)])
    found = ground_heights(matrices, hidden, filled)
    assert torch.equal(found, backdrops(camera, matrices, hidden).ground)
    np.testing.assert_allclose(ground_heights(matrices, ~filled, filled), [0.1])
    assert ground_heights(matrices, filled, ~filled).tolist() == [0]
    grid = ground_heights(matrices.expand(2, 3, -1, -1, -1), hidden.expand(2, 3, -1), filled.expand(2, 3, -1))
    assert torch.equal(grid, found.expand(2, 3))


def test_points_below_a_camera_are_in_units_of_its_height() -> None:
    cameras = cameras_of([camera_of_photo(1.2, 300, 200, 1.7, np.radians(25))])
    ground, height = 0.4, 1.3
    on_ground = torch.tensor([[0.3, 2.0], [-1.0, 4.0], [0.0, 1.0]], dtype=torch.float64)
    world = on_ground * height + cameras.world_from_camera[0, :2, 3]
    one, at = torch.ones(3, 1), torch.tensor([ground], dtype=torch.float64)
    found = image_from_ground_below(cameras, at)[0] @ torch.cat([on_ground, one], dim=1).T
    expected = image_from_ground(cameras, at)[0] @ torch.cat([world, one], dim=1).T
    torch.testing.assert_close(found * height, expected)


def test_a_camera_under_the_ground_sees_none() -> None:
    cameras = cameras_of([camera_of_photo(1.2, 300, 200, 1.7, 0.3)])
    assert (image_from_ground_below(cameras, torch.tensor([2.0], dtype=torch.float64)) == 0).all()
