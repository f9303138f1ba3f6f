"""Cameras and boxes of batches are those of na_core.geometry, one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from na_core.geometry import boxes as one_by_one
from na_core.geometry.camera import pixel_centres, project_points, rays
from na_core.scene import Box, Camera
from na_core.tensors import boxes as batched
from na_core.tensors import cameras as batched_cameras
from na_core.tensors.cameras import Cameras, cameras_of
from tests.na_core.reference import reference_pose, reference_relative_pose


def boxes_of(rows: Sequence[Sequence[Box]]) -> Tensor:
    """Write boxes as a tensor (B, N, 4, 4)."""
    return torch.from_numpy(np.array([[box.world_from_box for box in row] for row in rows]))


def anywhere(seed: int, count: int) -> tuple[list[Camera], list[list[Box]]]:
    """Return three cameras turned anyhow, each among ``count`` boxes that are rotated, scaled and sheared."""
    rng = np.random.default_rng(seed)

    def rotation() -> np.ndarray:
        q, r = np.linalg.qr(rng.normal(size=(3, 3)))
        q = q * np.sign(np.diag(r))
        return q * np.sign(np.linalg.det(q))

    cameras, boxes = [], []
    for _ in range(3):
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = rotation(), rng.normal(scale=2, size=3)
        cameras.append(Camera(matrix, *rng.uniform(0.4, 2.5, 2), *rng.uniform(0.2, 0.8, 2)))
        row = []
        for _ in range(count):
            box = np.eye(4)
            shear = np.eye(3) + np.triu(rng.normal(scale=0.3, size=(3, 3)), 1)
            box[:3, :3] = rotation() @ shear @ np.diag(rng.uniform(0.2, 2, 3))
            box[:3, 3] = rng.normal(scale=3, size=3)
            row.append(Box(box))
        boxes.append(row)
    return cameras, boxes


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_bounds_poses_and_labels(seed: int) -> None:
    cameras, boxes = anywhere(seed, 4)
    some, matrices = cameras_of(cameras), boxes_of(boxes)
    bounds = batched.bounds_2d(some, matrices)
    poses = batched.pose_numbers(some, matrices)
    turns = batched.source_quarter_turns(matrices, Cameras(some.world_from_camera[:, None], some.intrinsics))
    for b, (camera, row) in enumerate(zip(cameras, boxes, strict=True)):
        for n, box in enumerate(row):
            np.testing.assert_allclose(bounds[b, n], one_by_one.bounds_2d(camera, box), atol=1e-9)
            expected = reference_pose(camera, box.world_from_box)
            np.testing.assert_allclose(poses[b, n], expected, rtol=1e-6, atol=1e-6)
            assert turns[b, n] == one_by_one.source_quarter_turns(box, camera)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_projection_and_relative_pose(seed: int) -> None:
    cameras, boxes = anywhere(seed, 1)
    some = cameras_of(cameras)
    expected = reference_relative_pose(cameras[0], cameras[1])
    np.testing.assert_allclose(batched_cameras.relative_pose_numbers(some[0], some[1]), expected, atol=1e-9)
    matrix = torch.tensor(boxes[0][0].world_from_box)
    local = batched.box_corners(batched.boxes_in_camera(some[0], matrix[None]))
    found = batched_cameras.project_local(some[0], local[0])
    corners = one_by_one.box_corners(boxes[0][0].world_from_box)
    np.testing.assert_allclose(found, project_points(cameras[0], corners), rtol=1e-6, atol=1e-6)
    homogeneous = (batched_cameras.image_from_camera(some[0]) @ local[0].T).T
    np.testing.assert_allclose(homogeneous[:, :2], found[:, :2] * found[:, 2:], atol=1e-6)


def test_a_camera_that_steps_right_sees_the_source_to_its_left() -> None:
    step = np.eye(4)
    step[0, 3] = 1
    some = cameras_of([Camera(np.eye(4), 1, 1), Camera(step, 1, 1)])
    numbers = batched_cameras.relative_pose_numbers(some[0], some[1])
    np.testing.assert_array_equal(numbers, [1, 0, 0, 0, 1, 0, 0, 0, 1, -1, 0, 0])


def test_the_relative_pose_maps_points_from_camera_to_camera() -> None:
    source, target = anywhere(7, 0)[0][:2]
    some = cameras_of([source, target])
    numbers = batched_cameras.relative_pose_numbers(some[0], some[1]).numpy()
    point = np.array([0.3, -1.2, 2.5])
    world = source.world_from_camera @ [*point, 1]
    expected = (np.linalg.inv(target.world_from_camera) @ world)[:3]
    np.testing.assert_allclose(numbers[:9].reshape(3, 3) @ point + numbers[9:], expected, atol=1e-12)


def test_rays_of_pixels() -> None:
    cameras, _ = anywhere(3, 0)
    some = cameras_of(cameras)
    matrix = some.world_from_camera[0, :3, :3] @ batched_cameras.camera_from_pixel(some, 7, 5)[0]
    for row in range(5):
        for column in range(7):
            expected = rays(cameras[0], pixel_centres(7, 5)[row, column])
            found = matrix @ torch.tensor([column, row, 1.0], dtype=torch.float64)
            np.testing.assert_allclose(found, expected, atol=1e-12)


def test_relabelling_is_the_quarter_turn_to_the_bit() -> None:
    _, boxes = anywhere(5, 4)
    matrices = torch.from_numpy(np.stack([box.world_from_box for box in boxes[0]]))
    found = batched.relabelled(matrices, torch.arange(4))
    for k, box in enumerate(boxes[0]):
        np.testing.assert_array_equal(found[k], one_by_one.relabelled(box, k))


def test_the_inverse_of_a_flat_box_is_finite() -> None:
    flat = torch.diag(torch.tensor([1.0, 0.0, 2.0, 1.0], dtype=torch.float64))
    inverse, volume = batched_cameras.affine_inverse(flat)
    assert volume == 0
    assert torch.isfinite(inverse).all()


def test_bounds_of_boxes_around_and_behind_the_camera() -> None:
    camera = Camera(np.eye(4), 1.0, 1.0)
    matrices = [
        one_by_one.box_matrix((0, 0, 0), (6, 6, 6)),
        one_by_one.box_matrix((0, 0, 3), (1, 1, 1)),
        one_by_one.box_matrix((1.5, 0, 0), (1, 1, 20)),
        one_by_one.box_matrix((90, 0, -3), (1, 1, 1)),
    ]
    boxes = [Box(matrix) for matrix in matrices]
    found = batched.bounds_2d(cameras_of([camera]), boxes_of([boxes]))[0]
    for bounds, box in zip(found, boxes, strict=True):
        np.testing.assert_allclose(bounds, one_by_one.bounds_2d(camera, box), atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_an_object_whose_source_box_changes_keeps_the_motion_from_there(seed: int) -> None:
    _, boxes = anywhere(seed, 3)
    box, old, new = boxes_of(boxes[:1])[0]
    moved = batched.moved_along(box, old, new)
    torch.testing.assert_close(moved @ torch.linalg.inv(new), box @ torch.linalg.inv(old), rtol=0, atol=1e-7)


def test_an_object_whose_source_box_was_flat_stays() -> None:
    _, boxes = anywhere(1, 2)
    box, new = boxes_of(boxes[:1])[0]
    flat = torch.from_numpy(one_by_one.box_matrix((0, 0, 0), (1, 0, 1)))
    assert torch.equal(batched.moved_along(box, flat, new), box)
