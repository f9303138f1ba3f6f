"""The second look: what is cut out, what is told, and that a mirrored photo says the mirrored of all."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.detection.found import Found, found_from_numbers, numbers_of
from na_core.detection.perspective import perspective_fields
from na_core.detection.refiner import (
    CORRECTIONS,
    CUT_SIDE,
    ROOM,
    BoxRefiner,
    Sightings,
    chosen,
    corrected,
    cut_out,
    each_iou,
    exchanged,
    look_again,
    mirrored,
    told_of,
    windows,
)
from na_core.detection.targets import shares_of_directions


def sightings(count: int, seed: int = 0) -> Sightings:
    """Return objects anywhere about a photo's middle."""
    random = torch.Generator().manual_seed(seed)
    low = torch.rand(count, 2, generator=random) * 0.6 - 0.5
    high = low + 0.1 + 0.3 * torch.rand(count, 2, generator=random)
    numbers = torch.randn(count, 8, generator=random)
    return Sightings(
        torch.cat([low, high], dim=1),
        numbers,
        torch.randn(count, 8, generator=random),
        torch.randn(count, generator=random),
    )


def same(one: Sightings, other: Sightings, tolerance: float = 1e-5) -> None:
    for of in fields(Sightings):
        torch.testing.assert_close(
            getattr(one, of.name), getattr(other, of.name), atol=tolerance, rtol=tolerance
        )


def from_the_left(seen: Sightings) -> Sightings:
    """Return sightings (K, 2), of each two the one on the left first."""
    rectangles = seen.rectangles
    return chosen(rectangles[:, 0, 0] > rectangles[:, 1, 0], exchanged(seen), seen)


@settings(max_examples=100)
@given(
    yaw=st.floats(-math.pi, math.pi),
    sizes=st.tuples(*[st.floats(0.02, 1)] * 3),
    centre=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_boxes_come_back_from_their_numbers_and_front(
    yaw: float, sizes: tuple[float, float, float], centre: tuple[float, float]
) -> None:
    found = Found(*(np.array([of]) for of in (0.5, (0, 0, 1, 1), centre, 2.0, sizes, yaw)))
    front = shares_of_directions(torch.tensor([yaw], dtype=torch.float64)).clamp_min(1e-9).log().numpy()
    again = found_from_numbers(found.scores, found.rectangles, found.depths, numbers_of(found), front)
    np.testing.assert_allclose(again.sizes, found.sizes, rtol=1e-9)
    np.testing.assert_allclose(again.centres, found.centres)
    turn = (again.yaws - yaw + math.pi) % (2 * math.pi) - math.pi
    np.testing.assert_allclose(turn, 0, atol=1e-6)


def test_what_is_cut_out_has_room_around_the_box_and_is_black_beyond_the_photo() -> None:
    picture = torch.rand(3, 128, 256)
    half = 0.25 / ROOM
    rectangles = torch.tensor([[-half, -0.1, half, 0.1], [0.3, -0.05, 0.5, 0.05]])
    squares = windows(rectangles)
    torch.testing.assert_close(squares, torch.tensor([[0, 0, 0.5], [0.4, 0, 0.2 * ROOM]]))
    cuts = cut_out([picture, picture], squares)
    assert cuts.shape == (2, 3, CUT_SIDE, CUT_SIDE)
    torch.testing.assert_close(cuts[0], picture[:, :, 64:192])  # half the photo, pixel by pixel
    inside = round((0.5 - 0.4 + 0.1 * ROOM) / (0.2 * ROOM) * CUT_SIDE)  # up to the photo's right edge
    assert cuts[1, :, :, inside + 2 :].abs().max() == 0
    assert cuts[1, :, :, : inside - 2].min(dim=0).values.max() > 0


def test_corrections_of_nothing_change_neither_rectangles_nor_numbers() -> None:
    first = sightings(4)
    again = corrected(first, torch.zeros(4, 2, sum(CORRECTIONS.values())), windows(first.rectangles))
    for number in range(2):
        torch.testing.assert_close(again.rectangles[:, number], first.rectangles)
        torch.testing.assert_close(again.numbers[:, number], first.numbers)


@pytest.mark.parametrize("apart", [0.0, 0.5, 2.0])
def test_overlap_is_intersection_over_union(apart: float) -> None:
    some = torch.tensor([[0.0, 0, 1, 1], [0, 0, 1, 1]])
    others = some + torch.tensor([apart, 0, apart, 0])
    both = max(0.0, 1 - apart)
    torch.testing.assert_close(each_iou(some, others), torch.full((2,), both / (2 - both)))


def test_a_photo_mirrored_twice_is_the_photo() -> None:
    same(mirrored(mirrored(sightings(5))), sightings(5))


@pytest.mark.parametrize("pitch", [0.0, 0.5, 1.2])
def test_it_is_told_how_the_camera_looks_at_the_place(pitch: float) -> None:
    first = sightings(3)
    camera = 1.3, pitch, -0.1, 0.1, 0.02
    cameras = torch.tensor([camera]).repeat(3, 1)
    told = told_of(first, cameras, torch.zeros(3), windows(first.rectangles))
    middles = (first.rectangles[:, :2] + first.rectangles[:, 2:]) / 2
    tilt, latitude = perspective_fields(middles.T[:, :, None].double().numpy(), *camera[:3])
    np.testing.assert_allclose(told[:, 14], 3 * tilt[:, 0], atol=1e-5)
    np.testing.assert_allclose(told[:, 15], 2 * latitude[:, 0], atol=1e-5)


@pytest.mark.parametrize("given_by_hand", [False, True])
def test_in_a_mirrored_photo_the_mirrored_is_seen(given_by_hand: bool) -> None:
    torch.manual_seed(0)
    refiner = BoxRefiner(width=8, hidden=16).eval()
    torch.nn.init.normal_(refiner.last.weight, std=0.3)
    picture, first = torch.rand(3, 96, 128), sightings(4)
    again = look_again(refiner, picture, first, (1.2, 0.3, 0.05, 0.1, 0.02), given_by_hand)
    other = look_again(refiner, picture.flip(2), mirrored(first), (1.2, 0.3, -0.05, 0.1, 0.02), given_by_hand)
    same(from_the_left(mirrored(other)), from_the_left(again))
    moved = (again.rectangles - first.rectangles[:, None]).abs().max() > 1e-4
    assert moved != given_by_hand  # rectangles that someone gave stay
    assert (again.numbers - first.numbers[:, None]).abs().max() > 1e-3


class SaysLeftFirst(BoxRefiner):
    """Sees one object on the left of what it looks at and one on the right, and says the left one first."""

    def forward(self, cuts: torch.Tensor, told: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return corrections that move the 2D boxes by half a square, and no outlines."""
        corrections = torch.zeros(len(cuts), 2, sum(CORRECTIONS.values()))
        corrections[:, 0, [0, 2]], corrections[:, 1, [0, 2]] = -2.0, 2.0
        return corrections, torch.zeros(0)


def test_two_objects_stay_apart_though_a_mirrored_photo_shows_them_the_other_way_round() -> None:
    first = sightings(3)
    refiner = SaysLeftFirst(width=8, hidden=16)
    again = look_again(refiner, torch.rand(3, 64, 64), first, (1.2, 0.3, 0.0, 0.1, 0.02), False)
    shift = windows(first.rectangles)[:, 2:] / 2 * torch.tensor([1, 0, 1, 0])
    torch.testing.assert_close(again.rectangles[:, 0], first.rectangles - shift)
    torch.testing.assert_close(again.rectangles[:, 1], first.rectangles + shift)


def test_a_photo_without_objects_is_looked_at_too() -> None:
    refiner = BoxRefiner(width=8, hidden=16).eval()
    none = sightings(3)[torch.zeros(3, dtype=torch.bool)]
    assert look_again(
        refiner, torch.rand(3, 64, 64), none, (1.2, 0.3, 0.0, 0.1, 0.02), False
    ).rectangles.shape == (0, 2, 4)
