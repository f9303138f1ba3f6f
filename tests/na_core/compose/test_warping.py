"""Exact flow: where every point of one frame is in another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from na_core.geometry.boxes import box_matrix, quarter_turn
from na_core.geometry.boxmap import box_map
from na_core.geometry.camera import camera_of_photo, pixel_centres, project_points
from na_core.geometry.fill import sample_bilinear
from na_core.geometry.flow import exact_flow
from na_core.scene import Camera

Shot = Any  # of conftest
Shoot = Callable[..., Shot]
Turned = Callable[..., Camera]

WIDTH, HEIGHT = 100, 60


@pytest.fixture
def level(shoot: Shoot) -> Shot:
    """Two camera-facing slabs, 4 m and 3 m away: at focal length 100 pixels a metre is 25 and 33 pixels."""
    camera = camera_of_photo(100, WIDTH, HEIGHT, camera_height=1.0, pitch=0.0)
    far = box_matrix((-0.8, 4.05, 1), (0.8, 0.1, 0.8))
    near = box_matrix((0.6, 3.05, 1), (0.4, 0.1, 0.8))
    return shoot([far, near], WIDTH, HEIGHT, camera)


def stepped(shot: Shot, number: int, x: float, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    matrix = shot.boxes[number].world_from_box.copy()
    matrix[:3, 3] += (x, y, z)
    return matrix


class TestStill:
    def test_equal_frames_do_not_move_and_all_is_visible(self, level: Shot, two_boxes: Shot) -> None:
        for shot in (level, two_boxes):
            flow = exact_flow(shot.frame(), shot.frame(), WIDTH, HEIGHT)
            np.testing.assert_allclose(flow.displacement, 0, atol=1e-4)
            assert flow.visible.all()

    def test_random_cameras(self, two_boxes: Shot, turned: Turned, rng: np.random.Generator) -> None:
        for _ in range(10):
            camera = turned(two_boxes.camera, rng.normal(scale=0.5, size=3), rng.normal(scale=0.2, size=2))
            frame = two_boxes.frame(camera=camera)
            flow = exact_flow(frame, frame, WIDTH, HEIGHT)
            np.testing.assert_allclose(flow.displacement, 0, atol=1e-3)


class TestMovingBoxes:
    def test_a_box_moved_sideways_moves_by_the_known_pixels(self, level: Shot) -> None:
        flow = exact_flow(level.frame(), level.frame({0: stepped(level, 0, 0.4, z=0.2)}), WIDTH, HEIGHT)
        seen = box_map(level.camera, [b.world_from_box for b in level.boxes], WIDTH, HEIGHT)
        face = (seen.index == 0) & (seen.local[..., 1] < -0.999)
        assert face.sum() > 200
        assert flow.visible[face].all()
        expected = np.broadcast_to([10, -5], (face.sum(), 2))
        np.testing.assert_allclose(flow.displacement[face], expected, atol=1e-3)

    def test_the_rest_stays(self, level: Shot) -> None:
        flow = exact_flow(level.frame(), level.frame({0: stepped(level, 0, 0.4)}), WIDTH, HEIGHT)
        seen = box_map(level.camera, [b.world_from_box for b in level.boxes], WIDTH, HEIGHT)
        np.testing.assert_allclose(flow.displacement[seen.index != 0], 0, atol=1e-4)

    def test_background_that_gets_covered_is_not_visible(self, level: Shot) -> None:
        first, second = level.frame(), level.frame({0: stepped(level, 0, 0.4)})
        flow = exact_flow(first, second, WIDTH, HEIGHT)
        before, after = (
            box_map(f.camera, [p.box.world_from_box for p in f.assets], WIDTH, HEIGHT).index
            for f in (first, second)
        )
        background = before < 0
        np.testing.assert_array_equal(flow.visible[background], (after < 0)[background])
        assert (~flow.visible[background]).sum() > 100

    def test_a_box_that_goes_behind_another_is_not_visible(self, level: Shot) -> None:
        hidden = stepped(level, 0, 1.6)
        hidden[:3, :3] *= 0.3
        flow = exact_flow(level.frame(), level.frame({0: hidden}), WIDTH, HEIGHT)
        seen = box_map(level.camera, [b.world_from_box for b in level.boxes], WIDTH, HEIGHT).index
        assert not flow.visible[seen == 0].any()
        assert not flow.displacement[seen == 0].any()

    @pytest.mark.parametrize("distance", [4.0, 40.0])
    def test_a_face_that_turns_away_is_not_visible_however_far(self, shoot: Shoot, distance: float) -> None:
        # 40 m away the two sides differ by 1 % in depth: a depth tolerance would confuse them.
        scale = distance / 4
        camera = camera_of_photo(100 * scale, WIDTH, HEIGHT, 1.0, 0.0)
        shot = shoot([box_matrix((0, distance, 1), (0.8, 0.4, 0.8))], WIDTH, HEIGHT, camera)
        around = shot.boxes[0].world_from_box @ quarter_turn(2)
        flow = exact_flow(shot.frame(), shot.frame({0: around}), WIDTH, HEIGHT)
        seen = box_map(camera, [shot.boxes[0].world_from_box], WIDTH, HEIGHT).index == 0
        assert seen.sum() > 300
        assert not flow.visible[seen].any()

    def test_a_grazing_face_stays_visible(self, shoot: Shoot) -> None:
        # A long road along the view: depth changes a lot from pixel to pixel.
        camera = camera_of_photo(100, WIDTH, HEIGHT, 1.0, 0.0)
        shot = shoot([box_matrix((0, 52, 0), (2, 100, 0.2))], WIDTH, HEIGHT, camera)
        moved = shot.boxes[0].world_from_box.copy()
        moved[0, 3] += 0.001
        flow = exact_flow(shot.frame(), shot.frame({0: moved}), WIDTH, HEIGHT)
        seen = box_map(camera, [shot.boxes[0].world_from_box], WIDTH, HEIGHT).index == 0
        assert flow.visible[seen].mean() > 0.95

    def test_what_leaves_the_picture_is_not_visible(self, level: Shot) -> None:
        flow = exact_flow(level.frame(), level.frame({0: stepped(level, 0, -9)}), WIDTH, HEIGHT)
        seen = box_map(level.camera, [b.world_from_box for b in level.boxes], WIDTH, HEIGHT).index
        assert not flow.visible[seen == 0].any()

    def test_what_goes_behind_the_camera_is_not_visible(self, level: Shot) -> None:
        flow = exact_flow(level.frame(), level.frame({0: stepped(level, 0, 0.8, y=-9)}), WIDTH, HEIGHT)
        seen = box_map(level.camera, [b.world_from_box for b in level.boxes], WIDTH, HEIGHT).index
        assert not flow.visible[seen == 0].any()


class TestMovingCamera:
    def test_ground_points_follow_the_ground(self, two_boxes: Shot, turned: Turned) -> None:
        camera = turned(two_boxes.camera, (0.3, 0.2, 0.1), (0.05, 0.02))
        flow = exact_flow(two_boxes.frame(), two_boxes.frame(camera=camera), 96, 64)
        point = np.array([0.0, 3.0, 0.0])  # on the ground, between the objects
        start, end = (project_points(c, point)[:2] * (96, 64) for c in (two_boxes.camera, camera))
        column, row = np.floor(start).astype(int)
        assert flow.visible[row, column]
        np.testing.assert_allclose(flow.displacement[row, column], end - start, atol=0.3)

    def test_the_way_back_is_the_opposite(self, two_boxes: Shot, turned: Turned) -> None:
        first = two_boxes.frame()
        second = two_boxes.frame(
            {0: stepped(two_boxes, 0, 0.2, 0.3)}, turned(two_boxes.camera, (0.2, 0, 0.1), (0.05, 0))
        )
        there, back = exact_flow(first, second, 96, 64), exact_flow(second, first, 96, 64)
        at = pixel_centres(96, 64) + there.displacement / (96, 64)
        returned = sample_bilinear(back.displacement, at)
        both = there.visible & (sample_bilinear(back.visible[..., None].astype(np.float32), at)[..., 0] == 1)
        error = np.abs(there.displacement + returned).max(axis=-1)[both]
        assert both.mean() > 0.4
        assert np.median(error) < 0.02
        assert np.quantile(error, 0.95) < 0.5


class TestWarping:
    def test_the_second_proxy_warped_by_the_flow_is_the_first(
        self, two_boxes: Shot, turned: Turned, rng: np.random.Generator
    ) -> None:
        y, x = np.mgrid[:192, :288] / 192
        waves = [0.5 + 0.4 * np.sin(a * x + b * y + c) for a, b, c in rng.uniform(-9, 9, (3, 3))]
        shot = dataclasses.replace(two_boxes, photo=np.stack(waves, -1).astype(np.float32))
        first = shot.frame()
        moves = {
            0: stepped(shot, 0, 0.15, -0.2),
            1: shot.boxes[1].world_from_box @ box_matrix((0,) * 3, (1,) * 3, 0.2),
        }
        second = shot.frame(moves, turned(shot.camera, (0.1, 0.1, 0.05), (0.03, 0.01)))
        a, b = shot.proxy(first), shot.proxy(second)
        flow = exact_flow(first, second, 288, 192)
        at = pixel_centres(288, 192) + flow.displacement / (288, 192)
        warped = sample_bilinear(b.picture, at)
        valid = sample_bilinear(b.validity[..., None].astype(np.float32), at)[..., 0] > 0.999
        both = flow.visible & a.validity & valid
        error = np.abs(warped - a.picture).max(axis=-1)[both]
        assert both.mean() > 0.5
        assert error.mean() < 0.01
        for number in (0, 1):
            on_box = both & (a.boxes.index == number)
            assert on_box.sum() > 300
            assert np.quantile(np.abs(warped - a.picture).max(axis=-1)[on_box], 0.9) < 0.03


class TestMatching:
    def test_frames_of_other_assets_are_refused(self, two_boxes: Shot) -> None:
        with pytest.raises(ValueError, match="the same assets in the same order"):
            exact_flow(two_boxes.frame(), two_boxes.frame({0: None}), 8, 8)

    def test_boxes_may_be_flat_or_around_the_camera(self, two_boxes: Shot) -> None:
        for matrix in (box_matrix((0, 4, 0), (1, 1, 0)), box_matrix((0, 0, 1.5), (3, 3, 3))):
            other = two_boxes.frame({0: matrix})
            for pair in ((two_boxes.frame(), other), (other, two_boxes.frame()), (other, other)):
                flow = exact_flow(*pair, 40, 30)
                assert np.isfinite(flow.displacement).all()
            assert exact_flow(other, other, 40, 30).visible.all()
