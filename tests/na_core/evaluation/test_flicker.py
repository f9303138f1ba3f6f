"""Warp error: 0 for what moves as it should, and the mean square of what does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from na_core.data.scenes import Scene
from na_core.evaluation.films import film_of, warp_error, warp_ratio
from na_core.evaluation.label_flow import Flow
from na_core.evaluation.methods import SceneRenderer
from na_core.scene import Picture

SIZE = (20, 24)


def picture(seed: int) -> Picture:
    return np.random.default_rng(seed).integers(0, 200, (*SIZE, 3)).astype(np.uint8)


def shift_of(columns: int) -> Flow:
    """Return the flow of a picture that slides to the right."""
    displacement = np.zeros((*SIZE, 2), np.float32)
    displacement[..., 0] = columns
    visible = np.broadcast_to(np.arange(SIZE[1]) + columns < SIZE[1], SIZE)
    return Flow(displacement, visible.copy())


@given(columns=st.integers(0, 10), seed=st.integers(0, 2**16))
def test_a_picture_that_follows_the_flow_has_none(columns: int, seed: int) -> None:
    first = picture(seed)
    assert warp_error([first, np.roll(first, columns, axis=1)], [shift_of(columns)]) == pytest.approx(0)


@given(level=st.integers(1, 55), seed=st.integers(0, 2**16))
def test_a_change_of_brightness_is_its_square(level: int, seed: int) -> None:
    first = picture(seed)
    found = warp_error([first, first + np.uint8(level)], [shift_of(0)])
    assert found == pytest.approx((level / 255) ** 2, rel=1e-3)


def test_pixels_are_pooled_over_frames() -> None:
    first = picture(0)
    films = [first, first + np.uint8(10), first + np.uint8(10)]
    hardly = Flow(shift_of(0).displacement, np.zeros(SIZE, bool))
    hardly.visible[0] = True
    found = warp_error(films, [hardly, shift_of(0)])
    assert found == pytest.approx((10 / 255) ** 2 / (1 + SIZE[0]), rel=1e-3)


def test_nothing_seen_twice_has_no_error() -> None:
    nothing = Flow(np.zeros((*SIZE, 2), np.float32), np.zeros(SIZE, bool))
    assert warp_error([picture(0), picture(1)], [nothing]) is None


def test_the_ratio_of_two_films_without_any_is_1() -> None:
    assert warp_ratio(0, 0) == 1
    assert warp_ratio(0.02, 0.01) == pytest.approx(2, rel=0.001)


class TestFilms:
    def test_the_truth_flickers_less_than_a_still(self, film: Scene) -> None:
        truths = SceneRenderer(film).pictures
        found = film_of(film, truths)
        assert found is not None
        assert [pair.target for pair in found.pairs] == [0, 1, 2, 3]
        assert found.score(truths)["warp_ratio"] == pytest.approx(1)
        assert found.score([truths[0]] * 4)["warp_ratio"] > 1.3

    def test_other_scenes_are_no_films(self, edits: Scene) -> None:
        assert film_of(edits, SceneRenderer(edits).pictures) is None
