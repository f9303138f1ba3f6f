"""Dragging one face of a box: it goes where it is put, and the outline that it does not touch stays."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.geometry.boxes import box_corners, box_matrix
from na_core.geometry.camera import camera_of_photo, project_points
from na_core.geometry.face_drag import FACES, dragged_distance, face_at, move_face, refit_to_face
from na_core.scene import Box

CAMERA = camera_of_photo(300, 300, 200, 1.5, 0.4)


def standing(yaw: float = 0.3, size: tuple[float, float, float] = (0.5, 0.4, 0.6)) -> Box:
    return Box(box_matrix((0.1, 3.2, size[2] / 2), size, yaw))


def face_centre(box: Box, face: int) -> np.ndarray:
    axis, side = divmod(face, 2)
    matrix = box.world_from_box
    return matrix[:3, 3] + matrix[:3, axis] * (0.5 if side else -0.5)


def normal(box: Box, face: int) -> np.ndarray:
    axis, side = divmod(face, 2)
    along = box.world_from_box[:3, axis] / np.linalg.norm(box.world_from_box[:3, axis])
    return along if side else -along


def outline(box: Box) -> np.ndarray:
    points = project_points(CAMERA, box_corners(box.world_from_box))[:, :2]
    return np.concatenate([points.min(axis=0), points.max(axis=0)])


faces = st.integers(0, len(FACES) - 1)


@given(faces, st.floats(-0.3, 0.5))
def test_the_opposite_face_stays(face: int, distance: float) -> None:
    box = standing()
    moved = move_face(box, face, distance)
    opposite = face ^ 1
    np.testing.assert_allclose(face_centre(moved, opposite), face_centre(box, opposite), atol=1e-12)
    np.testing.assert_allclose(
        face_centre(moved, face), face_centre(box, face) + distance * normal(box, face), atol=1e-12
    )


def test_a_face_stops_before_the_opposite_one() -> None:
    moved = move_face(standing(), 0, -5.0)
    assert np.linalg.norm(moved.world_from_box[:3, 0]) == pytest.approx(0.02 * 0.5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3), st.floats(-0.15, 0.15), st.floats(-math.pi, math.pi))
def test_the_face_is_where_it_was_put_and_the_box_stands(face: int, distance: float, yaw: float) -> None:
    box = standing(yaw)
    refitted = refit_to_face(CAMERA, box, face, distance)
    wanted = face_centre(box, face) + distance * normal(box, face)
    assert (face_centre(refitted, face) - wanted) @ normal(box, face) == pytest.approx(0, abs=1e-9)
    assert box_corners(refitted.world_from_box)[:, 2].min() == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(normal(refitted, 1), normal(box, 1), atol=1e-9)  # its yaw


def test_a_deeper_box_is_lower_so_that_its_top_stays_in_the_photo() -> None:
    box = standing(yaw=0.0)
    plain, refitted = move_face(box, 3, 0.3), refit_to_face(CAMERA, box, 3, 0.3)  # the far face, away
    assert outline(plain)[1] < outline(box)[1] - 0.01
    assert abs(outline(refitted)[1] - outline(box)[1]) < 0.4 * abs(outline(plain)[1] - outline(box)[1])
    assert outline(refitted)[3] == pytest.approx(outline(box)[3], abs=0.01)


def test_a_wider_box_has_a_wider_outline_and_the_rest_of_it_stays() -> None:
    box = standing(yaw=0.0)
    refitted = refit_to_face(CAMERA, box, 1, 0.1)
    assert outline(refitted)[2] > outline(box)[2] + 0.02
    np.testing.assert_allclose(outline(refitted)[[0, 1, 3]], outline(box)[[0, 1, 3]], atol=0.01)


def test_an_unmoved_face_changes_nothing() -> None:
    box = standing()
    np.testing.assert_allclose(
        refit_to_face(CAMERA, box, 2, 0.0).world_from_box, box.world_from_box, atol=1e-6
    )


def test_a_box_beside_the_camera_is_not_refitted() -> None:
    box = Box(box_matrix((0, 0.2, 0.5), (1, 1, 1)))
    assert refit_to_face(CAMERA, box, 1, 0.2) == move_face(box, 1, 0.2)


@given(st.floats(-math.pi, math.pi))
def test_the_face_under_the_pointer_is_one_that_is_seen(yaw: float) -> None:
    box = standing(yaw)
    away = box.world_from_box[:3, 3] - CAMERA.world_from_camera[:3, 3]
    for face in range(len(FACES)):
        seen = normal(box, face) @ (away + face_centre(box, face) - box.world_from_box[:3, 3]) < -1e-6
        point = project_points(CAMERA, face_centre(box, face)[None])[0, :2]
        if seen:
            assert face_at(CAMERA, box, (point[0], point[1])) == face


@given(faces, st.floats(-0.2, 0.2))
def test_a_face_follows_the_drag(face: int, distance: float) -> None:
    box = standing()
    centre = face_centre(box, face)
    there = centre + distance * normal(box, face)
    start, end = (tuple(project_points(CAMERA, at[None])[0, :2]) for at in (centre, there))
    assert dragged_distance(CAMERA, box, face, start, end) == pytest.approx(distance, abs=1e-6)
