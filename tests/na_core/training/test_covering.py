"""Objects with others in front: what is hidden shows no more, and the 2D box bounds what is left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.training.covering import LEAST_KEPT, CutOut, covered

SIDE = 32
RED, BLUE = (torch.tensor(colour)[:, None, None] for colour in ([1.0, 0, 0], [0, 0, 1.0]))


def two_discs() -> tuple[CutOut, torch.Tensor]:
    """Return a red and a blue disc on black, and the squares that show them."""
    place = (torch.arange(SIDE) + 0.5) / SIDE - 0.5
    disc = (place[:, None] ** 2 + place**2 < 0.3**2).float()
    squares = torch.tensor([[0.1, 0.0, 0.2], [-0.2, 0.1, 0.4]])
    edge = np.flatnonzero(disc.numpy().any(axis=0))
    low, high = edge[0] / SIDE - 0.5, (edge[-1] + 1) / SIDE - 0.5
    bounds = torch.tensor([low, low, high, high])
    rectangles = squares[:, [0, 1, 0, 1]] + bounds * squares[:, 2:]
    pictures, shown = torch.stack([RED * disc, BLUE * disc]), disc.repeat(2, 1, 1)[:, None]
    return CutOut(pictures, shown, rectangles[:, None].float()), squares


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_what_another_hides_shows_no_more_and_the_2d_box_bounds_the_rest(seed: int) -> None:
    cuts, squares = two_discs()
    made, _ = covered(cuts, squares, torch.tensor([True, True]), np.random.default_rng(seed))
    assert (made.shown <= cuts.shown).all()
    kept = made.shown.sum(dim=(2, 3)) / cuts.shown.sum(dim=(2, 3))
    assert (kept >= LEAST_KEPT).all()
    for colour, picture, shown in zip((0, 2), made.pictures, made.shown[:, 0], strict=True):
        torch.testing.assert_close(picture[colour], shown, atol=1e-5, rtol=0)  # all that is left shows
    inside = (made.rectangles - cuts.rectangles) * torch.tensor([1, 1, -1, -1])
    assert inside.min() > -1e-6
    for rectangle, square, shown in zip(made.rectangles[:, 0], squares, made.shown[:, 0], strict=True):
        across, down = (np.flatnonzero((shown >= 0.5).any(dim=axis).numpy()) for axis in (0, 1))
        edges = np.array([across[0], down[0], across[-1] + 1, down[-1] + 1]) / SIDE - 0.5
        wanted = square[[0, 1, 0, 1]].numpy() + edges * float(square[2])
        np.testing.assert_allclose(rectangle.numpy(), wanted, atol=1e-5)


def test_objects_that_are_not_chosen_stay_as_they_are() -> None:
    cuts, squares = two_discs()
    for seed in range(20):
        made, _ = covered(cuts, squares, torch.tensor([True, False]), np.random.default_rng(seed))
        assert torch.equal(made.pictures[1], cuts.pictures[1])
        assert torch.equal(made.rectangles[1], cuts.rectangles[1])
    assert any(
        not torch.equal(
            covered(cuts, squares, torch.tensor([True, False]), np.random.default_rng(seed))[0].shown[0],
            cuts.shown[0],
        )
        for seed in range(20)
    )


def test_a_second_object_is_hidden_as_well() -> None:
    cuts, squares = two_discs()
    both = replace(
        cuts,
        shown=torch.cat([cuts.shown, cuts.shown.flip(3).roll(3, dims=3)], dim=1),
        rectangles=cuts.rectangles.repeat(1, 2, 1),
    )
    made = [covered(both, squares, torch.tensor([True, True]), np.random.default_rng(k)) for k in range(20)]
    used = [each for each, hidden in made if hidden[0]]
    assert used
    for each in used:
        assert each.shown[0, 1].sum() < both.shown[0, 1].sum()
    for each, hidden in made:
        assert torch.equal((each.shown != both.shown).flatten(1).any(dim=1), hidden)


def test_an_edge_beyond_what_is_cut_out_stays_unless_it_is_hidden() -> None:
    cuts, squares = two_discs()
    shown = cuts.shown.clone()
    shown[0] = 1  # fills the square, and goes on beyond it
    large = torch.tensor([[[-1.0, -1.0, 1.0, 1.0]]])
    cuts = replace(cuts, shown=shown, rectangles=torch.cat([large, cuts.rectangles[1:]]))
    for seed in range(20):
        made, _ = covered(cuts, squares, torch.tensor([True, False]), np.random.default_rng(seed))
        torch.testing.assert_close(made.rectangles[:1], large)  # a disc hides no whole side
