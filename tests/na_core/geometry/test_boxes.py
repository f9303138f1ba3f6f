"""Boxes: corners, projection, bounds and the source-relative relabelling."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from na_core.geometry.boxes import (
    POSE_CORNERS,
    bounds_2d,
    box_corners,
    box_matrix,
    is_behind,
    project_boxes,
    quarter_turn,
    relabelled,
    source_quarter_turns,
)
from na_core.geometry.camera import camera_of_photo, project_points
from na_core.scene import Box, Camera
from tests.na_core.reference import reference_pose

CameraMaker = Callable[[], Camera]
BoxMaker = Callable[[], NDArray[np.float64]]

STRAIGHT = Camera(np.eye(4), 1.0, 1.0)
"""At the origin, looking along -Z."""


def at(x: float, y: float, z: float, size: float = 1.0) -> Box:
    return Box(box_matrix((x, y, z), (size, size, size)))


class TestCorners:
    def test_index_is_4ix_2iy_iz(self) -> None:
        corners = box_corners(np.eye(4))
        for ix in (0, 1):
            for iy in (0, 1):
                for iz in (0, 1):
                    assert corners[4 * ix + 2 * iy + iz].tolist() == [ix - 0.5, iy - 0.5, iz - 0.5]

    def test_shear_is_kept(self) -> None:
        sheared = np.eye(4)
        sheared[0, 2] = 0.8
        corners = box_corners(sheared)
        np.testing.assert_allclose(corners[1] - corners[0], [0.8, 0, 1])

    def test_batched(self, any_box: BoxMaker) -> None:
        boxes = np.stack([any_box() for _ in range(6)]).reshape(2, 3, 4, 4)
        corners = box_corners(boxes)
        assert corners.shape == (2, 3, 8, 3)
        np.testing.assert_array_equal(corners[1, 2], box_corners(boxes[1, 2]))

    def test_upright_box(self) -> None:
        corners = box_corners(box_matrix((1, 2, 3), (2, 4, 6), yaw=math.pi / 2))
        np.testing.assert_allclose(corners.min(axis=0), [-1, 1, 0], atol=1e-12)
        np.testing.assert_allclose(corners.max(axis=0), [3, 3, 6], atol=1e-12)


class TestProjection:
    def test_equals_projecting_every_corner_by_itself(
        self, any_camera: CameraMaker, any_box: BoxMaker
    ) -> None:
        cameras = [any_camera() for _ in range(4)]
        boxes = np.stack([any_box() for _ in range(5)])
        together = project_boxes(cameras, boxes)
        assert together.shape == (4, 5, 8, 3)
        for f, camera in enumerate(cameras):
            for n, box in enumerate(boxes):
                for c, corner in enumerate(box_corners(box)):
                    alone = project_points(camera, corner)
                    np.testing.assert_allclose(together[f, n, c], alone, rtol=1e-6, atol=1e-9)

    def test_boxes_may_move_from_frame_to_frame(self, any_camera: CameraMaker, any_box: BoxMaker) -> None:
        cameras = [any_camera() for _ in range(3)]
        boxes = np.stack([any_box() for _ in range(6)]).reshape(3, 2, 4, 4)
        moving = project_boxes(cameras, boxes)
        for f in range(3):
            np.testing.assert_allclose(moving[f], project_boxes(cameras[f : f + 1], boxes[f])[0])

    def test_finite_wherever_the_box_is(self) -> None:
        boxes = np.stack([at(0, 0, z).world_from_box for z in (0.5, 0, -0.5, 3, -1e9)])
        flat = box_matrix((0, 0, 0), (0, 0, 0))
        assert np.isfinite(project_boxes([STRAIGHT], [*boxes, flat])).all()

    def test_depth_is_positive_in_front(self) -> None:
        depth = project_boxes([STRAIGHT], [at(0, 0, -3).world_from_box, at(0, 0, 3).world_from_box])[
            0, ..., 2
        ]
        assert (depth[0] > 0).all()
        assert (depth[1] < 0).all()

    def test_no_boxes(self) -> None:
        assert project_boxes([STRAIGHT], np.zeros((0, 4, 4))).shape == (1, 0, 8, 3)


class TestPoseCorners:
    def test_the_four_are_one_corner_and_its_z_y_x_neighbours(self) -> None:
        corners = box_corners(np.eye(4))[list(POSE_CORNERS)]
        np.testing.assert_array_equal(corners[1:] - corners[0], [[0, 0, 1], [0, 1, 0], [1, 0, 0]])


class TestBounds:
    def test_tight_around_a_box_in_view(self) -> None:
        # Nearest face at depth 2.5: half a metre is 0.2 of the picture.
        assert bounds_2d(STRAIGHT, at(0, 0, -3)) == pytest.approx((0.3, 0.3, 0.7, 0.7))

    def test_clipped_to_the_picture(self) -> None:
        x0, _y0, x1, _y1 = bounds_2d(STRAIGHT, at(1.5, 0, -3))
        assert 0.5 < x0 < 1
        assert x1 == 1

    @pytest.mark.parametrize("centre", [(0, 0, 3), (9, 0, -3), (0, -9, -3)])
    def test_empty_behind_and_outside(self, centre: tuple[float, float, float]) -> None:
        assert bounds_2d(STRAIGHT, at(*centre)) == (0, 0, 0, 0)

    def test_a_box_that_straddles_the_camera_plane_is_bounded_by_its_front_part(self) -> None:
        # A wall to the right, from far behind to 10 m ahead: it starts where its far edge is seen.
        wall = Box(box_matrix((1.5, 0, 0), (1, 1, 20)))
        x0, y0, x1, y1 = bounds_2d(STRAIGHT, wall)
        assert x0 == pytest.approx(0.5 + 1 / 10)
        assert (y0, x1, y1) == (0, 1, 1)

    def test_from_inside_a_box_the_whole_picture(self) -> None:
        assert bounds_2d(STRAIGHT, at(0, 0, 0, size=4)) == (0, 0, 1, 1)

    def test_flat_box_seen_edge_on_is_empty(self) -> None:
        assert bounds_2d(STRAIGHT, Box(box_matrix((0, 0, -3), (1, 0, 1)))) == (0, 0, 0, 0)


class TestBehind:
    def test_only_when_every_corner_is(self) -> None:
        assert is_behind(STRAIGHT, at(0, 0, 3))
        assert is_behind(STRAIGHT, at(0, 0, 0.5))
        assert not is_behind(STRAIGHT, at(0, 0, 0.4))
        assert not is_behind(STRAIGHT, at(0, 0, -3))
        assert not is_behind(STRAIGHT, at(50, 0, -3))


class TestQuarterTurns:
    def test_map_the_cube_to_itself_exactly(self) -> None:
        cube = {tuple(c) for c in box_corners(np.eye(4)).tolist()}
        for k in range(-4, 9):
            assert {tuple(c) for c in box_corners(quarter_turn(k)).tolist()} == cube
            np.testing.assert_array_equal(quarter_turn(k), quarter_turn(k + 4))
        np.testing.assert_array_equal(quarter_turn(1) @ quarter_turn(3), np.eye(4))
        np.testing.assert_array_equal(quarter_turn(0), np.eye(4))

    def test_turn_counterclockwise_about_up(self) -> None:
        np.testing.assert_array_equal(quarter_turn(1)[:3, 0], [0, 1, 0])

    def test_front_is_turned_to_the_source_camera(self) -> None:
        camera = camera_of_photo(500, 500, 500, 1.5, 0.2)  # stands at y = 0 and looks at +Y
        for k in range(4):
            box = Box(box_matrix((0, 4, 0.5), (1, 1, 1), yaw=-k * math.pi / 2))
            assert source_quarter_turns(box, camera) == k
            np.testing.assert_allclose(relabelled(box, k)[:3, 1], [0, 1, 0], atol=1e-12)

    def test_four_equivalent_detections_give_one_code(self, rng: np.random.Generator) -> None:
        # The 1,000 boxes of the paper page, section 9. A detector reports a box modulo a quarter turn (with
        # its dimensions swapped to suit); the artist then moves what was detected, rigidly.
        camera = camera_of_photo(500, 640, 480, 1.6, 0.25)
        mismatches = 0
        for _ in range(1000):
            true = box_matrix(
                (rng.uniform(-3, 3), rng.uniform(2, 9), rng.uniform(0, 1)),
                rng.uniform(0.2, 2, 3),
                rng.uniform(-math.pi, math.pi),
            )
            move = box_matrix(rng.normal(size=3), (1, 1, 1), rng.uniform(-math.pi, math.pi))
            codes = []
            for j in range(4):
                detected = Box(true @ quarter_turn(j))
                k = source_quarter_turns(detected, camera)
                moved = Box(move @ detected.world_from_box)
                codes.append(
                    np.concatenate(
                        [
                            reference_pose(camera, relabelled(detected, k)),
                            reference_pose(camera, relabelled(moved, k)),
                        ]
                    )
                )
            mismatches += any(not np.allclose(code, codes[0], rtol=1e-6, atol=1e-9) for code in codes)
        assert mismatches == 0

    def test_a_camera_straight_above_still_gets_an_answer(self) -> None:
        above = Camera(box_matrix((0, 0, 5), (1, 1, 1)), 1, 1)
        assert source_quarter_turns(at(0, 0, 0), above) in range(4)

    @pytest.mark.parametrize("dimensions", [(1, 0, 1), (0, 0, 0)])
    def test_flat_boxes_get_an_answer(self, dimensions: tuple[float, float, float]) -> None:
        assert source_quarter_turns(Box(box_matrix((0, 4, 0), dimensions)), STRAIGHT) in range(4)
