"""Cameras: lens settings, projection, rays and photos."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from na_core.geometry.camera import (
    assumed_focal,
    camera_from_projection,
    camera_of_photo,
    focal_from_35mm,
    pixel_centres,
    project_points,
    rays,
    rigid,
)
from na_core.scene import Camera
from tests.na_core.lens import camera_from_lens

CameraMaker = Callable[[], Camera]


def projected_slowly(camera: Camera, point: NDArray[np.float64]) -> tuple[float, float, float]:
    """Project one point the way a textbook writes it."""
    x, y, z, _ = np.linalg.inv(camera.world_from_camera) @ [*point, 1.0]
    depth = -z
    return camera.fx * x / depth + camera.cx, camera.fy * -y / depth + camera.cy, depth


class TestProjection:
    def test_equals_the_textbook_point_by_point(
        self, any_camera: CameraMaker, rng: np.random.Generator
    ) -> None:
        for _ in range(20):
            camera, points = any_camera(), rng.normal(scale=5, size=(4, 5, 3))
            expected = [[projected_slowly(camera, p) for p in row] for row in points]
            np.testing.assert_allclose(project_points(camera, points), expected, rtol=1e-9, atol=1e-9)

    def test_axes_x_right_y_down_depth_forward(self) -> None:
        camera = Camera(np.eye(4), 1.0, 1.0)
        np.testing.assert_allclose(project_points(camera, [0, 0, -2]), [0.5, 0.5, 2])
        np.testing.assert_allclose(project_points(camera, [1, 0, -2]), [1.0, 0.5, 2])
        np.testing.assert_allclose(project_points(camera, [0, 1, -2]), [0.5, 0.0, 2])

    def test_points_behind_keep_their_negative_depth(self) -> None:
        assert project_points(Camera(np.eye(4), 1, 1), [0.3, 0.2, 4.0])[2] == -4

    def test_points_outside_the_picture_are_not_clipped(self) -> None:
        assert project_points(Camera(np.eye(4), 1, 1), [9, 0, -1])[0] == 9.5

    @pytest.mark.parametrize("depth", [0.0, -0.0, 1e-300, -1e-300, 1e-7, -1e-7, 1e9, -1e9])
    @pytest.mark.parametrize("across", [0.0, 1.0, -1e6])
    def test_finite_on_and_near_the_camera_plane(self, depth: float, across: float) -> None:
        camera = Camera(np.eye(4), 1, 1)
        assert np.isfinite(project_points(camera, [across, -across, -depth])).all()

    def test_rays_invert_projection(self, any_camera: CameraMaker, rng: np.random.Generator) -> None:
        for _ in range(20):
            camera, at = any_camera(), rng.uniform(-1, 2, (6, 2))
            depth = rng.uniform(0.1, 9, 6)
            points = camera.world_from_camera[:3, 3] + depth[:, None] * rays(camera, at)
            np.testing.assert_allclose(project_points(camera, points)[:, :2], at, atol=1e-9)
            np.testing.assert_allclose(project_points(camera, points)[:, 2], depth)

    def test_pixel_centres(self) -> None:
        centres = pixel_centres(4, 2)
        assert centres.shape == (2, 4, 2)
        assert centres[1, 3].tolist() == [3.5 / 4, 1.5 / 2]


class TestLens:
    """Blender's perspective camera. That it really is Blender's: tests/blender_addon."""

    @pytest.mark.parametrize(("width", "height"), [(1500, 1000), (1080, 1920), (512, 512)])
    def test_pixels_are_square_whatever_the_aspect(self, width: int, height: int) -> None:
        # The released code has height and width swapped here (paper page, section 6).
        camera = camera_from_lens(np.eye(4), lens=50, width=width, height=height)
        assert camera.fx * width == pytest.approx(camera.fy * height)
        assert camera.fx * width == pytest.approx(50 / 36 * max(width, height))

    def test_sensor_fit(self) -> None:
        settings = {"lens": 36, "width": 300, "height": 200, "sensor_width": 36, "sensor_height": 24}
        fx = {
            fit: camera_from_lens(np.eye(4), sensor_fit=fit, **settings).fx  # type: ignore[arg-type]
            for fit in ("AUTO", "HORIZONTAL", "VERTICAL")
        }
        assert fx == pytest.approx({"AUTO": 1.0, "HORIZONTAL": 1.0, "VERTICAL": 36 / 24 * 200 / 300})

    def test_lens_shift_is_in_units_of_the_fitted_side(self) -> None:
        wide = camera_from_lens(np.eye(4), lens=50, width=200, height=100, shift_x=0.1, shift_y=0.2)
        assert (wide.cx, wide.cy) == pytest.approx((0.4, 0.9))
        tall = camera_from_lens(np.eye(4), lens=50, width=100, height=200, shift_x=0.1, shift_y=0.2)
        assert (tall.cx, tall.cy) == pytest.approx((0.3, 0.7))

    def test_pixel_aspect_stretches_the_picture(self) -> None:
        camera = camera_from_lens(np.eye(4), lens=36, width=100, height=100, pixel_aspect_x=2)
        assert (camera.fx, camera.fy) == pytest.approx((1.0, 2.0))

    def test_resolution_percentage_truncates_to_whole_pixels(self) -> None:
        camera = camera_from_lens(np.eye(4), lens=36, width=101, height=51, resolution_percentage=50)
        assert camera.fx * 50 == pytest.approx(camera.fy * 25)

    @pytest.mark.parametrize("bad", [{"lens": 0}, {"width": 0}, {"sensor_width": -1}, {"pixel_aspect_x": 0}])
    def test_nothing_may_be_zero(self, bad: dict[str, float]) -> None:
        with pytest.raises(ValueError, match="must be positive"):
            camera_from_lens(np.eye(4), **{"lens": 50, "width": 10, "height": 10, **bad})  # type: ignore[arg-type]

    def test_projection_matrix_gives_the_same_camera(self) -> None:
        camera = camera_from_lens(np.eye(4), lens=40, width=300, height=200, shift_x=0.1, shift_y=-0.2)
        near, far = 0.1, 100.0
        projection = np.zeros((4, 4))
        projection[0, 0], projection[0, 2] = 2 * camera.fx, 2 * 0.1
        projection[1, 1], projection[1, 2] = 2 * camera.fy, 2 * -0.2 * 300 / 200
        projection[2, 2:] = -(far + near) / (far - near), -2 * far * near / (far - near)
        projection[3, 2] = -1
        other = camera_from_projection(np.eye(4), projection)
        assert (other.fx, other.fy, other.cx, other.cy) == pytest.approx(
            (camera.fx, camera.fy, camera.cx, camera.cy)
        )


class TestRigid:
    def test_scale_is_removed(self, any_camera: CameraMaker) -> None:
        pose = any_camera().world_from_camera
        np.testing.assert_allclose(rigid(pose @ np.diag([2.0, 3.0, 0.5, 1])), pose, atol=1e-12)

    @pytest.mark.parametrize("mirror", [(-1, 1, 1), (-2, 3, 1)])
    def test_a_mirrored_camera_still_looks_the_same_way(
        self, any_camera: CameraMaker, mirror: tuple[float, float, float]
    ) -> None:
        pose = any_camera().world_from_camera
        kept = rigid(pose @ np.diag([*mirror, 1]))
        np.testing.assert_allclose(kept, pose, atol=1e-12)

    def test_three_negative_scales_look_backwards_as_in_blender(self, any_camera: CameraMaker) -> None:
        pose = any_camera().world_from_camera
        kept = rigid(pose @ np.diag([-1.0, -1, -1, 1]))
        np.testing.assert_allclose(kept[:3, 2], -pose[:3, 2], atol=1e-12)
        assert np.linalg.det(kept[:3, :3]) == pytest.approx(1)

    def test_result_is_a_camera_for_every_matrix(self, rng: np.random.Generator) -> None:
        for matrix in (np.zeros((4, 4)), np.diag([1.0, 0, 1, 1]), rng.normal(size=(4, 4))):
            pose = Camera(rigid(matrix), 1, 1).world_from_camera
            np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-12)
            assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
            np.testing.assert_array_equal(pose[:3, 3], matrix[:3, 3])
            np.testing.assert_array_equal(pose[3], [0, 0, 0, 1])


class TestPhoto:
    @pytest.mark.parametrize("pitch", [0.05, 0.3, 1.2, math.pi / 2])
    def test_the_optical_axis_meets_the_ground_at_the_centre_of_the_picture(self, pitch: float) -> None:
        camera = camera_of_photo(700, 640, 480, camera_height=1.6, pitch=pitch)
        at = project_points(camera, [0, 1.6 / math.tan(pitch), 0])
        np.testing.assert_allclose(at, [0.5, 0.5, 1.6 / math.sin(pitch)])

    def test_level_camera_faces_plus_y_with_x_right_and_z_up(self) -> None:
        camera = camera_of_photo(640, 640, 480, camera_height=1.5, pitch=0)
        np.testing.assert_allclose(camera.world_from_camera[:3, 3], [0, 0, 1.5])
        np.testing.assert_allclose(project_points(camera, [0, 3, 1.5]), [0.5, 0.5, 3])
        assert project_points(camera, [1, 3, 1.5])[0] > 0.5
        assert project_points(camera, [0, 3, 2])[1] < 0.5

    def test_focal_in_pixels(self) -> None:
        camera = camera_of_photo(700, 640, 480, 1, 0)
        assert (camera.fx * 640, camera.fy * 480) == pytest.approx((700, 700))

    def test_35_mm_equivalent_goes_by_the_diagonal(self) -> None:
        assert focal_from_35mm(36, 3600, 2400) == pytest.approx(3600)
        assert focal_from_35mm(28, 4000, 3000) == pytest.approx(28 * 5000 / math.hypot(36, 24))
        assert focal_from_35mm(28, 3000, 4000) == focal_from_35mm(28, 4000, 3000)

    def test_assumed_focal_is_about_45_degrees_of_the_longer_side(self) -> None:
        assert assumed_focal(1000, 600) == assumed_focal(600, 1000) == 1200
        assert math.degrees(2 * math.atan(500 / 1200)) == pytest.approx(45, abs=1)
