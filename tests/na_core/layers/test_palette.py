"""Guesses come near to colours of the visible background, which stays."""

from __future__ import annotations

import pytest
import torch

from na_core.layers.palette import FEWEST, SHARE, in_palette

WOOD, WALL, GREY = (
    torch.tensor(c)[:, None, None] for c in ((0.7, 0.4, 0.2), (0.1, 0.1, 0.12), (0.5, 0.42, 0.4))
)


def photo(height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a dark wall above wood, and where a square in the wood hides it."""
    picture = WOOD.expand(3, height, width).clone()
    picture[:, : height // 4] = WALL
    visible = torch.ones((height, width), dtype=torch.bool)
    visible[height // 2 : 3 * height // 4, width // 3 : 2 * width // 3] = False
    return picture, visible


@pytest.mark.parametrize("size", [(64, 96), (384, 512), (1000, 30)])
def test_a_grey_guess_on_wood_becomes_wood_for_the_most_part(size: tuple[int, int]) -> None:
    picture, visible = photo(*size)
    guess = torch.where(visible, picture, GREY)
    found = in_palette(guess, picture, visible)
    middle = found[:, 5 * size[0] // 8, size[1] // 2]
    expected = (GREY + SHARE * (WOOD - GREY)).flatten()
    torch.testing.assert_close(middle, expected, atol=0.03, rtol=0)
    assert torch.equal(found[:, visible], guess[:, visible])


def test_a_guess_that_is_a_colour_of_the_background_stays() -> None:
    picture, visible = photo(64, 96)
    torch.testing.assert_close(in_palette(picture, picture, visible), picture, atol=0.02, rtol=0)


@pytest.mark.parametrize("count", [0, FEWEST - 1])
def test_without_a_visible_background_guesses_stay(count: int) -> None:
    picture, visible = photo(64, 96)
    visible[:] = False
    visible.view(-1)[:count] = True
    guess = GREY.expand_as(picture)
    assert torch.equal(in_palette(guess, picture, visible), guess)
