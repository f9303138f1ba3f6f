"""The ground tells how the camera was held and how high it was."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.data.scenes import scenes
from na_core.detection.ground import GroundError, camera_points, find_ground
from na_core.evaluation.evaluate import BENCH
from na_core.geometry.camera import camera_of_photo, pixel_centres, rays

SIZE = (80, 60)


def ground_depth(camera) -> np.ndarray:
    down = rays(camera, pixel_centres(*SIZE))[..., 2]
    with np.errstate(divide="ignore"):
        return np.where(down < -0.02, -camera.world_from_camera[2, 3] / down, np.inf)


@settings(max_examples=25, deadline=None)
@given(
    focal=st.floats(60, 140),
    pitch=st.floats(0.15, 1.0),
    roll=st.floats(-0.15, 0.15),
    height=st.floats(0.3, 10),
)
def test_the_camera_over_a_ground_is_found(focal: float, pitch: float, roll: float, height: float) -> None:
    camera = camera_of_photo(focal, *SIZE, height, pitch, roll)
    found = find_ground(camera_points(ground_depth(camera), focal).reshape(-1, 3))
    assert found.share > 0.99
    np.testing.assert_allclose(
        found.camera(focal, *SIZE).world_from_camera, camera.world_from_camera, atol=1e-6 * max(height, 1)
    )


def test_a_wall_and_noise_do_not_matter() -> None:
    camera = camera_of_photo(90, *SIZE, 1.4, 0.4)
    depth = np.minimum(ground_depth(camera), 5.0)  # a wall, square to the view
    depth *= 1 + 0.004 * np.random.default_rng(0).standard_normal(depth.shape)
    found = find_ground(camera_points(depth, 90).reshape(-1, 3)).camera(90, *SIZE)
    up = found.world_from_camera[2, :3]
    assert math.asin(up[2]) == pytest.approx(0.4, abs=0.02)
    assert found.world_from_camera[2, 3] == pytest.approx(1.4, rel=0.03)


def test_rendered_depth_gives_the_camera_that_rendered_it() -> None:
    errors = []
    for scene in list(scenes(BENCH))[:18]:
        frame, depth = scene.labels.frames[0], scene.depth(0)
        if depth is None:
            continue
        focal = frame.camera.fx * scene.labels.width
        found = find_ground(camera_points(depth, focal)[scene.mask(0) == 0])
        truth = frame.camera.world_from_camera
        errors.append(abs(math.asin(found.up[2]) - math.asin(truth[2, 2])))
        assert found.height == pytest.approx(truth[2, 3], rel=0.05)
    assert errors
    assert np.degrees(np.median(errors)) < 0.5


def test_nothing_level_is_no_ground() -> None:
    with pytest.raises(GroundError, match="Match Camera"):
        find_ground(np.zeros((0, 3)))
    with pytest.raises(GroundError, match="Match Camera"):
        find_ground(camera_points(np.full((60, 80), 5.0), 90).reshape(-1, 3))  # a wall, and nothing else
