"""Metrics of layers, in cases whose value is known by construction."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from na_core.evaluation.layer_metrics import (
    MIXED_PIXELS,
    alpha_error,
    around_objects,
    boundary_f,
    depth_error,
    linear_light,
    outline,
    outline_iou,
    shaded,
    shadow_error,
)

SIDE = 60
EVERYWHERE = np.ones((SIDE, SIDE), bool)
NOWHERE = ~EVERYWHERE


def square(left: int, top: int, side: int = 20) -> NDArray[np.bool_]:
    """Return a region with one square."""
    region = np.zeros((SIDE, SIDE), bool)
    region[top : top + side, left : left + side] = True
    return region


def grey(level: int) -> NDArray[np.uint8]:
    return np.full((SIDE, SIDE, 3), level, np.uint8)


class TestOutlines:
    def test_the_outline_of_a_square_is_its_rim(self) -> None:
        rim = square(20, 20) & ~square(21, 21, 18)
        np.testing.assert_array_equal(outline(square(20, 20)), rim)

    def test_the_pictures_border_is_no_outline(self) -> None:
        found = outline(square(0, 10))
        assert found[10:30, 19].all()
        assert not found[11:29, 0].any()
        assert not outline(EVERYWHERE).any()

    def test_iou_of_squares_that_share_a_half_is_a_third(self) -> None:
        assert outline_iou(square(20, 20), square(20, 20)) == 1
        assert outline_iou(square(30, 20), square(20, 20)) == pytest.approx(1 / 3)
        assert outline_iou(NOWHERE, square(20, 20)) == 0

    @pytest.mark.parametrize("shift", [0, 1, 2])
    def test_an_outline_within_two_pixels_is_right(self, shift: int) -> None:
        assert boundary_f(square(20 + shift, 20), square(20, 20)) == 1

    def test_an_outline_three_pixels_aside_is_right_where_it_still_runs_along(self) -> None:
        """Wrong are, of 76 pixels, the 20 of the side that sticks out and 14 of the opposite side.

        The other six of that lie within two pixels of the true top and bottom.
        """
        assert boundary_f(square(23, 20), square(20, 20)) == pytest.approx(1 - (20 + 14) / 76)

    def test_precision_and_recall_are_averaged_harmonically(self) -> None:
        """Beside the true outline another one, as long and far away: precision 1/2, recall 1."""
        both = square(2, 2, 12) | square(40, 40, 12)
        assert boundary_f(both, square(2, 2, 12)) == pytest.approx(2 / 3)
        assert boundary_f(square(2, 2, 12), both) == pytest.approx(2 / 3)

    def test_nothing_found_is_worth_nothing_and_no_outline_measures_nothing(self) -> None:
        assert boundary_f(NOWHERE, square(20, 20)) == 0
        assert boundary_f(square(40, 40), square(0, 0)) == 0
        assert boundary_f(square(20, 20), EVERYWHERE) is None


class TestAlpha:
    def test_the_true_mask_has_no_error_and_half_of_everything_half(self) -> None:
        true = square(20, 20)
        assert alpha_error(true.astype(np.float32), true) == 0
        assert alpha_error(np.full(true.shape, 0.5), true) == 0.5

    def test_only_four_pixels_from_the_outline_count(self) -> None:
        true = square(20, 20)
        far = square(25, 25, 10) | ~square(15, 15, 30)  # five pixels inside and outside
        assert alpha_error(np.where(far, 1.0 - true, true), true) == 0
        nearer = square(24, 24, 12) | ~square(16, 16, 28)
        assert alpha_error(np.where(nearer, 1.0 - true, true), true) > 0

    def test_an_object_without_outline_has_no_alpha_error(self) -> None:
        assert alpha_error(np.ones((SIDE, SIDE)), EVERYWHERE) is None


class TestDepth:
    def test_it_is_relative(self) -> None:
        true = np.linspace(1, 9, SIDE)[:, None].repeat(SIDE, axis=1)
        assert depth_error(1.1 * true, true, EVERYWHERE) == pytest.approx(0.1)

    def test_what_is_infinitely_far_or_outside_does_not_count(self) -> None:
        true = np.where(square(0, 0), np.inf, 2.0)
        found = np.where(square(40, 40), 77, 2.5)
        assert depth_error(found, true, ~square(40, 40)) == pytest.approx(0.25)
        assert depth_error(found, true, square(0, 0)) is None


class TestShadows:
    def test_beside_objects_is_beyond_their_mixed_pixels(self) -> None:
        mask = square(20, 20).astype(np.uint8) * 3
        grown = square(20 - MIXED_PIXELS, 20 - MIXED_PIXELS, 20 + 2 * MIXED_PIXELS)
        np.testing.assert_array_equal(around_objects(mask), ~grown)

    @pytest.mark.parametrize(("darker", "found"), [(-20, True), (7, False), (9, True), (60, True)])
    def test_more_than_eight_levels_are_a_shadow_or_a_light(self, darker: int, found: bool) -> None:
        photo = grey(128)
        photo[square(10, 10)] -= np.int8(darker).astype(np.uint8)
        region = shaded(photo, grey(128), EVERYWHERE)
        assert region[20, 20] == found
        assert not region[~square(5, 5, 30)].any()

    def test_single_pixels_are_noise(self) -> None:
        photo = grey(128)
        photo[::6, ::6] += 60
        assert not shaded(photo, grey(128), EVERYWHERE).any()

    def test_objects_are_not_mixed_into_what_is_beside_them(self) -> None:
        photo = grey(128)
        photo[square(20, 20)] = 0
        assert not shaded(photo, grey(128), ~square(20, 20)).any()

    def test_linear_light(self) -> None:
        levels = np.array([0, 10, 188, 255], np.uint8)
        assert linear_light(levels) == pytest.approx([0, 10 / 255 / 12.92, 0.5029, 1], abs=1e-4)

    def test_a_shadow_that_is_the_true_one_has_no_error(self) -> None:
        random = np.random.default_rng(0)
        photo, plate = (random.integers(10, 256, (SIDE, SIDE, 3)).astype(np.uint8) for _ in range(2))
        shadow = np.log(linear_light(photo) / linear_light(plate))
        assert shadow_error(shadow, photo, plate, EVERYWHERE) == pytest.approx(0, abs=1e-12)
        held = shadow_error(shadow.astype(np.float16), photo, plate, EVERYWHERE)
        assert held is not None
        assert held < 1e-3

    def test_a_shadow_that_is_missed_is_its_logarithm_off(self) -> None:
        photo, none = grey(188), np.zeros((SIDE, SIDE, 3))
        photo[square(0, 0, 30)] = 137  # half the light of 188, in a quarter of the picture
        half = math.log(float(np.divide(*linear_light(np.array([137, 188], np.uint8)))))
        assert half == pytest.approx(-math.log(2), abs=0.01)
        assert shadow_error(none, photo, grey(188), EVERYWHERE) == pytest.approx(-half / 4)
        assert shadow_error(none - 1, photo, grey(188), square(0, 0, 30)) == pytest.approx(half + 1)

    def test_it_is_of_luminance(self) -> None:
        """A shadow in red alone, on grey, takes red's share of the light."""
        shadow = np.zeros((SIDE, SIDE, 3))
        shadow[..., 0] = -math.inf
        error = shadow_error(shadow, grey(128), grey(128), EVERYWHERE)
        assert error == pytest.approx(-math.log(1 - 0.2126))

    def test_ratios_end_at_minus_three_and_one(self) -> None:
        plain = grey(128)
        for shadow, error in ((-5.0, 3.0), (-2.0, 2.0), (0.5, 0.5), (4.0, 1.0)):
            found = shadow_error(np.full((SIDE, SIDE, 3), shadow), plain, plain, EVERYWHERE)
            assert found == pytest.approx(error)
        assert shadow_error(np.full((SIDE, SIDE, 3), -3.0), grey(10), grey(255), EVERYWHERE) == 0

    def test_what_is_nearly_black_does_not_count(self) -> None:
        wrong = np.full((SIDE, SIDE, 3), -1.0)
        assert shadow_error(wrong, grey(3), grey(128), EVERYWHERE) is None
        assert shadow_error(wrong, grey(128), grey(3), EVERYWHERE) is None
        assert shadow_error(wrong, grey(4), grey(4), EVERYWHERE) == pytest.approx(1)


def test_distances_are_euclidean() -> None:
    """OpenCV's precise mask: a tolerance of two pixels is a disc, not a square."""
    dot = np.ones((9, 9), np.uint8)
    dot[4, 4] = 0
    found = cv2.distanceTransform(dot, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    assert found[6, 6] == pytest.approx(math.sqrt(8))
