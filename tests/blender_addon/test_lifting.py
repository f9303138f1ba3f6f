"""Rectangles to boxes, without Blender."""

from __future__ import annotations

import math

import numpy as np
import pytest

from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import assumed_focal, camera_of_photo
from na_core.geometry.lifting import LiftingError, box_from_rectangle, projected_bounds


def camera(width=1000, height=700, camera_height=1.5, pitch=15.0):
    return camera_of_photo(assumed_focal(width, height), width, height, camera_height, math.radians(pitch))


@pytest.mark.parametrize("size", [(1000, 700), (700, 1000)])
@pytest.mark.parametrize("pitch", [5.0, 15.0, 35.0])
@pytest.mark.parametrize(
    "rectangle", [(0.1, 0.4, 0.3, 0.8), (0.45, 0.2, 0.6, 0.9), (0.6, 0.6, 0.95, 0.75), (0.3, 0.55, 0.7, 0.99)]
)
def test_the_box_projects_onto_the_rectangle(size, pitch, rectangle):
    view = camera(*size, pitch=pitch)
    box = box_from_rectangle(view, rectangle)
    assert np.abs(projected_bounds(view, box.world_from_box) - rectangle).max() < 0.01
    dimensions = np.linalg.norm(box.world_from_box[:3, :3], axis=0)
    assert (dimensions > 0).all()
    assert box.world_from_box[2, 3] == pytest.approx(dimensions[2] / 2)  # stands on the ground


@pytest.mark.parametrize("yaw", [0.0, 0.4, -1.2, 2.5])
def test_a_known_box_is_recovered(yaw):
    view = camera()
    known = box_matrix((0.3, 4.0, 0.25), (0.6, 0.42, 0.5), yaw)
    found = box_from_rectangle(view, projected_bounds(view, known), yaw=yaw)
    assert np.allclose(found.world_from_box, known, atol=1e-4)


def test_faces_the_camera_and_grows_away_from_it():
    view = camera()
    box = box_from_rectangle(view, (0.7, 0.5, 0.9, 0.8)).world_from_box
    front = -box[:2, 1] / np.linalg.norm(box[:2, 1])
    to_camera = view.world_from_camera[:2, 3] - box[:2, 3]
    assert front @ (to_camera / np.linalg.norm(to_camera)) > 0.99
    dimensions = np.linalg.norm(box[:3, :3], axis=0)
    assert dimensions[1] / dimensions[0] == pytest.approx(0.7)


def test_another_ground():
    view = camera()
    box = box_from_rectangle(view, (0.4, 0.4, 0.6, 0.8), ground_height=0.7).world_from_box
    assert box[2, 3] - np.linalg.norm(box[:3, 2]) / 2 == pytest.approx(0.7)


def test_a_bottom_edge_above_the_horizon_names_the_fix():
    with pytest.raises(LiftingError, match=r"below the horizon, or lower the horizon: .*pitch"):
        box_from_rectangle(camera(pitch=5.0), (0.4, 0.1, 0.6, 0.3))


@pytest.mark.parametrize("rectangle", [(0.4, 0.5, 0.4, 0.8), (0.6, 0.5, 0.4, 0.8), (0.1, 0.2, 0.3, math.nan)])
def test_an_empty_rectangle(rectangle):
    with pytest.raises(LiftingError, match="The rectangle is empty"):
        box_from_rectangle(camera(), rectangle)


def test_any_rectangle_gives_a_finite_box():
    generator = np.random.default_rng(0)
    for _ in range(100):
        x, y = np.sort(generator.uniform(0, 1, 2)), np.sort(generator.uniform(0.3, 1, 2))
        if min(x[1] - x[0], y[1] - y[0]) < 0.03:
            continue
        view = camera(camera_height=generator.uniform(0.3, 3), pitch=generator.uniform(15, 50))
        try:
            box = box_from_rectangle(view, (x[0], y[0], x[1], y[1])).world_from_box
        except LiftingError:
            continue
        assert np.isfinite(box).all()
        assert np.abs(box).max() < 1e5
