"""A frame is the one before, moved: what is valid in both is the same point of the same photo."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from na_core.evaluation.label_flow import sample_bilinear
from na_core.geometry.boxes import box_corners, box_matrix
from na_core.geometry.camera import pixel_centres, project_points
from na_core.raster.backdrop import DOME_FACTOR
from na_core.scene import Camera, Frame
from tests.na_core.reference import reference_backdrop, reference_box_map
from tests.na_core.stage import Shot, shot

WIDTH, HEIGHT = 96, 64


def two_boxes() -> Shot:
    """Return two objects side by side in a photo that differs little from pixel to pixel, but everywhere."""
    of = shot([box_matrix((-0.7, 4.0, 0.4), (0.7, 0.5, 0.8), 0.5), box_matrix((0.7, 4.5, 0.3), (0.6,) * 3)])
    y, x = np.mgrid[:HEIGHT, :WIDTH] / HEIGHT
    planes = [0.5 + 0.4 * np.sin(a * x + b * y + c) for a, b, c in ((4, 3, 1), (-3, 4, 2), (2, -5, 3))]
    return dataclasses.replace(of, photo=np.rint(255 * np.stack(planes, -1)).astype(np.uint8))


def where_points_go(
    first: Frame, second: Frame, of: Shot
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Follow what the first frame's pixels show of boxes and the backdrop into the second frame.

    Returns:
        Where in the second frame (H, W, 2) it is; the box that the first frame has at each of its pixels,
        and the box that the second has there, -1 for none.
    """
    corners = np.concatenate([box_corners(box.world_from_box) for box in of.boxes])
    centre = of.camera.world_from_camera[:3, 3]
    radius = DOME_FACTOR * np.linalg.norm(corners - centre, axis=1).max()
    world = reference_backdrop(first.camera, centre, 0.0, radius, WIDTH, HEIGHT)
    boxes = [[placed.box.world_from_box for placed in frame.assets] for frame in (first, second)]
    before = reference_box_map(first.camera, boxes[0], WIDTH, HEIGHT)
    for number, matrix in enumerate(boxes[1]):
        own = before.index[0] == number
        world[own] = before.local[0][own] / 2 @ matrix[:3, :3].T + matrix[:3, 3]
    at = project_points(second.camera, world)[..., :2]
    after = reference_box_map(second.camera, boxes[1], WIDTH, HEIGHT).index[0]
    x, y = (np.clip(np.floor(at[..., i] * of), 0, of - 1).astype(int) for i, of in ((0, WIDTH), (1, HEIGHT)))
    return at, before.index[0], after[y, x]


def stepped(camera: Camera, step: tuple[float, float, float], yaw: float) -> Camera:
    matrix = camera.world_from_camera.copy()
    cosine, sine = np.cos(yaw), np.sin(yaw)
    matrix[:3, :3] = matrix[:3, :3] @ [[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]]
    matrix[:3, 3] += step
    return dataclasses.replace(camera, world_from_camera=matrix)


@settings(max_examples=10, deadline=None)
@given(
    step=st.tuples(*[st.floats(-0.1, 0.1)] * 3),
    yaw=st.floats(-0.03, 0.03),
    moved=st.tuples(*[st.floats(-0.2, 0.2)] * 2),
    turn=st.floats(-0.2, 0.2),
)
def test_the_second_frame_warped_by_the_exact_flow_is_the_first(
    step: tuple[float, float, float], yaw: float, moved: tuple[float, float], turn: float
) -> None:
    of = two_boxes()
    left = of.boxes[0].world_from_box.copy()
    left[:2, 3] += moved
    right = of.boxes[1].world_from_box @ box_matrix((0,) * 3, (1,) * 3, turn)
    first, second = of.frame(), of.frame({0: left, 1: right}, stepped(of.camera, step, yaw))
    at, own, there = where_points_go(first, second, of)
    one, other = of.shown(first), of.shown(second)
    warped = sample_bilinear(other.picture, at)
    valid = sample_bilinear(other.validity[..., None].astype(np.float32), at)[..., 0] > 0.999
    inside = ((at > 0) & (at < 1)).all(axis=-1)
    both = one.validity & valid & inside & (own == there)
    assert both.mean() > 0.4
    error = np.abs(warped - one.picture).max(axis=-1)
    assert error[both].mean() < 0.01
    for number in (-1, 0, 1):
        shows = both & (own == number)
        assert np.quantile(error[shows], 0.9) < 0.04


def test_ground_points_follow_the_ground() -> None:
    of = two_boxes()
    camera = stepped(of.camera, (0.3, 0.2, 0.1), 0.05)
    still, moved = of.shown(of.frame()), of.shown(of.frame(camera=camera))
    point = np.array([[0.0, 3.0, 0.0]])  # on the ground, between the objects
    start, end = (project_points(looks, point)[:, :2] for looks in (of.camera, camera))
    seen = sample_bilinear(moved.picture, end)
    np.testing.assert_allclose(seen, sample_bilinear(still.picture, start), atol=0.01)
    column, row = np.floor(end[0] * (WIDTH, HEIGHT)).astype(int)
    assert moved.validity[row, column]
    # The shift is from where the photo shows the point to where it shows this direction.
    expected = np.linalg.norm((end - start)[0] * (WIDTH, HEIGHT))
    assert moved.shift[row, column] == pytest.approx(expected, abs=1)


def test_pixels_are_where_the_backdrop_is_whoever_looks() -> None:
    of = two_boxes()
    camera = stepped(of.camera, (0.1, 0, 0), 0)
    frame = of.frame({0: None, 1: None}, camera)
    found = of.shown(frame)
    at, _, _ = where_points_go(frame, of.frame({0: None, 1: None}), of)
    valid = found.validity
    assert valid.mean() > 0.5
    expected = sample_bilinear(of.picture, at)
    np.testing.assert_allclose(found.picture[valid], expected[valid], atol=0.01)
    shift = np.linalg.norm((at - pixel_centres(WIDTH, HEIGHT)) * (WIDTH, HEIGHT), axis=-1)
    np.testing.assert_allclose(found.shift[valid], shift[valid], atol=0.02)
