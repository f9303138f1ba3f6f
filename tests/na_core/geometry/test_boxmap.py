"""The box map against a slow rasteriser that shares no code with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from na_core.geometry.boxes import box_matrix
from na_core.geometry.boxmap import BoxMap, box_map, seen_from
from na_core.geometry.camera import pixel_centres, project_points
from na_core.scene import Camera

BoxMaker = Callable[[], NDArray[np.float64]]
View = Callable[[int], tuple[Camera, list[NDArray[np.float64]]]]
Hit = tuple[float, int, NDArray[np.float64]]

STRAIGHT = Camera(np.eye(4), 1.0, 1.0)
WIDTH, HEIGHT = 20, 14


def slow_hits(camera: Camera, boxes: Sequence[NDArray[np.float64]], column: int, row: int) -> list[Hit]:
    """Return (depth, box, local) of the first hit of every box along one pixel's ray, nearest first.

    Face by face: the plane through the face, then the face's own two edge coordinates in [-1, 1].
    """
    x, y = (column + 0.5) / WIDTH, (row + 0.5) / HEIGHT
    rotation, eye = camera.world_from_camera[:3, :3], camera.world_from_camera[:3, 3]
    ray = rotation @ [(x - camera.cx) / camera.fx, -(y - camera.cy) / camera.fy, -1.0]
    hits: list[Hit] = []
    for number, box in enumerate(boxes):
        found: list[Hit] = []
        for axis in range(3):
            u, v = box[:3, (axis + 1) % 3] / 2, box[:3, (axis + 2) % 3] / 2
            normal = np.cross(u, v)
            if abs(normal @ ray) < 1e-15:
                continue
            for side in (-1, 1):
                middle = box[:3, 3] + side * box[:3, axis] / 2
                depth = normal @ (middle - eye) / (normal @ ray)
                if depth <= 0:
                    continue
                across = np.linalg.lstsq(np.stack([u, v], 1), eye + depth * ray - middle, rcond=None)[0]
                if (np.abs(across) <= 1 + 1e-9).all():
                    local = np.zeros(3)
                    local[axis], local[(axis + 1) % 3], local[(axis + 2) % 3] = side, *across
                    found.append((float(depth), number, local))
        if found:
            hits.append(min(found, key=lambda h: h[0]))
    return sorted(hits, key=lambda h: h[0])


def assert_equals_slow(camera: Camera, boxes: Sequence[NDArray[np.float64]]) -> BoxMap:
    result = box_map(camera, boxes, WIDTH, HEIGHT)
    layers = (
        (result.index, result.depth, result.local),
        (result.second_index, result.second_depth, result.second_local),
    )
    for row in range(HEIGHT):
        for column in range(WIDTH):
            hits = slow_hits(camera, boxes, column, row)
            for layer, (index, depth, local) in enumerate(layers):
                if layer >= len(hits):
                    assert index[row, column] == -1
                    assert depth[row, column] == np.inf
                    assert not local[row, column].any()
                    continue
                expected_depth, number, expected_local = hits[layer]
                assert index[row, column] == number
                assert depth[row, column] == pytest.approx(expected_depth, rel=1e-5)
                np.testing.assert_allclose(local[row, column], expected_local, atol=2e-5)
    return result


class TestAgainstTheSlowRasteriser:
    def test_many_boxes_anywhere(self, in_view: View) -> None:
        hits = 0
        for _ in range(5):
            result = assert_equals_slow(*in_view(6))
            hits += (result.second_index >= 0).sum()
        assert hits > 100, "the scenes are too empty to show second hits"

    def test_overlapping_boxes(self, any_box: BoxMaker) -> None:
        boxes = [any_box() for _ in range(4)]
        for box in boxes:
            box[:3, 3] = (0, 0, -4)
        assert_equals_slow(STRAIGHT, boxes)

    def test_sheared_and_mirrored(self, any_box: BoxMaker) -> None:
        sheared = np.eye(4)
        sheared[0, 1], sheared[2, 3] = 0.9, -3
        mirrored = any_box() @ np.diag([-1.0, 1, 1, 1])
        mirrored[:3, 3] = (0.5, 0, -4)
        assert_equals_slow(STRAIGHT, [sheared, mirrored])

    def test_camera_inside_a_box_sees_the_inside_of_its_far_face(self) -> None:
        room = box_matrix((0, 0, 0), (6, 6, 6), yaw=0.3)
        chair = box_matrix((0.3, 0, -2), (0.5, 1, 0.5))
        result = assert_equals_slow(STRAIGHT, [room, chair])
        assert (result.index >= 0).all()
        assert (result.second_index == 0).sum() == (result.index == 1).sum()

    def test_box_around_the_camera_plane(self) -> None:
        assert_equals_slow(
            STRAIGHT, [box_matrix((1.5, 0, 0), (1, 1, 20)), box_matrix((0, -1, -2), (9, 1, 9))]
        )


class TestDefinition:
    def test_straight_ahead(self) -> None:
        result = box_map(STRAIGHT, [box_matrix((0, 0, -3), (1, 1, 1))], 5, 5)
        assert result.index[2, 2] == 0
        assert result.depth[2, 2] == 2.5
        np.testing.assert_allclose(result.local[2, 2], [0, 0, 1], atol=1e-7)
        assert result.index[0, 0] == -1

    def test_hits_lie_on_the_surface_of_the_cube(self, in_view: View) -> None:
        for _ in range(20):
            result = box_map(*in_view(5), 40, 30)
            for index, local in (
                (result.index, result.local),
                (result.second_index, result.second_local),
            ):
                largest = np.abs(local[index >= 0]).max(axis=-1)
                assert (largest <= 1).all()
                np.testing.assert_allclose(largest, 1, atol=1e-5)

    def test_hits_project_back_to_their_pixel_and_depth(self, in_view: View) -> None:
        camera, boxes = in_view(6)
        result = box_map(camera, boxes, 40, 30)
        for number, box in enumerate(boxes):
            hit = result.index == number
            world = result.local[hit] / 2 @ box[:3, :3].T + box[:3, 3]
            projected = project_points(camera, world)
            np.testing.assert_allclose(projected[:, :2], pixel_centres(40, 30)[hit], atol=1e-4)
            np.testing.assert_allclose(projected[:, 2], result.depth[hit], rtol=1e-4)

    def test_second_hit_is_another_box(self, in_view: View) -> None:
        result = box_map(*in_view(12), 40, 30)
        both = result.second_index >= 0
        assert both.any()
        assert (result.index[both] != result.second_index[both]).all()
        assert (result.index[both] >= 0).all()
        assert (result.depth <= result.second_depth).all()

    def test_order_of_the_list_does_not_matter(self, in_view: View) -> None:
        camera, boxes = in_view(7)
        one, other = box_map(camera, boxes, 40, 30), box_map(camera, boxes[::-1], 40, 30)
        for a, b in ((one.index, other.index), (one.second_index, other.second_index)):
            np.testing.assert_array_equal(a, np.where(b < 0, -1, 6 - b))
        np.testing.assert_array_equal(one.depth, other.depth)

    def test_of_two_equal_boxes_the_first_is_in_front_everywhere(self, any_box: BoxMaker) -> None:
        # A duplicate that has not been moved yet: no speckle of the two.
        box = any_box()
        box[:3, 3] = (0, 0, -4)
        result = box_map(STRAIGHT, [box, box], 60, 60)
        assert set(np.unique(result.index)) == {-1, 0}
        np.testing.assert_array_equal(result.index == 0, result.second_index == 1)

    def test_boxes_behind_and_outside_leave_no_trace(self) -> None:
        boxes = [box_matrix((0, 0, 3), (1, 1, 1)), box_matrix((9, 0, -3), (1, 1, 1))]
        assert (box_map(STRAIGHT, boxes, 9, 9).index == -1).all()

    @pytest.mark.parametrize("dimensions", [(0, 1, 1), (1, 0, 1), (1, 1, 0), (0, 0, 0)])
    def test_flat_boxes_are_never_hit(self, dimensions: tuple[float, float, float]) -> None:
        result = box_map(STRAIGHT, [box_matrix((0.1, 0.1, -3), dimensions, 0.3)], 9, 9)
        assert (result.index == -1).all()

    def test_no_boxes_and_a_single_pixel(self) -> None:
        assert box_map(STRAIGHT, [], 3, 2).index.shape == (2, 3)
        assert box_map(STRAIGHT, [box_matrix((0, 0, -3), (1, 1, 1))], 1, 1).index[0, 0] == 0

    def test_small_objects_are_hit(self) -> None:
        grain = box_matrix((0, 0, -0.01), (1e-3, 1e-3, 1e-3))
        assert box_map(STRAIGHT, [grain], 101, 101).index[50, 50] == 0


class TestSeenFrom:
    def test_every_hit_is_seen_from_its_camera(self, in_view: View) -> None:
        for _ in range(20):
            camera, (box,) = in_view(1)
            result = box_map(camera, [box], 40, 30)
            assert seen_from(camera, box, result.local[result.index == 0]).all()

    def test_opposite_points_are_not(self, in_view: View) -> None:
        for _ in range(20):
            camera, (box,) = in_view(1)
            local = box_map(camera, [box], 40, 30).local
            middle = local[(np.abs(local) > 0.99).sum(axis=-1) == 1]
            assert not seen_from(camera, box, -middle).any()

    def test_from_inside_all_faces(self) -> None:
        faces = np.concatenate([np.eye(3), -np.eye(3)])
        assert seen_from(STRAIGHT, box_matrix((0, 0, 0), (4, 4, 4)), faces).all()

    def test_a_camera_on_a_face_sees_the_inside_as_the_box_map_does(self) -> None:
        box = box_matrix((0, 0, -2), (4, 4, 4))
        result = box_map(STRAIGHT, [box], 9, 9)
        assert (result.index == 0).all()
        assert seen_from(STRAIGHT, box, result.local.reshape(-1, 3)).all()

    def test_a_flat_box_shows_nothing(self) -> None:
        assert not seen_from(STRAIGHT, box_matrix((0, 0, -3), (1, 1, 0)), [[0, 0, 1.0]]).any()
