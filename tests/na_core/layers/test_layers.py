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
        owner[40:140, 60:120] = 0  # 100 pixels high: cells of 4
        rows, columns = np.mgrid[:200, :200]
        picture = np.stack([columns, rows, 0 * rows], axis=-1).astype(np.uint8)
        colours, place = self.colours_of(owner, picture)
        left, top, per_pixel = place[0, 0].tolist()
        assert (left, top, 1 / per_pixel) == (60, 40, 4)
        middle = 4 * (torch.arange(15) + 0.5) - 0.5
        torch.testing.assert_close(
            colours[0, 0, 3, :15] * 255, 60 + middle, atol=1e-3, rtol=0
        )  # columns, in the red
        torch.testing.assert_close(
            colours[0, 1, :15, 3] * 255, 40 + middle, atol=1e-3, rtol=0
        )  # rows, in the green

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

    def test_growing_does_not_make_colours_swim(self) -> None:
        """Cells are powers of two of pixels: an object of 20 and one of 30 pixels have the same."""
        for size in (20, 30, 33, 60):
            owner = np.full((64, 64), -1)
            owner[:size, :size] = 0
            _, place = self.colours_of(owner, np.zeros((64, 64, 3), np.uint8))
            assert 1 / float(place[0, 0, 2]) == (1 if size <= CANVAS else 2)
