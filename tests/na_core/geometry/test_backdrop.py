"""The backdrop: the ground inside a dome, met by every ray."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from na_core.geometry.backdrop import DEFAULT_RADIUS, DOME_FACTOR, Backdrop, backdrop, backdrop_points
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo, pixel_centres, project_points
from na_core.scene import Background, Box, Photo

CAMERA = camera_of_photo(60, 64, 48, camera_height=1.5, pitch=0.2)


def background(*boxes: np.ndarray) -> Background:
    return Background(Photo("0" * 64), CAMERA, tuple(Box(b) for b in boxes))


class TestDerivation:
    def test_ground_is_the_median_underside(self) -> None:
        heights = (0.0, 0.2, 5.0)
        boxes = [box_matrix((0, 3, z + 0.5), (1, 1, 1), yaw=z) for z in heights]
        assert backdrop(background(*boxes)).ground == pytest.approx(0.2)

    def test_dome_lies_beyond_the_farthest_corner(self) -> None:
        surface = backdrop(background(box_matrix((0, 3, 1.5), (0, 2, 0))))
        np.testing.assert_allclose(surface.centre, [0, 0, 1.5])
        assert surface.radius == pytest.approx(DOME_FACTOR * 4)

    def test_without_boxes(self) -> None:
        surface = backdrop(background())
        assert (surface.ground, surface.radius) == (0, DEFAULT_RADIUS)

    def test_a_box_of_no_size_at_the_camera(self) -> None:
        assert backdrop(background(box_matrix((0, 0, 1.5), (0, 0, 0)))).radius > 0


class TestPoints:
    surface = Backdrop(0.0, np.array([0, 0, 1.5]), 10.0)

    def test_on_the_ground_or_on_the_dome_above_it(self) -> None:
        points = backdrop_points(self.surface, CAMERA, 64, 48)
        on_ground = np.abs(points[..., 2]) < 1e-9
        distance = np.linalg.norm(points - self.surface.centre, axis=-1)
        np.testing.assert_allclose(distance[~on_ground], 10)
        assert (distance[on_ground] <= 10 + 1e-9).all()
        assert (points[~on_ground][:, 2] > -1e-9).all()
        assert 0.2 < on_ground.mean() < 0.8

    def test_project_back_to_their_pixels(self) -> None:
        points = backdrop_points(self.surface, CAMERA, 64, 48)
        projected = project_points(CAMERA, points)
        np.testing.assert_allclose(projected[..., :2], pixel_centres(64, 48), atol=1e-9)
        assert (projected[..., 2] > 0).all()

    def test_continuous_where_ground_and_dome_meet(self) -> None:
        column = backdrop_points(self.surface, CAMERA, 1, 2000)[:, 0]
        assert np.linalg.norm(np.diff(column, axis=0), axis=-1).max() < 0.5

    @pytest.mark.parametrize("height", [-3.0, 0.0, 1.5, 9.0, 50.0, 1e6])
    @pytest.mark.parametrize("pitch", [-1.5, -0.3, 0.0, 0.3, 1.5])
    def test_finite_under_on_and_above_the_ground_and_outside_the_dome(
        self, height: float, pitch: float
    ) -> None:
        camera = camera_of_photo(40, 30, 20, height, pitch)
        points = backdrop_points(self.surface, camera, 30, 20)
        assert np.isfinite(points).all()
        assert (project_points(camera, points)[..., 2] > 0).all()

    def test_a_far_dome_amounts_to_rotation_alone(self) -> None:
        far = dataclasses.replace(self.surface, radius=1e7, ground=-1e9)
        matrix = CAMERA.world_from_camera.copy()
        matrix[:3, 3] += (0.5, 0.2, 0.1)
        moved = dataclasses.replace(CAMERA, world_from_camera=matrix)
        seen = project_points(CAMERA, backdrop_points(far, moved, 8, 6))
        np.testing.assert_allclose(seen[..., :2], pixel_centres(8, 6), atol=1e-6)
