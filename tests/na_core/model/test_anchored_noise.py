"""Anchored noise is white, and goes where the surface goes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from na_core.geometry.boxes import box_matrix
from na_core.model.anchored_noise import STRIDE, anchored_noise, box_texels, noise_ids, surface_addresses
from na_core.scene import Frame
from tests.na_core.studio import Studio, build_studio, composed

CHANNELS, CELL, SIDE = 8, 8, 256


def grid(side: int = SIDE) -> tuple[Tensor, Tensor]:
    line = (torch.arange(0, side, STRIDE) + 0.5) / side
    return torch.meshgrid(line, line, indexing="ij")


def wall(shift: float = 0.0, turn: float = 0.0, key: int = 5, scale: float = 1.0) -> Tensor:
    """Addresses of a picture: a box's face fills its left half, the backdrop its right half.

    The face has moved to the right by ``shift`` pixels and grown by ``scale``; the camera turned by ``turn``.
    """
    y, x = grid()
    index = torch.where(x < 0.5, 0, -1)[None]
    face = torch.stack([(x - shift / SIDE) * 2 / scale, torch.full_like(x, -1.0), (y * 2 - 1) / scale])
    cosine, sine = math.cos(turn), math.sin(turn)
    right, away = x - 0.5, torch.ones_like(x)
    view = torch.stack([cosine * right + sine * away, y - 0.5, -sine * right + cosine * away])
    texels = box_texels(torch.tensor([[[1.0, 1.0, 2.0]]]), torch.tensor([[2.0]]), torch.tensor([[256.0]]))
    return surface_addresses(
        index, face[None].clamp(-1, 1), torch.tensor([[key]]), texels, view[None], torch.tensor([256.0])
    )


def noise(addresses: Tensor, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(7)
    shape = (len(addresses), CHANNELS, SIDE // CELL, SIDE // CELL)
    fresh = torch.randn(shape, generator=generator)
    return anchored_noise(addresses, torch.full((len(addresses),), seed), CHANNELS, CELL, fresh)


def same(one: Tensor, two: Tensor) -> bool:
    """Tell whether noise is the same but for the few texels that lost their bucket to another surface's."""
    return float((one == two).float().mean()) > 0.75 and float((one - two).square().mean()) < 0.05


def correlation(one: Tensor, two: Tensor) -> float:
    return float((one * two).mean())


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**31 - 1),
    shift=st.floats(-20, 20),
    turn=st.floats(-0.5, 0.5),
    scale=st.floats(0.3, 3.0),
)
def test_it_is_white(seed: int, shift: float, turn: float, scale: float) -> None:
    made = noise(wall(shift, turn, scale=scale), seed)
    assert made.isfinite().all()
    # 8,192 numbers: five standard errors.
    error = 5 / math.sqrt(made.numel())
    assert abs(float(made.mean())) < error
    assert abs(float(made.square().mean()) - 1) < math.sqrt(2) * error
    for axis in (1, 2, 3):
        count = made.shape[axis] - 1
        neighbours = made.narrow(axis, 0, count), made.narrow(axis, 1, count)
        assert abs(correlation(*neighbours)) < 1.2 * error, axis


def test_it_is_normal() -> None:
    from scipy.stats import kstest

    assert kstest(noise(wall()).flatten().numpy(), "norm").pvalue > 1e-3


def test_a_seed_and_a_frame_give_one_noise() -> None:
    first = noise(wall(), seed=3)
    assert torch.equal(first, noise(wall(), seed=3))
    assert abs(correlation(first, noise(wall(), seed=4)) - 0.2) < 0.05  # what sticks to the screen


def test_what_else_is_in_a_batch_does_not_matter() -> None:
    one, other = wall(), wall(shift=5)
    generator = torch.Generator().manual_seed(7)
    fresh = torch.randn((1, CHANNELS, SIDE // CELL, SIDE // CELL), generator=generator)
    seeds = torch.tensor([3, 3])
    both = anchored_noise(torch.cat([one, other]), seeds, CHANNELS, CELL, fresh.expand(2, -1, -1, -1))
    assert torch.equal(both[1:], anchored_noise(other, seeds[1:], CHANNELS, CELL, fresh))


@pytest.mark.parametrize("shift", [8, 16, -8])
def test_it_moves_with_a_box(shift: int) -> None:
    before, after = noise(wall()), noise(wall(shift))
    step = shift // CELL
    face = slice(2, SIDE // CELL // 2 - 2)
    moved = before.roll(step, dims=3)[..., face]
    assert correlation(moved, after[..., face]) > 0.65
    assert correlation(before[..., face], after[..., face]) < 0.35
    assert same(before[..., SIDE // CELL // 2 :], after[..., SIDE // CELL // 2 :])


def test_small_motions_change_it_a_little() -> None:
    before = noise(wall())[..., 2:14]
    likeness = [correlation(before, noise(wall(shift))[..., 2:14]) for shift in (0, 1, 2, 4)]
    assert likeness[0] == pytest.approx(1, abs=0.06)
    assert likeness[0] > likeness[1] > likeness[2] > likeness[3]
    assert likeness[1] > 0.8


def test_it_turns_with_the_world() -> None:
    before, after = noise(wall()), noise(wall(turn=math.atan(CELL / SIDE)))
    right = slice(18, 30)
    assert correlation(before.roll(-1, dims=3)[..., right], after[..., right]) > 0.5


def test_assets_have_their_own() -> None:
    one, other = noise(wall(key=1)), noise(wall(key=2))
    half = SIDE // CELL // 2
    assert abs(correlation(one[..., :half], other[..., :half]) - 0.2) < 0.06
    assert same(one[..., half:], other[..., half:])


def test_frames_without_assets_have_noise() -> None:
    y, x = grid()
    view = torch.stack([x - 0.5, y - 0.5, torch.ones_like(x)])[None]
    nothing = torch.full_like(view[:, 0], -1)
    empty = torch.zeros((1, 0), dtype=torch.int64), torch.zeros((1, 0, 3), dtype=torch.int64)
    made = noise(surface_addresses(nothing, view * 0, *empty, view, torch.tensor([256.0])))
    assert float(made.std()) == pytest.approx(1, abs=0.05)


def ids_of(frame: Frame, studio: Studio, side: int = 64) -> Tensor:
    batch, layers, passes = composed(frame, studio.photos, side, side)
    return noise_ids(batch, passes.boxes, layers.canvas)[0]


class TestFrames:
    """Which surfaces the pixels of frames name."""

    def test_every_second_pixel_names_a_texel(self, studio: Studio) -> None:
        assert ids_of(studio.frame(), studio).shape == (64 // STRIDE, 64 // STRIDE)

    def test_an_object_keeps_its_texels_whatever_else_is_in_the_frame(self, studio: Studio) -> None:
        both, alone = studio.frame(), studio.frame({0: None})
        index = composed(both, studio.photos, 64, 64)[2].index[0, ::STRIDE, ::STRIDE]
        named, again = ids_of(both, studio), ids_of(alone, studio)
        assert (index == 1).sum() > 20
        assert torch.equal(named[index != 0], again[index != 0])
        assert (named[index == 0] != again[index == 0]).all()

    def test_a_duplicate_has_texels_of_its_own(self, studio: Studio) -> None:
        place = box_matrix((0.0, 3.5, 0.4), (0.7, 0.5, 0.8), yaw=0.5)
        frame = studio.frame({1: place}, assets=[studio.assets[0], studio.assets[0]])
        index = composed(frame, studio.photos, 64, 64)[2].index[0, ::STRIDE, ::STRIDE]
        named = ids_of(frame, studio)
        first, second = (set(named[index == slot].tolist()) for slot in (0, 1))
        assert len(first) > 10 and len(second) > 10
        assert not first & second

    def test_a_moved_object_takes_its_texels_along(self) -> None:
        studio = build_studio([box_matrix((-0.5, 4.0, 0.4), (0.8, 0.8, 0.8))])
        source = studio.boxes[0]
        there = source.copy()
        there[0, 3] += 0.7
        frames = studio.frame(), studio.frame({0: there})
        shown = []
        for frame in frames:
            index = composed(frame, studio.photos, 64, 64)[2].index[0, ::STRIDE, ::STRIDE]
            shown.append(set(ids_of(frame, studio)[index == 0].tolist()))
        assert len(shown[0] & shown[1]) > 0.5 * min(map(len, shown))

    def test_turned_labels_name_the_same_texels_in_another_order(self, studio: Studio) -> None:
        """Half a turn relabels corners; the texels that show are as many."""
        turned = [replace(asset, quarter_turns=(asset.quarter_turns + 2) % 4) for asset in studio.assets]
        before, after = studio.frame(), studio.frame(assets=turned)
        index = composed(before, studio.photos, 64, 64)[2].index[0, ::STRIDE, ::STRIDE]
        one, other = ids_of(before, studio), ids_of(after, studio)
        assert torch.equal(one[index < 0], other[index < 0])
        for slot in (0, 1):
            counts = [len(np.unique(ids[index == slot])) for ids in (one, other)]
            assert abs(counts[0] - counts[1]) <= 2

    def test_texels_of_the_background_stay_in_the_world_as_the_camera_turns(self, studio: Studio) -> None:
        empty = studio.frame({0: None, 1: None})
        turned = replace(studio.camera, cx=studio.camera.cx + 8 / 64)
        before, after = ids_of(empty, studio), ids_of(replace(empty, camera=turned), studio)
        shift = 8 // STRIDE
        assert torch.equal(before[:, :-shift], after[:, shift:])
