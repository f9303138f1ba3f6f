"""The batched box map is numpy's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from na_core.geometry.boxes import box_matrix
from na_core.geometry.boxmap import box_map as numpy_box_map
from na_core.geometry.boxmap import seen_from
from na_core.model.batched.boxmap import (
    BoxMap,
    Hits,
    box_map,
    sees_face,
    sees_opposite_face,
)
from na_core.model.batched.cameras import Cameras
from na_core.scene import Camera

STRAIGHT = Camera(np.eye(4), 1.0, 1.0)
WIDTH, HEIGHT = 70, 45  # neither is a multiple of a tile's side

ToCameras = Callable[..., Cameras]
ToBoxes = Callable[..., Tensor]
Matrix = NDArray[np.float64]


@pytest.fixture(scope="session")
def mapped(to_cameras: ToCameras, to_boxes: ToBoxes) -> Callable[[Camera, Sequence[Matrix]], BoxMap]:
    """Return the batched box map of one camera and its boxes."""

    def make(camera: Camera, boxes: Sequence[Matrix]) -> BoxMap:
        matrices = to_boxes([boxes])
        filled = torch.ones(matrices.shape[:2], dtype=torch.bool)
        return box_map(to_cameras([camera]), matrices, filled, WIDTH, HEIGHT)

    return make


def local_planes(hits: Hits) -> Tensor:
    """Return local coordinates as (B, 3, H, W), 0 without a hit."""
    batch, height, width = hits.pixels.shape
    planes = torch.zeros((3, batch, height, width), device=hits.depth.device)
    for plane, values in zip(planes, hits.local, strict=True):
        hits.pixels.put(values.masked_fill(hits.box < 0, 0), plane)
    return planes.transpose(0, 1)


def depth_plane(hits: Hits) -> Tensor:
    """Return depths as (B, H, W), infinite without a hit."""
    plane = torch.full(hits.pixels.shape, torch.inf, device=hits.depth.device)
    hits.pixels.put(hits.depth.masked_fill(hits.box < 0, torch.inf), plane)
    return plane


def assert_is_numpys(found: BoxMap, camera: Camera, boxes: Sequence[Matrix], row: int = 0) -> None:
    known = numpy_box_map(camera, boxes, WIDTH, HEIGHT)
    for index, hits, theirs, local, depth in (
        (found.index, found.nearest, known.index, known.local, known.depth),
        (found.second_index, found.second, known.second_index, known.second_local, known.second_depth),
    ):
        same = index[row].numpy() == theirs
        assert same.mean() >= 0.999
        ours = local_planes(hits)[row].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(ours[same], local[same], atol=1e-3)
        np.testing.assert_allclose(depth_plane(hits)[row].numpy()[same], depth[same], rtol=1e-3, atol=1e-5)


def turned_box(rng: np.random.Generator, low: float, high: float) -> Matrix:
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    shear = np.eye(3) + np.triu(rng.normal(scale=0.3, size=(3, 3)), 1)
    box = np.eye(4)
    box[:3, :3] = q @ shear @ np.diag(rng.uniform(low, high, 3))
    box[:3, 3] = rng.uniform((-2, -2, -7), (2, 2, -2))
    return box


Mapped = Callable[[Camera, Sequence[Matrix]], BoxMap]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 12))
def test_sheared_mirrored_and_overlapping_boxes(seed: int, count: int, mapped: Mapped) -> None:
    rng = np.random.default_rng(seed)
    camera = Camera(np.eye(4), *rng.uniform(0.4, 2.0, 2), *rng.uniform(0.3, 0.7, 2))
    boxes = [turned_box(rng, 0.2, 2) for _ in range(count)]
    assert_is_numpys(mapped(camera, boxes), camera, boxes)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_thin_small_and_far_boxes_far_from_the_origin(seed: int, mapped: Mapped) -> None:
    rng = np.random.default_rng(seed)
    place = np.eye(4)
    place[:3, 3] = rng.uniform(-1000, 1000, 3)
    camera = Camera(place, 1.0, 1.0)
    boxes = [place @ turned_box(rng, 0.005, 1.0) for _ in range(5)]
    far = place @ box_matrix((1, 0, -90), (2, 3, 0.01), 0.3)
    assert_is_numpys(mapped(camera, [*boxes, far]), camera, [*boxes, far])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_camera_among_and_inside_boxes(seed: int, mapped: Mapped) -> None:
    rng = np.random.default_rng(seed)
    boxes = [turned_box(rng, 0.5, 6) for _ in range(6)]
    for box in boxes:
        box[:3, 3] = rng.normal(size=3)
    assert_is_numpys(mapped(STRAIGHT, boxes), STRAIGHT, boxes)


def test_inside_a_room(mapped: Mapped) -> None:
    boxes = [box_matrix((0, 0, 0), (6, 6, 6), yaw=0.3), box_matrix((0.3, 0, -2), (0.5, 1, 0.5))]
    found = mapped(STRAIGHT, boxes)
    assert (found.index >= 0).all()
    assert_is_numpys(found, STRAIGHT, boxes)


@pytest.mark.parametrize("depth", [-2.0, 2.0])
def test_a_camera_on_a_face_sees_the_inside_only(depth: float, mapped: Mapped) -> None:
    boxes = [box_matrix((0, 0, depth), (4, 4, 4)), box_matrix((0, 0, -3), (1.1, 1.1, 1))]
    assert_is_numpys(mapped(STRAIGHT, boxes), STRAIGHT, boxes)


def test_boxes_that_leave_no_trace(mapped: Mapped) -> None:
    boxes = [
        box_matrix((0, 0, 3), (1, 1, 1)),
        box_matrix((90, 0, -3), (1, 1, 1)),
        box_matrix((0.1, 0.1, -3), (1, 0, 1), 0.3),
        box_matrix((0, 0, -3), (0, 0, 0)),
    ]
    assert (mapped(STRAIGHT, boxes).index == -1).all()


def test_of_two_equal_boxes_the_first_is_in_front_everywhere(mapped: Mapped) -> None:
    box = turned_box(np.random.default_rng(0), 1, 2)
    box[:3, 3] = (0, 0, -4)
    found = mapped(STRAIGHT, [box, box])
    assert set(found.index.unique().tolist()) == {-1, 0}
    assert torch.equal(found.index == 0, found.second_index == 1)


def test_empty_slots_are_never_hit_and_frames_do_not_mix(to_cameras: ToCameras, to_boxes: ToBoxes) -> None:
    rng = np.random.default_rng(4)
    boxes = [[turned_box(rng, 0.5, 2) for _ in range(4)] for _ in range(3)]
    cameras = [Camera(np.eye(4), focal, focal) for focal in (0.6, 1.0, 1.4)]
    filled = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]], dtype=torch.bool)
    found = box_map(to_cameras(cameras), to_boxes(boxes), filled, WIDTH, HEIGHT)
    for row, count in enumerate((4, 2, 0)):
        assert_is_numpys(found, cameras[row], boxes[row][:count], row)


@pytest.mark.usefixtures("every_pixel")
def test_where_lists_do_not_pay_the_map_is_the_same(mapped: Mapped) -> None:
    rng = np.random.default_rng(6)
    boxes = [turned_box(rng, 0.3, 2) for _ in range(6)]
    found = mapped(STRAIGHT, boxes)
    assert len(found.nearest.box) == WIDTH * HEIGHT
    assert_is_numpys(found, STRAIGHT, boxes)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_faces_seen_are_numpys(seed: int, to_cameras: ToCameras, to_boxes: ToBoxes) -> None:
    rng = np.random.default_rng(seed)
    box = turned_box(rng, 0.5, 8)
    centres = np.zeros((6, 3))
    centres[np.arange(6), np.arange(6) // 2] = [-1, 1] * 3
    seen = sees_face(to_cameras([STRAIGHT]), to_boxes([[box]])[:, 0])[0]
    np.testing.assert_array_equal(seen, seen_from(STRAIGHT, box, centres))
    opposite = sees_opposite_face(to_cameras([STRAIGHT]), to_boxes([[box]])[:, 0])[0]
    if not seen.all():
        np.testing.assert_array_equal(opposite, seen_from(STRAIGHT, box, -centres))
