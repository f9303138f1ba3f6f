"""Lists of pixels, and what is computed of neighbourhoods."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import maximum_filter, minimum_filter

from na_core.raster.morphology import widened
from na_core.raster.pixels import ActivePixels, BoxTable, span
from na_core.raster.rectangles import RECTANGLE_MARGIN, limits, within

Seeds = st.integers(0, 2**32 - 1)
Sides = st.integers(1, 12)


@settings(max_examples=20, deadline=None)
@given(seed=Seeds, batch=st.integers(1, 3), rows=Sides, columns=Sides)
def test_values_go_back_to_the_pixels_that_they_came_from(
    seed: int, batch: int, rows: int, columns: int
) -> None:
    random = torch.Generator().manual_seed(seed)
    mask = torch.rand((batch, rows, columns), generator=random) < 0.4
    planes = torch.rand(mask.shape, generator=random)
    pixels = ActivePixels.of(mask)
    assert torch.equal(pixels.take(planes), planes[mask])
    row, down, across = mask.nonzero(as_tuple=True)
    assert torch.equal(pixels.row, row)
    x, y = pixels.centre
    assert torch.equal(x, across + 0.5)
    assert torch.equal(y, down + 0.5)
    written = planes.clone()
    pixels.put(torch.full_like(pixels.take(planes), 9), written)
    assert torch.equal(written, torch.where(mask, 9, planes))


@pytest.mark.usefixtures("every_pixel")
def test_where_lists_do_not_pay_all_pixels_are_listed() -> None:
    assert torch.equal(ActivePixels.of(torch.zeros((2, 3, 4), dtype=torch.bool)).at, torch.arange(24))


def test_numbers_of_boxes_are_looked_up_by_frame_and_box() -> None:
    table = torch.arange(24.0).view(2, 3, 4)
    row, box = torch.tensor([0, 1, 1, 0]), torch.tensor([2, 0, 1, -1])
    found = BoxTable(table, row, box)
    assert found[0].tolist() == [8, 12, 16, 0]
    assert found[3].tolist() == [11, 15, 19, 3]


@settings(max_examples=20, deadline=None)
@given(seed=Seeds, rows=Sides, columns=Sides)
def test_the_span_of_neighbours_is_from_the_least_to_the_greatest(seed: int, rows: int, columns: int) -> None:
    values = np.random.default_rng(seed).normal(size=(2, rows, columns)).astype(np.float32)
    expected = [
        maximum_filter(of, 3, mode="nearest") - minimum_filter(of, 3, mode="nearest") for of in values
    ]
    given_values = torch.from_numpy(values)
    before = given_values.clone()
    np.testing.assert_array_equal(span(given_values), expected)
    assert torch.equal(given_values, before)


@settings(max_examples=20, deadline=None)
@given(seed=Seeds, rows=Sides, columns=Sides, radius=st.integers(0, 9))
def test_a_region_grows_to_the_maximum_over_a_square(seed: int, rows: int, columns: int, radius: int) -> None:
    rng = np.random.default_rng(seed)
    weight = np.where(rng.random((2, rows, columns)) < 0.1, rng.random((2, rows, columns)), 0)
    expected = [maximum_filter(of, 2 * radius + 1, mode="constant") for of in weight]
    np.testing.assert_array_equal(widened(torch.from_numpy(weight), radius), expected)


class TestRectangles:
    """How far an object reaches in its photo."""

    def bounds(self, *rectangle: float, known: bool = True) -> list[float]:
        return limits(torch.tensor([rectangle]), torch.tensor([known]), 200, 100)[0].tolist()

    def test_a_little_beyond_its_rectangle(self) -> None:
        across, down = RECTANGLE_MARGIN * 200, RECTANGLE_MARGIN * 100
        expected = [40 - across, 30 - down, 120 + across, 80 + down]
        assert self.bounds(0.2, 0.3, 0.6, 0.8) == pytest.approx(expected)

    def test_beyond_the_pictures_border_where_it_touches_that(self) -> None:
        x0, y0, x1, y1 = self.bounds(0.0, 0.3, 0.6, 1.0)
        assert x0 < -1e6 < 1e6 < y1
        assert (y0, x1) == pytest.approx((29.4, 121.2))

    @pytest.mark.parametrize("rectangle", [(0.4, 0.4, 0.4, 0.6), (0, 0, 0, 0)])
    def test_anywhere_if_its_rectangle_is_empty_or_unknown(self, rectangle: tuple[float, ...]) -> None:
        everywhere = self.bounds(0.0, 0.0, 1.0, 1.0)
        assert self.bounds(*rectangle) == everywhere
        assert self.bounds(0.2, 0.3, 0.6, 0.8, known=False) == everywhere

    def test_pixels_are_within_the_bounds_of_their_own_box(self) -> None:
        table = torch.tensor([[[0.0, 0.0, 4.0, 4.0], [4.0, 0.0, 9.0, 2.0]]])
        boxes = BoxTable(table, torch.zeros(4, dtype=torch.int64), torch.tensor([0, 0, 1, 1]))
        x, y = torch.tensor([3.5, 4.5, 4.5, 4.5]), torch.tensor([3.5, 1.5, 1.5, 3.5])
        assert within(boxes, x, y).tolist() == [True, False, True, False]
