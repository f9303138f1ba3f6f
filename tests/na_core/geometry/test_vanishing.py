"""Parallel edges in a photo tell the camera that took it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from na_core.geometry.camera import camera_of_photo, project_points
from na_core.geometry.vanishing import VanishingError, camera_from_lines

SIZE = (640, 480)


def table_edges(camera, yaw: float) -> tuple[list, list]:
    """Return the images of the four edges of a square table, by direction."""
    turn = np.array([[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]])
    eye, view = camera.world_from_camera[:3, 3], -camera.world_from_camera[:3, 2]
    middle = (eye + view * (-eye[2] / view[2]))[:2]
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * 0.3 * eye[2] @ turn.T + middle
    seen = project_points(camera, np.c_[corners, np.zeros(4)])[:, :2]
    edge = [(*seen[i], *seen[(i + 1) % 4]) for i in range(4)]
    return [edge[0], edge[2]], [edge[1], edge[3]]


@settings(max_examples=150, deadline=None)
@given(
    focal=st.floats(300, 1500),
    pitch=st.floats(0.2, 1.1),
    roll=st.floats(-0.2, 0.2),
    yaw=st.floats(0.25, math.pi / 2 - 0.25),
    height=st.floats(0.3, 5),
)
def test_a_tables_edges_tell_the_camera(
    focal: float, pitch: float, roll: float, yaw: float, height: float
) -> None:
    camera = camera_of_photo(focal, *SIZE, height, pitch, roll)
    first, second = table_edges(camera, yaw)
    assume(all(np.hypot(line[0] - line[2], line[1] - line[3]) > 0.05 for line in (*first, *second)))
    found = camera_from_lines(first, second, *SIZE, camera_height=height)
    assert found.fx == pytest.approx(camera.fx, rel=1e-6)
    np.testing.assert_allclose(found.world_from_camera, camera.world_from_camera, atol=1e-6)


def test_more_lines_make_up_for_a_slip_of_the_hand() -> None:
    camera = camera_of_photo(700, *SIZE, 1.2, 0.5)
    first, second = table_edges(camera, 0.6)
    wrong = [(*first[0][:3], first[0][3] + 0.004), first[1]]
    few = camera_from_lines(wrong, second, *SIZE)
    many = camera_from_lines([*wrong, *first, *first], second, *SIZE)
    assert abs(many.fx - camera.fx) < abs(few.fx - camera.fx)


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ([(0, 0.5, 1, 0.4)], [(0, 0, 1, 1), (0, 1, 1, 0)], "Draw another one"),
        ([(0, 0.5, 0.001, 0.5), (0, 0.6, 1, 0.5)], [(0, 0, 1, 1), (0, 1, 1, 0)], "too short"),
        ([(0, 0.4, 1, 0.4), (0, 0.6, 1, 0.6)], [(0.2, 1, 0.4, 0), (0.8, 1, 0.6, 0)], "no perspective"),
        ([(0.2, 1, 0.4, 0), (0.8, 1, 0.6, 0)], [(0.1, 1, 0.4, 0), (0.9, 1, 0.6, 0)], "right angle"),
    ],
)
def test_lines_that_tell_no_camera_say_why(first, second, text: str) -> None:
    with pytest.raises(VanishingError, match=text):
        camera_from_lines(first, second, *SIZE)
