"""Pixels near where regions meet."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.raster.outlines import near_outlines


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(0, 10**6))
def test_a_pixel_is_near_where_another_region_is_so_many_steps_away(distance: int, seed: int) -> None:
    regions = np.random.default_rng(seed).integers(-1, 3, (3, 4)).repeat(5, axis=0).repeat(4, axis=1)
    found = near_outlines(regions, distance)
    row, column = np.mgrid[: regions.shape[0], : regions.shape[1]]
    for y, x in np.ndindex(regions.shape):
        steps = abs(row - y) + abs(column - x)
        assert found[y, x] == (regions[steps <= distance] != regions[y, x]).any()


@pytest.mark.parametrize("distance", [1, 3])
def test_one_region_alone_has_no_outline(distance: int) -> None:
    assert not near_outlines(np.full((6, 7), 4), distance).any()
