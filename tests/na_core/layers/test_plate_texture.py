"""What is behind an object gets the photo's texture, and nothing else of the photo."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.filters import gaussian

from na_core.layers.plate_texture import textured
from na_core.raster.fill import push_pull

SIDE = 128


def plate_of(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Return a picture (H, W, 3) whose hole (H, W) is filled smoothly."""
    planes, weights = torch.from_numpy(picture).movedim(-1, 0), torch.from_numpy(~hole).float()
    return push_pull(planes[None], weights[None, None])[0].movedim(0, -1).contiguous().numpy()


def hole_in(*window: slice) -> np.ndarray:
    hole = np.zeros((SIDE, SIDE), bool)
    hole[window] = True
    return hole


def grain(seed: int = 0) -> np.ndarray:
    """Return a rough ground (SIDE, SIDE, 3), of grains of a few pixels."""
    noise = gaussian(np.random.default_rng(seed).standard_normal((SIDE, SIDE, 1)), 1, channel_axis=-1)
    return (0.5 + 0.12 * noise / noise.std()).astype(np.float32) * np.array([1, 0.8, 0.6], np.float32)


HOLE = hole_in(slice(48, 80), slice(50, 90))


def test_a_rough_ground_stays_rough_where_an_object_stood() -> None:
    picture = grain()
    plate = plate_of(picture, HOLE)
    found = textured(plate, ~HOLE)
    around, smooth, rough = (of[HOLE].std(axis=0).mean() for of in (picture, plate, found))
    assert smooth < 0.3 * around
    assert 0.4 * around < rough < 1.2 * around
    assert np.abs(found[HOLE].mean(axis=0) - picture[HOLE].mean(axis=0)).max() < 0.03


def test_stripes_go_on() -> None:
    stripes = np.sin(np.arange(SIDE) / 3)[:, None, None] * np.float32(0.3) + 0.5
    picture = np.broadcast_to(stripes, (SIDE, SIDE, 3)).astype(np.float32)
    plate = plate_of(picture, HOLE)
    fills = plate, textured(plate, ~HOLE)
    before, after = (np.abs(fill[HOLE] - picture[HOLE]).mean() for fill in fills)
    assert after < 0.5 * before


def test_what_is_real_stays_to_the_bit_and_the_same_plate_gives_the_same_texture() -> None:
    plate = plate_of(grain(1), HOLE)
    first, again = textured(plate, ~HOLE), textured(plate, ~HOLE)
    np.testing.assert_array_equal(first[~HOLE], plate[~HOLE])
    np.testing.assert_array_equal(first, again)


def test_nothing_is_copied_that_the_colours_around_do_not_ask_for() -> None:
    picture = np.full((SIDE, SIDE, 3), 0.7, np.float32)
    picture[10:40, 10:40] = (0.9, 0.1, 0.1)  # something red, elsewhere
    found = textured(plate_of(picture, HOLE), ~HOLE)
    assert np.abs(found[HOLE] - 0.7).max() < 0.02


@pytest.mark.parametrize(
    "hole",
    [
        np.zeros((SIDE, SIDE), bool),
        np.ones((SIDE, SIDE), bool),
        hole_in(slice(2, None), slice(None)),  # too little is left to choose from
    ],
)
def test_without_a_hole_or_anything_to_copy_the_plate_stays(hole: np.ndarray) -> None:
    plate = plate_of(grain(), hole)
    np.testing.assert_array_equal(textured(plate, ~hole), plate)


@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (33, 20), (900, 40)])
def test_pictures_of_every_shape(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).random((*shape, 3), dtype=np.float32)
    hole = np.zeros(shape, bool)
    hole[: max(1, shape[0] // 4), : max(1, shape[1] // 4)] = True
    found = textured(plate_of(picture, hole), ~hole)
    assert found.shape == picture.shape
    np.testing.assert_array_equal(found[~hole], picture[~hole])
    assert found.min() >= -1e-6  # what is copied is the photo's own
    assert found.max() <= 1 + 1e-6
