"""Layers of photos of several sizes on one canvas, and the colours of their objects."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from na_core.layers.layers import Layers, stacked
from na_core.layers.object_colours import CANVAS, object_colours
from na_core.layers.take_apart import take_apart
from tests.na_core.studio import LEFT, RIGHT, Studio, build_studio


class TestStacked:
    @pytest.fixture
    def parts(self, studio: Studio) -> list[Layers]:
        others = build_studio([LEFT], 40, 30, seed=2), build_studio([RIGHT], 30, 80, seed=3)
        return [take_apart(each.views()) for each in (studio, *others)]

    def test_every_photo_lies_in_the_upper_left_corner(self, parts: list[Layers]) -> None:
        whole = stacked(parts)
        assert whole.picture.shape == (3, 80, 64, 3)
        assert whole.extents.tolist() == [[64, 64], [40, 30], [30, 80]]
        for number, part in enumerate(parts):
            rows, columns = part.picture.shape[1:3]
            for name in ("picture", "plate", "real", "cover", "owner"):
                found = getattr(whole, name)[number, :rows, :columns]
                assert torch.equal(found, getattr(part, name)[0]), name
            near = whole.surfaces.near[number, :rows, :columns]
            torch.testing.assert_close(near, part.surfaces.near[0])

    def test_beyond_a_photo_its_edge_repeats(self, parts: list[Layers]) -> None:
        picture = stacked(parts).picture[1]
        assert (picture[:, 40:] == picture[:, 39:40]).all()
        assert (picture[30:] == picture[29:30]).all()

    def test_photos_of_one_size_need_no_extents(self, studio: Studio) -> None:
        layers = take_apart(studio.views())
        both = stacked([layers, layers])
        assert both.extents is None
        assert len(both) == 2
        assert stacked([layers]) is layers

    def test_rows_are_chosen_by_number(self, parts: list[Layers]) -> None:
        whole = stacked(parts)
        chosen = whole[torch.tensor([2, 0])]
        assert chosen.extents.tolist() == [[30, 80], [64, 64]]
        assert torch.equal(chosen.picture, whole.picture[[2, 0]])
        assert torch.equal(chosen.surfaces.near, whole.surfaces.near[[2, 0]])


class TestObjectColours:
    """What a point takes whose own colour no photo shows."""

    def colours_of(self, owner: np.ndarray, picture: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        found = object_colours(torch.from_numpy(picture)[None], torch.from_numpy(owner)[None], 2)
        return found.colours, found.place

    def test_an_object_has_its_own_colours_and_nothing_of_its_surroundings(self) -> None:
        owner = np.full((50, 60), -1)
        owner[10:30, 15:40] = 0
        owner[10:30, 40:50] = 1
        picture = np.full((50, 60, 3), 255, np.uint8)
        picture[owner == 0] = (200, 20, 40)
        picture[owner == 1] = (10, 160, 90)
        colours, _ = self.colours_of(owner, picture)
        for number, colour in enumerate(((200, 20, 40), (10, 160, 90))):
            expected = (torch.tensor(colour) / 255)[:, None, None].expand(3, CANVAS, CANVAS)
            torch.testing.assert_close(colours[number], expected, atol=1e-5, rtol=0)

    def test_the_canvas_lies_over_the_objects_pixels(self) -> None:
        owner = np.full((200, 200), -1)
        owner[40:168, 60:120] = 0  # 128 pixels high: cells of 4
        rows, columns = np.mgrid[:200, :200]
        picture = np.stack([columns, rows, 0 * rows], axis=-1).astype(np.uint8)
        colours, place = self.colours_of(owner, picture)
        assert place[0, 0].tolist() == [60, 40, 1 / 4]
        middle = 4 * (torch.arange(15) + 0.5) - 0.5
        red, green = colours[0, 0, 3, :15] * 255, colours[0, 1, :15, 3] * 255
        torch.testing.assert_close(red, 60 + middle, atol=1e-3, rtol=0)  # columns
        torch.testing.assert_close(green, 40 + middle, atol=1e-3, rtol=0)  # rows

    def test_beside_an_object_its_colours_go_on(self) -> None:
        owner = np.full((64, 64), -1)
        owner[:32, :32] = 0
        owner[10:20, 10:20] = -1  # a hole in it
        picture = np.full((64, 64, 3), 250, np.uint8)
        picture[owner == 0] = 80
        colours, _ = self.colours_of(owner, picture)
        torch.testing.assert_close(colours[0], torch.full((3, CANVAS, CANVAS), 80 / 255))

    def test_an_object_that_shows_nowhere_is_grey(self) -> None:
        owner = np.zeros((20, 20), int)
        colours, _ = self.colours_of(owner, np.full((20, 20, 3), 9, np.uint8))
        assert (colours[1] == 0.5).all()

    def test_a_photo_of_twice_the_size_has_the_same_colours(self) -> None:
        owner = np.full((60, 80), -1)
        owner[5:45, 10:63] = 0
        picture = np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)
        small, place = self.colours_of(owner, picture)
        twice = [np.repeat(np.repeat(values, 4, axis=0), 4, axis=1) for values in (owner, picture)]
        large, there = self.colours_of(*twice)
        torch.testing.assert_close(there[0, 0], place[0, 0] * torch.tensor([4, 4, 1 / 4]))
        assert float((large[0] - small[0]).abs().mean()) < 0.08

