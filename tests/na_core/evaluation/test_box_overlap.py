"""Intersection over union of oriented boxes is exact."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from na_core.evaluation.box_overlap import box_iou, box_ious
from na_core.geometry.boxes import box_corners, box_matrix

SAMPLES = 200_000


def affine(rng: np.random.Generator, shear: float) -> NDArray[np.float64]:
    """A box anywhere near the origin: turned about every axis, of any dimensions, a little sheared."""
    turned, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    matrix = np.eye(4)
    matrix[:3, :3] = turned * rng.uniform(0.3, 2, 3) + shear * rng.normal(size=(3, 3))
    matrix[:3, 3] = rng.uniform(-0.6, 0.6, 3)
    return matrix


def sampled_iou(first: NDArray[np.float64], second: NDArray[np.float64], rng: np.random.Generator) -> float:
    corners = box_corners(np.stack([first, second])).reshape(-1, 3)
    low, high = corners.min(axis=0), corners.max(axis=0)
    points = np.c_[rng.uniform(low, high, (SAMPLES, 3)), np.ones(SAMPLES)]
    in_first, in_second = (
        (np.abs(points @ np.linalg.inv(box)[:3].T) <= 0.5).all(axis=1) for box in (first, second)
    )
    return float((in_first & in_second).sum() / max(1, (in_first | in_second).sum()))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), shear=st.sampled_from([0.0, 0.1]))
def test_it_is_what_monte_carlo_finds(seed: int, shear: float) -> None:
    rng = np.random.default_rng(seed)
    first, second = affine(rng, shear), affine(rng, shear)
    assert box_iou(first, second) == pytest.approx(sampled_iou(first, second, rng), abs=0.02)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_it_is_symmetric_and_a_box_overlaps_itself_whole(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = affine(rng, 0.05), affine(rng, 0.05)
    assert box_iou(first, second) == pytest.approx(box_iou(second, first), abs=1e-6)
    assert box_iou(first, first) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("metres", [1e-3, 1.0, 1e4])
def test_half_a_box_aside_shares_a_third(metres: float) -> None:
    first = box_matrix((0, 0, 0), (metres, metres, metres))
    second = box_matrix((metres / 2, 0, 0), (metres, metres, metres))
    assert box_iou(first, second) == pytest.approx(1 / 3, abs=1e-6)


def test_an_eighth_of_a_turn_leaves_an_octagon() -> None:
    turned = box_matrix((0, 0, 0), (1, 1, 1), math.pi / 4)
    octagon = 2 * math.sqrt(2) - 2
    assert box_iou(np.eye(4), turned) == pytest.approx(octagon / (2 - octagon), abs=1e-6)


def test_a_quarter_turn_of_a_square_footprint_changes_nothing() -> None:
    assert box_iou(np.eye(4), box_matrix((0, 0, 0), (1, 1, 1), math.pi / 2)) == pytest.approx(1, abs=1e-6)


def test_inside_one_another_it_is_the_share_of_volume() -> None:
    assert box_iou(np.eye(4), box_matrix((0.1, 0, 0), (0.5, 0.5, 0.5), 0.3)) == pytest.approx(1 / 8, abs=1e-6)


@pytest.mark.parametrize(
    "other",
    [
        box_matrix((1, 0, 0), (1, 1, 1)),  # touching
        box_matrix((5, 5, 5), (1, 1, 1), 0.4),
        box_matrix((0, 0, 0), (1, 1, 0)),  # flat
        np.zeros((4, 4)),
    ],
)
def test_apart_touching_and_flat_boxes_share_nothing(other: NDArray[np.float64]) -> None:
    assert box_iou(np.eye(4), other) == 0
    assert box_iou(other, np.eye(4)) == 0


def test_every_pair_of_two_lists() -> None:
    boxes = np.stack([box_matrix((x, 0, 0), (1, 1, 1)) for x in (0.0, 0.5, 3.0)])
    table = box_ious(boxes[:2], boxes)
    assert table.shape == (2, 3)
    np.testing.assert_allclose(table, [[1, 1 / 3, 0], [1 / 3, 1, 0]], atol=1e-6)
    assert box_ious(np.zeros((0, 4, 4)), boxes).shape == (0, 3)
