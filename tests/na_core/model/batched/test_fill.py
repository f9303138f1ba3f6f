"""Batched filling and sampling are numpy's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.geometry import fill as one_by_one
from na_core.model.batched.fill import push_pull, sample_bytes, sample_planes
from na_core.model.batched.object_fill import fill_objects


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 40), columns=st.integers(1, 40))
def test_push_pull(seed: int, rows: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    pictures = rng.random((3, rows, columns, 3)).astype(np.float32)
    weights = (rng.random((3, rows, columns)) < np.array([0.1, 0.9, 0])[:, None, None]).astype(np.float32)
    found = push_pull(torch.from_numpy(pictures).movedim(-1, 1), torch.from_numpy(weights)[:, None])
    for picture, weight, ours in zip(pictures, weights, found, strict=True):
        expected = one_by_one.push_pull(picture, weight)
        np.testing.assert_allclose(ours.permute(1, 2, 0), expected, atol=1e-5)
        np.testing.assert_array_equal(ours.permute(1, 2, 0)[weight == 1], picture[weight == 1])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 9), columns=st.integers(1, 9))
def test_sampling(seed: int, rows: int, columns: int) -> None:
    rng = np.random.default_rng(seed)
    photos = rng.integers(0, 256, (2, rows, columns, 3), dtype=np.uint8)
    points = rng.uniform(-0.5, 1.5, (200, 2))
    x, y = (torch.from_numpy(points * (columns, rows)).float()).T
    which = torch.from_numpy(rng.integers(0, 2, 200))
    pictures = photos.astype(np.float32) / 255
    expected = np.stack([one_by_one.sample_bilinear(picture, points) for picture in pictures])
    expected = expected[which, np.arange(200)]
    # Both round positions to the same fraction of a pixel, but now and then to its other side.
    found = sample_bytes(torch.from_numpy(photos), which, x, y)
    np.testing.assert_allclose(found.T, expected, atol=2.1e-3)
    planes = torch.stack(sample_planes(torch.from_numpy(pictures).movedim(-1, 1), which, x, y))
    np.testing.assert_allclose(planes.T, expected, atol=2.1e-3)


@pytest.mark.parametrize("size", [1, 2, 97, 256, 500])
def test_a_pixel_s_own_centre_gives_its_own_bytes(size: int) -> None:
    photo = torch.randint(0, 256, (1, 3, size, 3), dtype=torch.uint8)
    centres = torch.arange(size) + 0.5
    nearly = (centres / size + torch.rand(size) * 1e-6 - 5e-7) * size
    found = sample_bytes(photo, torch.zeros(size, dtype=torch.int64), nearly, torch.full((size,), 1.5))
    assert torch.equal((found.T * 255).round(), photo[0, 1].float())
    np.testing.assert_array_equal(found.T, photo[0, 1].numpy().astype(np.float32) / 255)


class TestFillObjects:
    """Each object is filled from itself; what is usable, and what is nobody's, stays as it is."""

    def filled(self, usable: np.ndarray, owner: np.ndarray, colours: np.ndarray) -> np.ndarray:
        picture = torch.from_numpy(colours).permute(2, 0, 1)[:, None].contiguous()
        fill_objects(picture, torch.from_numpy(owner)[None], torch.from_numpy(usable)[None], 2)
        return picture[:, 0].permute(1, 2, 0).numpy()

    @pytest.fixture
    def owner(self) -> np.ndarray:
        owner = np.full((60, 90), -1, np.int32)
        owner[4:50, 6:44], owner[10:56, 44:80] = 0, 1
        return owner

    @pytest.fixture
    def colours(self, owner: np.ndarray) -> np.ndarray:
        return np.random.default_rng(0).random((*owner.shape, 3)).astype(np.float32)

    def test_small_objects_are_filled_as_numpy_fills_their_windows(
        self, owner: np.ndarray, colours: np.ndarray
    ) -> None:
        usable = (owner >= 0) & (np.random.default_rng(1).random(owner.shape) < 0.3)
        found = self.filled(usable, owner, colours)
        for number, window in ((0, np.s_[4:50, 6:44]), (1, np.s_[10:56, 44:80])):
            weight = ((owner == number) & usable)[window].astype(np.float32)
            expected = one_by_one.push_pull(colours[window], weight)
            inside = (owner == number)[window]
            assert np.abs(found[window] - expected)[inside].mean() < 2e-3

    def test_usable_and_unowned_pixels_stay(self, owner: np.ndarray, colours: np.ndarray) -> None:
        usable = (owner >= 0) & (np.random.default_rng(1).random(owner.shape) < 0.5)
        found = self.filled(usable, owner, colours)
        kept = usable | (owner < 0)
        np.testing.assert_array_equal(found[kept], colours[kept])

    def test_an_object_is_not_filled_from_its_neighbour(self, owner: np.ndarray, colours: np.ndarray) -> None:
        colours[owner == 0], colours[owner == 1] = (1, 0, 0), (0, 0, 1)
        usable = (owner >= 0) & (np.arange(90) % 7 == 0)
        found = self.filled(usable, owner, colours)
        for number, colour in ((0, [1, 0, 0]), (1, [0, 0, 1])):
            assert np.abs(found[owner == number] - colour).max() < 1e-3

    def test_an_object_without_a_usable_pixel_is_grey(self, owner: np.ndarray, colours: np.ndarray) -> None:
        found = self.filled(owner == 1, owner, colours)
        np.testing.assert_array_equal(found[owner == 0], 0.5)
