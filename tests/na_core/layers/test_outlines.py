"""Outlines follow the photo's edges where its colours tell objects apart."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from na_core.model.outlines import snap_outline, snap_outlines

SIDE = 96


def disc(x: float, y: float, radius: float) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    return np.hypot(columns - x, rows - y) < radius


def photo_of(*coloured: tuple[NDArray[np.bool_], tuple[int, int, int]]) -> NDArray[np.uint8]:
    """Paint regions on a grey ground, with grain."""
    picture = np.full((SIDE, SIDE, 3), 110.0)
    for region, colour in coloured:
        picture[region] = colour
    grain = np.random.default_rng(0).normal(0, 6, picture.shape)
    return np.clip(picture + grain, 0, 255).astype(np.uint8)


def roughly(region: NDArray[np.bool_], shift: int = 4) -> NDArray[np.float32]:
    """A network's opinion of a region: beside it, and soft."""
    moved = np.roll(region, (shift, -shift), axis=(0, 1)).astype(np.float32)
    return cv2.GaussianBlur(moved, (0, 0), 5)


def overlap(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_an_outline_moves_to_the_edge_in_the_photo() -> None:
    truth = disc(48, 48, 22)
    chance = roughly(truth)
    snapped = snap_outline(photo_of((truth, (190, 60, 40))), chance, chance > 0.5)
    assert overlap(chance > 0.5, truth) < 0.8
    assert overlap(snapped, truth) > 0.97


def test_where_colours_do_not_tell_the_network_is_believed() -> None:
    truth = disc(48, 48, 22)
    chance = roughly(truth, 0)
    snapped = snap_outline(photo_of(), chance, chance > 0.5)
    assert overlap(snapped, truth) > 0.5


@pytest.mark.parametrize("radius", [0, 1, 2])
def test_specks_and_objects_that_are_not_there_stay_as_they_are(radius: float) -> None:
    shows = disc(10, 10, radius)
    np.testing.assert_array_equal(snap_outline(photo_of(), shows.astype(np.float32), shows), shows)


def test_an_object_that_fills_its_photo_stays_whole() -> None:
    everywhere = np.ones((SIDE, SIDE), bool)
    assert snap_outline(photo_of(), everywhere.astype(np.float32), everywhere).all()


def test_of_two_objects_each_gets_its_own_and_the_rest_is_nobodys() -> None:
    left, right = disc(32, 48, 18), disc(64, 48, 18) & ~disc(32, 48, 18)
    picture = photo_of((left, (190, 60, 40)), (right, (40, 80, 190)))
    chance = np.stack([roughly(left, 2), roughly(right, 2)])
    owner = np.where(chance.max(axis=0) > 0.5, chance.argmax(axis=0), -1)
    snapped = snap_outlines(picture, chance, owner)
    assert set(np.unique(snapped)) == {-1, 0, 1}
    assert overlap(snapped == 0, left) > 0.95
    assert overlap(snapped == 1, right) > 0.95


def test_the_same_photo_gives_the_same_outlines_whatever_ran_before() -> None:
    truth = disc(48, 48, 22)
    picture = np.random.default_rng(1).integers(0, 255, (SIDE, SIDE, 3)).astype(np.uint8)
    chance = roughly(truth, 3)
    results = []
    for seed in (1, 2):
        cv2.setRNGSeed(seed)
        results.append(snap_outline(picture, chance, chance > 0.5))
    np.testing.assert_array_equal(*results)


def test_nothing_seen_is_nothing_snapped() -> None:
    nobody = np.full((SIDE, SIDE), -1)
    assert (snap_outlines(photo_of(), np.zeros((0, SIDE, SIDE), np.float32), nobody) == -1).all()
