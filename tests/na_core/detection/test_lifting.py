"""Boxes are fitted to what one view shows of an object."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from na_core.detection.lifting import (
    FittingError,
    closeness_yaw,
    fit_box,
    points_of_depth,
    principal_yaw,
    scale_to_ground,
    smoothed,
)
from na_core.evaluation.box_overlap import box_iou
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo, pixel_centres, rays
from tests.na_core.reference import nearest_boxes

SIDE = 160
CAMERA = camera_of_photo(1.2 * SIDE, SIDE, SIDE, 1.4, math.radians(20))
EYE = CAMERA.world_from_camera[:3, 3]

boxes = st.builds(
    lambda x, y, length, ratio, height, yaw: box_matrix(
        (x, y, height / 2), (length, ratio * length, height), yaw
    ),
    st.floats(-0.6, 0.6),
    st.floats(3, 4.5),
    st.floats(0.6, 1.2),
    st.floats(0.7, 1),
    st.floats(0.4, 0.75),  # their tops are seen well: what nothing shows of a depth, no fit can tell
    st.floats(0, math.pi),
)


def seen(*matrices: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return depth (H, W) of boxes on the ground, infinite in the sky, and which box each pixel shows."""
    found = nearest_boxes(CAMERA, matrices, SIDE, SIDE)
    down = rays(CAMERA, pixel_centres(SIDE, SIDE))[..., 2]
    with np.errstate(divide="ignore"):
        ground = np.where(down < 0, -EYE[2] / down, np.inf)
    return np.where(found.index >= 0, found.depth, ground).astype(np.float32), found.index


@settings(max_examples=40, deadline=None)
@given(matrix=boxes)
def test_a_solid_is_found_whole_though_half_of_it_is_unseen(matrix: NDArray[np.float64]) -> None:
    depth, index = seen(matrix)
    fitted = fit_box(points_of_depth(CAMERA, depth, index == 0), EYE, 0.0)
    assert box_iou(fitted.world_from_box, matrix) > 0.6
    front = -fitted.world_from_box[:2, 1]
    towards = (EYE - fitted.world_from_box[:3, 3])[:2]
    cosine = front @ towards / np.linalg.norm(front) / np.linalg.norm(towards)
    assert cosine > math.cos(math.radians(45.5))  # no other side faces the camera more


@settings(max_examples=40, deadline=None)
@given(matrix=boxes)
def test_yaw_of_a_solid_is_sharp(matrix: NDArray[np.float64]) -> None:
    depth, index = seen(matrix)
    yaw, _ = closeness_yaw(points_of_depth(CAMERA, depth, index == 0)[:, :2])
    true = math.atan2(matrix[1, 0], matrix[0, 0])
    off = (yaw - true + math.pi / 4) % (math.pi / 2) - math.pi / 4
    assert abs(off) < math.radians(4)


def test_closeness_is_not_tilted_by_two_unlike_sides_as_principal_axes_are() -> None:
    corner = np.concatenate(
        [np.c_[np.linspace(0, 1, 200), np.zeros(200)], np.c_[np.zeros(120), np.linspace(0, 0.6, 120)]]
    )
    yaw, sure = closeness_yaw(corner)
    assert yaw == pytest.approx(0, abs=0.02) or yaw == pytest.approx(math.pi / 2, abs=0.02)
    assert sure > 1.3
    tilted, _ = principal_yaw(corner)
    assert min(tilted, math.pi / 2 - tilted) > math.radians(10)


def test_what_is_round_faces_the_camera() -> None:
    angle = np.linspace(0, 2 * np.pi, 2000)
    drum = np.c_[0.3 * np.cos(angle) + 1, 0.3 * np.sin(angle) + 3, np.linspace(0, 0.5, 40).repeat(50)]
    fitted = fit_box(drum, EYE, 0.0)
    front = -fitted.world_from_box[:2, 1]
    towards = EYE[:2] - (1, 3)
    assert front @ towards / np.linalg.norm(front) / np.linalg.norm(towards) > 0.999


def test_estimated_depth_is_scaled_to_the_ground_and_smoothed() -> None:
    matrix = box_matrix((0.2, 3.6, 0.35), (0.9, 0.7, 0.7), 0.5)
    depth, index = seen(matrix)
    rng = np.random.default_rng(0)
    estimated = 1.1 * depth * (1 + 0.03 * rng.normal(size=depth.shape))
    wall = np.indices(depth.shape)[0] < SIDE // 3
    estimated[wall] = 4.0
    scale = scale_to_ground(CAMERA, estimated, index < 0)
    assert scale == pytest.approx(1 / 1.1, rel=0.02)
    object_depth = smoothed(estimated * scale, index == 0)
    fitted = fit_box(points_of_depth(CAMERA, object_depth, index == 0), EYE, 0.0)
    raw = fit_box(points_of_depth(CAMERA, estimated, index == 0), EYE, 0.0)
    better, worse = (box_iou(fit.world_from_box, matrix) for fit in (fitted, raw))
    assert better > 0.6 > worse


def test_without_ground_depth_stays_as_it_is() -> None:
    depth, index = seen(box_matrix((0, 3, 0.5), (1, 1, 1)))
    assert scale_to_ground(CAMERA, depth, np.zeros_like(index, bool)) == 1
    assert scale_to_ground(CAMERA, np.full_like(depth, np.inf), index < 0) == 1


def test_averages_take_nothing_from_beside_the_object() -> None:
    _, index = seen(box_matrix((0, 3, 0.5), (1, 1, 1)))
    shown = index == 0
    found = smoothed(np.where(shown, 2.0, 50.0), shown)
    np.testing.assert_allclose(found[shown], 2, rtol=1e-5)
    assert np.isinf(found[~shown]).all()


def test_points_that_fly_behind_the_object_do_not_count() -> None:
    matrix = box_matrix((0, 3.5, 0.4), (1, 0.8, 0.8), 0.6)
    depth, index = seen(matrix)
    points = points_of_depth(CAMERA, depth, index == 0)
    rng = np.random.default_rng(1)
    flying = points[rng.integers(len(points), size=len(points) // 50)]
    flying = EYE + (flying - EYE) * rng.uniform(1.05, 1.3, (len(flying), 1))
    fitted = fit_box(np.concatenate([points, flying]), EYE, 0.0)
    assert box_iou(fitted.world_from_box, matrix) > 0.6


@pytest.mark.parametrize("points", [np.zeros((3, 3)), np.full((50, 3), np.nan), np.zeros((0, 3))])
def test_too_little_to_go_by_is_said(points: NDArray[np.float64]) -> None:
    with pytest.raises(FittingError, match="pixels of known depth"):
        fit_box(points, EYE)


def test_points_on_a_line_or_at_one_place_give_a_thin_box_not_an_error() -> None:
    line = np.c_[np.zeros(100), np.full(100, 3.0), np.linspace(0, 1, 100)]
    for points in (line, np.ones((100, 3))):
        matrix = fit_box(points, EYE).world_from_box
        assert np.isfinite(matrix).all()
        assert abs(np.linalg.det(matrix[:3, :3])) > 0
