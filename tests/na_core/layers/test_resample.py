"""Layers at another size: means of colours, the same outlines, depths that stay apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from na_core.geometry.boxes import box_matrix
from na_core.layers.layers import Layers, hard_layers
from na_core.layers.resample import resampled, resampled_depth
from na_core.layers.take_apart import take_apart
from na_core.raster.morphology import widened
from na_core.raster.surfaces import pack
from tests.na_core.studio import LEFT, RIGHT, Studio, build_studio

NEAR, FAR = 2.0, 8.0


def layers_of(owner: torch.Tensor, near: torch.Tensor) -> Layers:
    """Return layers of grey with owners and depths (H, W)."""
    owner, near = owner[None].int(), near[None]
    picture = torch.full((*owner.shape, 3), 128, dtype=torch.uint8)
    real = torch.ones(owner.shape, dtype=torch.bool)
    return hard_layers(picture, pack(owner, near, near + 0.5), owner, picture, real, 2)


def halves(rows: int, columns: int) -> Layers:
    """Object 0, near, on the left; object 1, far, on the right."""
    right = (torch.arange(columns) >= columns // 2).expand(rows, -1)
    return layers_of(right.int(), torch.where(right, FAR, NEAR))


def rim(owner: torch.Tensor) -> torch.Tensor:
    """Return the pixels (M, H, W) beside an outline."""
    shows = (owner[:, None] == torch.arange(-1, 2)[:, None, None]).float().flatten(0, 1)
    return (widened(shows, 1) > 0).view(len(owner), 3, *owner.shape[1:]).sum(dim=1) > 1


class TestColours:
    @pytest.mark.parametrize("factor", [2, 3, 5])
    def test_a_smaller_picture_has_the_means_of_its_pixels(self, factor: int) -> None:
        studio = build_studio([LEFT], 60, 60, coarse=1)
        small = resampled(take_apart(studio.views()), 60 // factor, 60 // factor)
        side = 60 // factor
        blocks = studio.photo.reshape(side, factor, side, factor, 3).astype(float).mean(axis=(1, 3))
        assert np.abs(small.picture[0].numpy() - blocks).max() <= 0.5 + 1e-6

    def test_plates_as_well(self, studio: Studio) -> None:
        layers = take_apart(studio.views())
        blocks = layers.plate.float().view(1, 32, 2, 32, 2, 3).mean(dim=(2, 4))
        assert (resampled(layers, 32, 32).plate - blocks).abs().max() <= 0.5 + 1e-6

    def test_a_larger_picture_is_smooth_between_pixels(self, studio: Studio) -> None:
        large = resampled(take_apart(studio.views()), 256, 256)
        steps = np.diff(large.picture[0].numpy().astype(int), axis=1)
        assert np.abs(steps).max() < np.abs(np.diff(studio.photo.astype(int), axis=1)).max()
        # And has the same means but for what bicubic interpolation sharpens.
        means = large.picture.float().view(1, 64, 4, 64, 4, 3).mean(dim=(2, 4))
        assert (means - torch.from_numpy(studio.photo)).abs().mean() < 12

    def test_the_same_size_is_the_same_layers(self, studio: Studio) -> None:
        layers = take_apart(studio.views())
        assert torch.equal(resampled(layers, 64, 64).picture, layers.picture)
        assert torch.equal(resampled(layers, 64, 64).surfaces.packed, layers.surfaces.packed)


class TestOutlines:
    @pytest.mark.parametrize("size", [(128, 128), (160, 160), (256, 256)])
    def test_enlarged_and_reduced_again_they_are_where_they_were(
        self, size: tuple[int, int], studio: Studio
    ) -> None:
        layers = take_apart(studio.views())
        back = resampled(resampled(layers, *size), 64, 64)
        assert torch.equal(back.owner[~rim(layers.owner)], layers.owner[~rim(layers.owner)])
        assert (back.owner == layers.owner).float().mean() > 0.99

    @pytest.mark.parametrize("size", [(48, 48), (32, 32), (21, 21)])
    def test_a_smaller_picture_shows_the_same_objects(self, size: tuple[int, int]) -> None:
        views = build_studio([LEFT, RIGHT]).views()
        layers = take_apart(views)
        small = resampled(layers, *size)
        again = resampled(small, 64, 64)
        for number in range(2):
            one, two = layers.owner == number, again.owner == number
            assert (one & two).sum() / (one | two).sum() > 0.75

    def test_covers_hold_owners_at_every_size(self, studio: Studio) -> None:
        for side in (32, 200):
            layers = resampled(take_apart(studio.views()), side, side)
            owned = layers.owner >= 0
            assert torch.equal(layers.cover[owned].int(), layers.owner[owned])

    def test_a_plate_stays_real_where_it_was(self, studio: Studio) -> None:
        layers = take_apart(studio.views())
        large = resampled(layers, 192, 192)
        assert torch.equal(large.real, layers.real.repeat_interleave(3, 1).repeat_interleave(3, 2))

    def test_wider_but_lower_is_possible(self, studio: Studio) -> None:
        """Photos that are rounded to whole pixels may grow along one side and shrink along the other."""
        layers = resampled(take_apart(studio.views()), 65, 63)
        assert layers.owner.shape == (1, 63, 65)
        assert set(layers.owner.unique().tolist()) == {-1, 0, 1}


class TestDepths:
    @pytest.mark.parametrize("side", [8, 12, 32, 48, 96, 100])
    def test_they_do_not_mix_across_outlines(self, side: int) -> None:
        layers = resampled(halves(32, 32), side, side)
        depth = torch.where(layers.owner == 1, FAR, NEAR)
        assert (layers.owner >= 0).float().mean() > 0.95
        shown = layers.owner >= 0
        torch.testing.assert_close(layers.surfaces.near[shown], depth[shown], rtol=1e-3, atol=0)
        torch.testing.assert_close(layers.surfaces.far[shown], depth[shown] + 0.5, rtol=1e-3, atol=0)

    def test_a_slope_stays_a_slope(self) -> None:
        slope = 2 + torch.arange(32.0).expand(32, -1) / 32
        layers = resampled(layers_of(torch.zeros(32, 32), slope), 128, 128)
        expected = 2 + ((torch.arange(128) + 0.5) / 4 - 0.5).clamp(0, 31) / 32
        torch.testing.assert_close(layers.surfaces.near[0], expected.expand(128, -1), rtol=1e-3, atol=0)

    def test_they_are_those_of_the_larger_photo_itself(self) -> None:
        """Enlarged, a box has the depths that taking the large photo apart gives."""
        boxes = [box_matrix((0.1, 4.0, 0.5), (1.2, 0.8, 1.0), yaw=0.4)]
        small, large = (take_apart(build_studio(boxes, side, side).views()) for side in (64, 256))
        found = resampled(small, 256, 256)
        both = (found.owner >= 0) & (large.owner >= 0)
        assert both.sum() > 0.97 * (large.owner >= 0).sum()
        off = (found.surfaces.near - large.surfaces.near)[both].abs()
        assert off.median() < 0.001
        assert off.quantile(0.99) < 0.1  # but for what is seen at a grazing angle

    def test_an_outline_that_reaches_beyond_the_small_pixels_has_a_depth_as_well(self) -> None:
        index = np.full((1, 4, 4), -1)
        index[0, :, 0] = 0
        owner = np.zeros((16, 16), np.int32)
        depth = resampled_depth(np.where(index == 0, np.float32(3), np.float32(0)), index, owner)
        np.testing.assert_allclose(depth, 3, rtol=1e-6)

    def test_of_two_layers_each_object_takes_its_own(self) -> None:
        """Where two boxes lie behind each other, the network tells a depth of each."""
        index = np.stack([np.zeros((4, 4), int), np.ones((4, 4), int)])
        depths = np.stack([np.full((4, 4), NEAR, np.float32), np.full((4, 4), FAR, np.float32)])
        owner = np.repeat(np.arange(2, dtype=np.int32)[None], 4, axis=0).repeat(2, axis=1)
        np.testing.assert_allclose(resampled_depth(depths, index, owner), np.where(owner == 1, FAR, NEAR))


@pytest.mark.parametrize("side", [16, 48, 64, 160])
def test_soft_outlines_keep_their_area_and_their_colours(side: int, studio: Studio) -> None:
    layers = take_apart(studio.views())
    alpha = torch.where(layers.owner == 0, 100, layers.alpha.int()).to(torch.uint8)
    colours = torch.where((layers.owner == 0)[..., None], torch.tensor([255, 0, 0]), layers.picture.int())
    soft = replace(layers, alpha=alpha, foreground=colours.to(torch.uint8), soft=True)
    found = resampled(soft, side, side)
    assert found.soft
    assert torch.equal(found.owner >= 0, found.alpha > 0)
    for number in (0, 1):
        before, after = (
            float((each.alpha * (each.owner == number)).float().mean()) for each in (soft, found)
        )
        assert after == pytest.approx(before, rel=0.15)
    mixed = (found.alpha > 0) & (found.alpha < 255)
    assert torch.equal(found.foreground[~mixed], found.picture[~mixed])
    inner = (found.owner == 0) & (found.alpha > 95) & (found.alpha < 105)
    assert (found.foreground[inner].float().mean(dim=0) - torch.tensor([255.0, 0, 0])).abs().max() < 40
