"""Positions on pictures of several sizes in one stack."""

from __future__ import annotations

import pytest
import torch

from na_core.raster.canvas import Canvas

SEVERAL = Canvas(9, 7, torch.tensor([[9.0, 5.0], [4.0, 7.0]]))


def positions(*at: tuple[int, float, float]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    photo, x, y = zip(*at, strict=True)
    return torch.tensor(photo), torch.tensor(x), torch.tensor(y)


def test_a_picture_ends_at_its_own_border() -> None:
    at = positions((0, 8.9, 4.9), (0, 8.9, 5.1), (1, 3.9, 6.9), (1, 4.1, 0.1), (0, -0.1, 1.0))
    assert SEVERAL.inside(*at).tolist() == [True, False, True, False, False]


def test_a_margin_lets_positions_lie_outside() -> None:
    at = positions((0, 9.4, 1.0), (1, 4.4, 1.0), (1, 4.6, 1.0))
    assert SEVERAL.inside(*at, margin=0.5).tolist() == [True, True, False]


@pytest.mark.parametrize("canvas", [SEVERAL, Canvas(9, 7)])
def test_rounding_on_the_border_is_inside(canvas: Canvas) -> None:
    assert canvas.inside(*positions((0, 9 + 5e-7, 0.0), (0, -5e-7, 0.0))).all()


def test_pixels_are_numbered_row_by_row_and_picture_by_picture() -> None:
    at = positions((0, 2.5, 1.2), (1, 3.9, 6.0), (1, 0.0, 0.0))
    assert SEVERAL.number(*at).tolist() == [9 + 2, 63 + 54 + 3, 63]


def test_positions_outside_fall_on_the_pictures_edge() -> None:
    at = positions((0, 1e30, 99.0), (1, 99.0, -1e30), (1, -1.0, 99.0))
    assert SEVERAL.number(*at).tolist() == [4 * 9 + 8, 63 + 3, 63 + 54]


def test_pictures_that_are_alike_need_no_extents() -> None:
    whole, same = Canvas(9, 7), Canvas(9, 7, torch.tensor([[9.0, 7.0]] * 2))
    at = positions((0, 3.3, 9.0), (1, 9.5, -2.0), (1, 8.99, 6.99))
    assert torch.equal(whole.number(*at), same.number(*at))
    assert torch.equal(whole.inside(*at), same.inside(*at))


def test_values_beyond_a_picture_are_replaced() -> None:
    found = SEVERAL.within(torch.ones((2, 7, 9)), 0)
    assert found[0].sum(dim=0).tolist() == [5] * 9
    assert found[1].sum(dim=0).tolist() == [7] * 4 + [0] * 5
    assert Canvas(9, 7).within(torch.ones((2, 7, 9)), 0).all()
