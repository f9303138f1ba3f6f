"""RoIAlign is the paper reference's tent filter, to the letter."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from na_core.model.roi_align import roi_align, tent_weights

Rectangle = tuple[float, float, float, float]
SIZE = 9


def weights_by_the_text(start: float, length: float, cells: int, size: int) -> list[list[float]]:
    """Write down section 1 of the paper reference, one number at a time."""
    c = length / cells
    table = []
    for j in range(cells):
        s = start + (j + 0.5) * c - 0.5
        row = [max(0.0, 1 - abs(s - i) / max(c, 1)) for i in range(size)]
        total = sum(row)
        if s < -0.5 or s > size - 0.5 or total == 0:
            row, total = [0.0] * size, 1.0
        table.append([w / total for w in row])
    return table


def pooled_by_the_text(features: NDArray, rectangle: Rectangle, cells: int) -> NDArray:
    rows, columns, channels = features.shape
    x0, y0, x1, y1 = rectangle
    out = np.zeros((cells * cells, channels))
    if x1 <= x0 or y1 <= y0:
        return out
    across = weights_by_the_text(x0 * columns, (x1 - x0) * columns, cells, columns)
    down = weights_by_the_text(y0 * rows, (y1 - y0) * rows, cells, rows)
    for i in range(cells):
        for j in range(cells):
            for y in range(rows):
                for x in range(columns):
                    out[i * cells + j] += down[i][y] * across[j][x] * features[y, x]
    return out


coordinates = st.floats(-0.5, 1.5, width=32)


@st.composite
def rectangles(draw: st.DrawFn) -> Rectangle:
    """Draw RoIs inside, partly and wholly outside, tiny, and empty."""
    x0, x1 = sorted((draw(coordinates), draw(coordinates)))
    y0, y1 = sorted((draw(coordinates), draw(coordinates)))
    if draw(st.booleans()):
        x1 = x0 + (x1 - x0) * 0.05
    return x0, y0, x1, y1


def near_the_border(rectangle: Rectangle, cells: int, size: int) -> bool:
    """Tell whether a sample lies so close to the rule's border that rounding decides."""
    x0, y0, x1, y1 = rectangle
    for a, b in ((x0, x1), (y0, y1)):
        for j in range(cells):
            s = a * size + (j + 0.5) * (b - a) * size / cells - 0.5
            if min(abs(s + 0.5), abs(s - (size - 0.5))) < 1e-6:
                return True
    return False


class TestAgainstTheText:
    @settings(max_examples=60, deadline=None)
    @given(rectangle=rectangles(), cells=st.integers(1, 4), seed=st.integers(0, 2**16))
    def test_any_rectangle(self, rectangle: Rectangle, cells: int, seed: int) -> None:
        if near_the_border(rectangle, cells, SIZE):
            return
        features = np.random.default_rng(seed).normal(size=(SIZE, SIZE, 2))
        expected = pooled_by_the_text(features, rectangle, cells)
        tensor = torch.tensor([[rectangle]], dtype=torch.float64)
        result = roi_align(torch.tensor(features)[None], tensor, cells)[0, 0]
        np.testing.assert_allclose(result.numpy(), expected, atol=1e-9)

    @pytest.mark.parametrize(
        "rectangle",
        [
            (0.0, 0.0, 1.0, 1.0),
            (0.25, 0.25, 0.75, 0.5),
            (0.4, 0.4, 0.4001, 0.4001),
            (-0.3, 0.2, 0.4, 1.3),
            (0.0, 0.0, 0.0, 0.0),
            (0.2, 0.5, 0.6, 0.5),
        ],
        ids=["full", "inside", "tiny", "partly outside", "zeros", "no height"],
    )
    def test_named_cases_on_a_map_that_is_not_square(self, rectangle: Rectangle) -> None:
        features = np.random.default_rng(3).normal(size=(7, 11, 3))
        result = roi_align(torch.tensor(features)[None], torch.tensor([[rectangle]], dtype=torch.float64), 2)
        np.testing.assert_allclose(
            result[0, 0].numpy(), pooled_by_the_text(features, rectangle, 2), atol=1e-9
        )


class TestWhatFollows:
    def test_a_small_box_samples_bilinearly_at_its_cells_centres(self) -> None:
        features = np.random.default_rng(0).normal(size=(SIZE, SIZE, 1))
        x, y, side = 0.43, 0.61, 1.2 / SIZE  # 1.2 patches: cells of 0.6
        result = roi_align(
            torch.tensor(features)[None], torch.tensor([[[x, y, x + side, y + side]]], dtype=torch.float64), 2
        )[0, 0, :, 0]
        for number in range(4):
            i, j = divmod(number, 2)
            sx = (x + (j + 0.5) * side / 2) * SIZE - 0.5
            sy = (y + (i + 0.5) * side / 2) * SIZE - 0.5
            left, top = math.floor(sx), math.floor(sy)
            fx, fy = sx - left, sy - top
            square = features[top : top + 2, left : left + 2, 0]
            expected = np.array([1 - fy, fy]) @ square @ np.array([1 - fx, fx])
            assert float(result[number]) == pytest.approx(float(expected), abs=1e-9)

    def test_a_constant_map_pools_to_its_constant(self) -> None:
        result = roi_align(torch.full((1, SIZE, SIZE, 2), 0.7), torch.tensor([[[0.1, 0.3, 0.9, 0.5]]]), 2)
        torch.testing.assert_close(result, torch.full((1, 1, 4, 2), 0.7))

    def test_large_boxes_reach_half_a_cell_beyond_their_edge(self) -> None:
        weight = tent_weights(torch.tensor(8.0), torch.tensor(8.0), 2, 28)
        assert (weight[0] > 0).nonzero().min() < 8 - 1
        assert (weight[1] > 0).nonzero().max() > 16

    def test_cells_are_listed_rows_first(self) -> None:
        ramp = torch.arange(8.0)[:, None].expand(8, 8)[None, ..., None]
        pooled = roi_align(ramp, torch.tensor([[[0.0, 0.0, 1.0, 1.0]]]), 2)[0, 0, :, 0]
        assert pooled[0] == pooled[1] < pooled[2] == pooled[3]

    def test_empty_boxes_pool_to_zero_and_have_finite_gradients(self) -> None:
        features = torch.randn(1, 4, 4, 2, requires_grad=True)
        result = roi_align(features, torch.zeros(1, 3, 4), 2)
        result.sum().backward()
        assert (result == 0).all()
        assert features.grad is not None
        assert torch.isfinite(features.grad).all()
