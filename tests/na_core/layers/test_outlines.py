"""Outlines follow the photo's edges where its colours tell objects apart."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from na_core.layers.outlines import (
    CUT_SIDE,
    enlarged_owner,
    outlines,
    snap_outline,
    snap_outlines,
    without_doubtful_holes,
)

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


class TestHoles:
    """An object has what it encloses and may cover."""

    @pytest.fixture
    def ring(self) -> NDArray[np.int32]:
        ring = np.full((12, 12), -1, np.int32)
        ring[2:10, 2:10] = 3
        ring[4:8, 4:8] = -1
        return ring

    @pytest.fixture
    def doubtful(self, ring: NDArray[np.int32]) -> NDArray[np.int32]:
        """The left half of the hole, and as much beside the ring."""
        cover = np.full_like(ring, -1)
        cover[:, :6] = 3
        return cover

    def test_a_hole_is_filled_where_the_object_may_be_in_it(
        self, ring: NDArray[np.int32], doubtful: NDArray[np.int32]
    ) -> None:
        filled = without_doubtful_holes(ring, doubtful)
        assert (filled[4:8, 4:6] == 3).all()
        assert (filled[4:8, 6:8] == -1).all()
        assert (filled[:, :2] == -1).all()

    def test_a_notch_is_no_hole(self, ring: NDArray[np.int32], doubtful: NDArray[np.int32]) -> None:
        ring[5, 2:4] = -1  # open to the outside
        np.testing.assert_array_equal(without_doubtful_holes(ring, doubtful), ring)

    def test_what_another_object_may_cover_is_left_to_it(
        self, ring: NDArray[np.int32], doubtful: NDArray[np.int32]
    ) -> None:
        np.testing.assert_array_equal(
            without_doubtful_holes(ring, np.where(doubtful == 3, 1, -1).astype(np.int32)), ring
        )


WIDTH, HEIGHT = 1152, 864
"""Of a photo whose outlines are cut at a smaller size."""


def wide_disc(width: int, height: int, x: float = 0.45, y: float = 0.4) -> NDArray[np.bool_]:
    """A disc of the same place and size, relative to the picture's width."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    return np.hypot(columns - x * width, rows - y * width) < 0.2 * width


@pytest.fixture(scope="module")
def large() -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Owners and covers of a large photo of a red disc, as a small network sees it."""
    assert WIDTH > CUT_SIDE
    picture = np.full((HEIGHT, WIDTH, 3), 110.0)
    picture[wide_disc(WIDTH, HEIGHT)] = (190, 60, 40)
    picture += np.random.default_rng(0).normal(0, 6, picture.shape)
    chance = cv2.GaussianBlur(wide_disc(96, 72, 0.47, 0.42).astype(np.float32), (0, 0), 4)
    return outlines(np.clip(picture, 0, 255).astype(np.uint8), chance[None])


class TestLargePhotos:
    """Beyond the size at which outlines are cut they are enlarged smoothly."""

    def test_maps_have_the_photos_size(self, large: tuple[NDArray[np.int32], NDArray[np.int32]]) -> None:
        assert [each.shape for each in large] == [(HEIGHT, WIDTH)] * 2

    def test_the_outline_is_on_the_photos_edge(
        self, large: tuple[NDArray[np.int32], NDArray[np.int32]]
    ) -> None:
        assert overlap(large[0] == 0, wide_disc(WIDTH, HEIGHT)) > 0.98

    def test_the_outline_has_no_steps(self, large: tuple[NDArray[np.int32], NDArray[np.int32]]) -> None:
        owner, truth = large[0] == 0, wide_disc(WIDTH, HEIGHT)
        rows = np.flatnonzero(owner.sum(axis=1) > 0.15 * WIDTH)
        off = [np.flatnonzero(owner[row])[-1] - np.flatnonzero(truth[row])[-1] for row in rows]
        assert np.std(off) < 0.75 * WIDTH / CUT_SIDE

    def test_an_owner_covers_its_pixels(self, large: tuple[NDArray[np.int32], NDArray[np.int32]]) -> None:
        owner, cover = large
        np.testing.assert_array_equal(cover[owner >= 0], owner[owner >= 0])
        assert (cover >= 0).sum() > (owner >= 0).sum()


class TestEnlarging:
    def test_a_disc_stays_a_disc(self) -> None:
        small = np.where(disc(40, 50, 25), 2, -1).astype(np.int32)
        rows, columns = (np.mgrid[: 4 * SIDE, : 4 * SIDE] + 0.5) / 4
        large = np.hypot(columns - 40, rows - 50) < 25
        found = enlarged_owner(small, 4 * SIDE, 4 * SIDE)
        assert set(np.unique(found)) == {-1, 2}
        assert overlap(found == 2, large) > 0.985

    def test_at_the_picture_s_border_it_reaches_the_border(self) -> None:
        small = np.full((8, 8), -1, np.int32)
        small[:, :4] = 0
        found = enlarged_owner(small, 24, 24)
        assert (found[:, :12] == 0).all()
        assert (found[:, 12:] == -1).all()

    def test_neighbours_share_their_border_without_a_gap(self) -> None:
        small = np.zeros((8, 8), np.int32)
        small[:, 4:] = 1
        found = enlarged_owner(small, 40, 40)
        assert (found[:, :19] == 0).all()
        assert (found[:, 21:] == 1).all()
        assert (found[:, 19:21] >= 0).all()
