"""The backdrop: the ground inside a dome, met by every ray."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo, pixel_centres, project_points
from na_core.raster.backdrop import (
    DEFAULT_RADIUS,
    DOME_FACTOR,
    Backdrops,
    backdrop_points,
    backdrops,
    masked_median,
)
from na_core.scene import Camera
from na_core.tensors.cameras import cameras_of
from tests.na_core.reference import reference_backdrop

CAMERA = camera_of_photo(60, 64, 48, camera_height=1.5, pitch=0.2)


def surface(ground: float, radius: float) -> Backdrops:
    return Backdrops(*(torch.tensor([of], dtype=torch.float64) for of in (ground, radius)))


def in_source(
    of: Backdrops, camera: Camera, width: int, height: int, source: Camera = CAMERA
) -> NDArray[np.float64]:
    """Return the points (H, W, 3) in the source camera's frame."""
    planes = backdrop_points(of, cameras_of([source]), cameras_of([camera]), width, height)
    return torch.stack(planes, dim=-1)[0].double().numpy()


def in_world(
    of: Backdrops, camera: Camera, width: int, height: int, source: Camera = CAMERA
) -> NDArray[np.float64]:
    points, place = in_source(of, camera, width, height, source), source.world_from_camera
    return points @ place[:3, :3].T + place[:3, 3]


class TestDerivation:
    def derived(self, *boxes: NDArray[np.float64], counts: tuple[bool, ...] | None = None) -> Backdrops:
        matrices = torch.from_numpy(np.array([*boxes, np.eye(4)])[None])
        counting = torch.tensor([[*(counts or (True,) * len(boxes)), False]])
        return backdrops(cameras_of([CAMERA]), matrices, counting)

    def test_ground_is_the_median_underside(self) -> None:
        boxes = [box_matrix((0, 3, z + 0.5), (1, 1, 1), yaw=z) for z in (0.0, 0.2, 5.0)]
        assert self.derived(*boxes).ground.item() == pytest.approx(0.2)

    def test_boxes_that_do_not_count_tell_nothing(self) -> None:
        boxes = [box_matrix((0, 3, z + 0.5), (1, 1, 1)) for z in (0.0, 4.0, 5.0)]
        found = self.derived(*boxes, counts=(True, False, False))
        assert found.ground.item() == pytest.approx(0)
        assert found.radius.item() == self.derived(boxes[0]).radius.item()

    def test_the_dome_lies_beyond_the_farthest_corner(self) -> None:
        assert self.derived(box_matrix((0, 3, 1.5), (0, 2, 0))).radius.item() == pytest.approx(
            DOME_FACTOR * 4
        )

    def test_without_boxes(self) -> None:
        found = self.derived()
        assert (found.ground.item(), found.radius.item()) == (0, DEFAULT_RADIUS)

    def test_a_box_of_no_size_at_the_camera(self) -> None:
        assert self.derived(box_matrix((0, 0, 1.5), (0, 0, 0))).radius.item() > 0

    @settings(max_examples=20, deadline=None)
    @given(values=st.lists(st.floats(-9, 9), min_size=1, max_size=6), data=st.data())
    def test_the_median_of_those_that_count(self, values: list[float], data: st.DataObject) -> None:
        counts = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
        counted = [value for value, counts_too in zip(values, counts, strict=True) if counts_too]
        found = masked_median(torch.tensor([values], dtype=torch.float64), torch.tensor([counts]), 7.0)
        assert found.item() == pytest.approx(np.median(counted) if counted else 7.0)


class TestPoints:
    dome = surface(0.0, 10.0)

    def test_on_the_ground_or_on_the_dome_above_it(self) -> None:
        points = in_world(self.dome, CAMERA, 64, 48)
        on_ground = np.abs(points[..., 2]) < 1e-5
        distance = np.linalg.norm(points - CAMERA.world_from_camera[:3, 3], axis=-1)
        np.testing.assert_allclose(distance[~on_ground], 10, rtol=1e-6)
        assert (distance[on_ground] <= 10 + 1e-5).all()
        assert (points[~on_ground][:, 2] > -1e-5).all()
        assert 0.2 < on_ground.mean() < 0.8

    @settings(max_examples=15, deadline=None)
    @given(
        step=st.tuples(*[st.floats(-2, 2)] * 3),
        pitch=st.floats(-1, 1),
        ground=st.floats(-2, 0.4),
        radius=st.floats(9, 60),
    )
    def test_are_where_rays_meet_it_whoever_looks(
        self, step: tuple[float, float, float], pitch: float, ground: float, radius: float
    ) -> None:
        camera = camera_of_photo(60, 64, 48, camera_height=1.5, pitch=pitch)
        matrix = camera.world_from_camera.copy()
        matrix[:3, 3] += step
        camera = dataclasses.replace(camera, world_from_camera=matrix)
        found = in_world(surface(ground, radius), camera, 16, 12)
        centre = CAMERA.world_from_camera[:3, 3]
        expected = reference_backdrop(camera, centre, ground, radius, 16, 12)
        # Of points on the horizon single precision leaves a share of their distance.
        np.testing.assert_allclose(found, expected, atol=2e-3)

    def test_project_back_to_their_pixels(self) -> None:
        projected = project_points(CAMERA, in_world(self.dome, CAMERA, 64, 48))
        np.testing.assert_allclose(projected[..., :2], pixel_centres(64, 48), atol=1e-6)
        assert (projected[..., 2] > 0).all()

    def test_a_camera_that_has_not_moved_loses_nothing_wherever_it_stands(self) -> None:
        matrix = CAMERA.world_from_camera.copy()
        matrix[:3, 3] += (3000, -5000, 0)
        far = dataclasses.replace(CAMERA, world_from_camera=matrix)
        one, other = (in_source(self.dome, camera, 64, 48, camera) for camera in (CAMERA, far))
        np.testing.assert_allclose(one, other, rtol=1e-5)

    def test_continuous_where_ground_and_dome_meet(self) -> None:
        column = in_world(self.dome, CAMERA, 1, 2000)[:, 0]
        assert np.linalg.norm(np.diff(column, axis=0), axis=-1).max() < 0.5

    @pytest.mark.parametrize("height", [-3.0, 0.0, 1.5, 9.0, 50.0, 1e6])
    @pytest.mark.parametrize("pitch", [-1.5, -0.3, 0.0, 0.3, 1.5])
    def test_finite_under_on_and_above_the_ground_and_outside_the_dome(
        self, height: float, pitch: float
    ) -> None:
        camera = camera_of_photo(40, 30, 20, height, pitch)
        points = in_world(self.dome, camera, 30, 20)
        assert np.isfinite(points).all()
        assert (project_points(camera, points)[..., 2] >= 0).all()

    def test_a_far_dome_amounts_to_rotation_alone(self) -> None:
        far = surface(-1e9, 1e7)
        matrix = CAMERA.world_from_camera.copy()
        matrix[:3, 3] += (0.5, 0.2, 0.1)
        moved = dataclasses.replace(CAMERA, world_from_camera=matrix)
        seen = project_points(CAMERA, in_world(far, moved, 8, 6))
        np.testing.assert_allclose(seen[..., :2], pixel_centres(8, 6), atol=1e-6)

    def test_frames_of_a_batch_do_not_mix(self) -> None:
        cameras = [CAMERA, camera_of_photo(60, 64, 48, camera_height=2.5, pitch=0.4)]
        both = Backdrops(torch.tensor([0.0, 0.2]).double(), torch.tensor([10.0, 30.0]).double())
        together = torch.stack(
            backdrop_points(both, cameras_of([CAMERA] * 2), cameras_of(cameras), 16, 12), dim=-1
        )
        for row, of in enumerate((surface(0, 10), surface(both.ground[1].item(), 30))):
            np.testing.assert_array_equal(together[row], in_source(of, cameras[row], 16, 12))
