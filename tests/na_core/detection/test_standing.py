"""Objects stand on the ground where a camera sees them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from na_core.detection.found import Found
from na_core.detection.perspective import Look
from na_core.detection.standing import (
    DOUBT,
    box_doubts,
    distinct_boxes,
    rotation,
    shared_volumes,
    standing_boxes,
)
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo, project_points

SIZE = (256, 192)


def things(count: int, seed: int = 0) -> Found:
    random = np.random.default_rng(seed)
    return Found(
        scores=np.linspace(0.9, 0.5, count),
        rectangles=np.zeros((count, 4)),
        centres=random.uniform((0.25, 0.3), (0.75, 0.55), (count, 2)),
        depths=np.full(count, 2.0),
        sizes=np.exp(random.normal(math.log(0.2), 0.25, (count, 3))),
        yaws=random.uniform(-math.pi, math.pi, count),
    )


def depths_of(boxes: NDArray[np.float64], found: Found, focal: float) -> NDArray[np.float64]:
    """Return the depths (K,) at which boxes look as large as they should."""
    return focal * boxes[:, 2, 2] / found.sizes[:, 2]


@given(st.floats(0.7, 2.0), st.floats(0.3, 0.8), st.floats(-0.2, 0.2))
def test_centres_are_seen_where_they_were_and_bases_are_on_the_ground(
    focal: float, pitch: float, roll: float
) -> None:
    found, look = things(5), Look(focal, pitch, roll)
    camera = camera_of_photo(focal * SIZE[0], *SIZE, 1.0, pitch, roll)
    np.testing.assert_allclose(rotation(look), camera.world_from_camera[:3, :3], atol=1e-12)
    boxes = standing_boxes(found, look, SIZE)
    depths = depths_of(boxes, found, focal)
    seen = project_points(camera, boxes[:, :3, 3])
    stands = np.abs(np.log(depths / (found.depths * focal))) < math.log(DOUBT) - 1e-9
    np.testing.assert_allclose(seen[stands, :2] * SIZE / max(SIZE), found.centres[stands], atol=1e-9)
    np.testing.assert_allclose(seen[stands, 2], depths[stands], rtol=1e-9)
    np.testing.assert_allclose(boxes[:, 2, 3], boxes[:, 2, 2] / 2)


def test_apparent_sizes_are_sizes_over_depth() -> None:
    found, look = things(4), Look(1.2, 0.5, 0.0)
    boxes = standing_boxes(found, look, SIZE)
    sizes = np.linalg.norm(boxes[:, :3, :3], axis=1)
    np.testing.assert_allclose(sizes * 1.2 / depths_of(boxes, found, 1.2)[:, None], found.sizes)


def test_what_would_stand_beyond_the_horizon_is_where_it_looks_to_be_more_or_less() -> None:
    found, look = things(3), Look(1.2, -0.5, 0.0)  # looking up: no ground is seen
    boxes = standing_boxes(found, look, SIZE)
    np.testing.assert_allclose(depths_of(boxes, found, 1.2), found.depths * 1.2 * DOUBT)


def test_doubts_of_boxes_are_what_the_cameras_doubts_move_them_by() -> None:
    found = things(6)
    sure = Look(1.2, 0.5, 0.0)
    assert box_doubts(found, sure, SIZE).tolist() == [0] * 6
    doubts = [box_doubts(found, replace(sure, pitch_doubt=doubt), SIZE) for doubt in (0.01, 0.02, 0.04)]
    assert (doubts[0] > 0).all()
    assert (doubts[0] < doubts[1]).all() and (doubts[1] < doubts[2]).all()
    assert (box_doubts(found, replace(sure, pitch_doubt=0.01, focal_doubt=0.1), SIZE) > doubts[0]).all()


def test_what_is_seen_near_the_horizon_stands_less_surely() -> None:
    found = things(2)
    far, near = found.centres.copy(), found.centres.copy()
    far[:, 1], near[:, 1] = 0.2, 0.6
    look = Look(1.2, 0.4, 0.0, pitch_doubt=0.01)
    doubts = [box_doubts(replace(found, centres=at), look, SIZE) for at in (far, near)]
    assert (doubts[0] > doubts[1]).all()


def test_some_of_the_objects() -> None:
    found = things(4).chosen([2, 0])
    assert found.scores.tolist() == pytest.approx([0.9 - 0.4 / 3 * 2, 0.9])
    assert found.centres.shape == (2, 2)


def test_a_part_of_a_thing_is_no_thing_but_what_stands_beside_it_is() -> None:
    whole = box_matrix((0, 0, 0.5), (1, 1, 1), 0.3)
    part = box_matrix((0.1, 0, 0.3), (0.4, 0.3, 0.6), 1.0)
    beside = box_matrix((1.1, 0, 0.5), (1, 1, 1), 0.3)
    boxes = np.stack([whole, part, beside])
    shared = shared_volumes(boxes)
    assert shared[1, 0] == pytest.approx(1.0)
    assert shared[0, 1] == pytest.approx(0.4 * 0.3 * 0.6, abs=0.04)
    assert np.diag(shared).tolist() == [1, 1, 1]
    assert shared[0, 2] < 0.1
    assert distinct_boxes(boxes) == [0, 2]
    assert distinct_boxes(boxes[[1, 0]]) == [0]  # the surer one stays
    assert distinct_boxes(np.zeros((0, 4, 4))) == []


def test_two_things_may_touch() -> None:
    boxes = np.stack([box_matrix((x, 0, 0.5), (1, 1, 1)) for x in (0, 0.7)])
    assert distinct_boxes(boxes) == [0, 1]
