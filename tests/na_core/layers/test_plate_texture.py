"""What is behind an object gets the photo's texture, and nothing else of the photo."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.filters import gaussian

from na_core.geometry.camera import assumed_focal, camera_of_photo
from na_core.layers.plate_texture import textured
from na_core.raster.backdrop import Backdrops
from na_core.raster.ground import image_from_ground_below
from na_core.tensors.cameras import cameras_of

SIDE = 128


def hole_in(*window: slice) -> np.ndarray:
    hole = np.zeros((SIDE, SIDE), bool)
    hole[window] = True
    return hole


def levels(picture: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(picture * 255), 0, 255).astype(np.uint8)


def grain(seed: int = 0) -> np.ndarray:
    """Return a rough ground (SIDE, SIDE, 3), of grains of a few pixels."""
    noise = gaussian(np.random.default_rng(seed).standard_normal((SIDE, SIDE, 1)), 1, channel_axis=-1)
    return levels((0.5 + 0.12 * noise / noise.std()) * np.array([1, 0.8, 0.6]))


def ground_of(pitch: float) -> np.ndarray:
    """Return the homography of a ground below a square photo, taken from so many degrees downwards."""
    camera = camera_of_photo(assumed_focal(SIDE, SIDE), SIDE, SIDE, 1.5, np.radians(pitch))
    surfaces = Backdrops(torch.zeros(1, dtype=torch.float64), torch.full((1,), 50.0))
    return image_from_ground_below(cameras_of([camera]), surfaces.ground)[0].numpy()


def tiles(ground: np.ndarray, side: float, rays: int = 4) -> np.ndarray:
    """Return a photo of a ground of black and white tiles, of a side in units of the camera's height."""
    at = (np.arange(SIDE * rays) + 0.5) / (SIDE * rays)
    x, y = np.meshgrid(at, at)
    points = np.tensordot(np.linalg.inv(ground), np.stack([x, y, np.ones_like(x)]), 1)
    squares = np.floor(points[:2] / points[2] / side).sum(axis=0) % 2
    mean = squares.reshape(SIDE, rays, SIDE, rays).mean(axis=(1, 3))
    return levels(np.repeat((0.2 + 0.6 * mean)[..., None], 3, axis=-1))


HOLE = hole_in(slice(48, 80), slice(50, 90))


def test_a_rough_ground_stays_rough_where_an_object_stood() -> None:
    picture = grain()
    found = textured(picture, ~HOLE)
    around, rough = (of[HOLE].std(axis=0).mean() for of in (picture, found))
    assert 0.7 * around < rough < 1.3 * around
    assert np.abs(found[HOLE].mean(axis=0) - picture[HOLE].mean(axis=0)).max() < 12


def test_stripes_go_on() -> None:
    stripes = np.sin(np.arange(SIDE) / 3)[:, None, None] * 0.3 + 0.5
    picture = levels(np.broadcast_to(stripes, (SIDE, SIDE, 3)))
    found = textured(picture, ~HOLE)
    assert np.abs(found[HOLE].astype(float) - picture[HOLE]).mean() < 0.1 * picture[HOLE].std()


def test_tiles_go_on_in_perspective() -> None:
    ground = ground_of(35)
    picture = tiles(ground, 0.25)
    hole = hole_in(slice(56, 88), slice(48, 84))
    found, flat = textured(picture, ~hole, image_from_ground=ground), textured(picture, ~hole)
    wrong, wrong_flat = (np.abs(of[hole].astype(float) - picture[hole]).mean() for of in (found, flat))
    assert wrong < 20
    assert wrong < 0.6 * wrong_flat


def test_an_even_ground_gets_exactly_its_colour() -> None:
    picture = np.full((SIDE, SIDE, 3), (200, 90, 31), np.uint8)
    picture[HOLE] = 255
    assert (textured(picture, ~HOLE, image_from_ground=ground_of(30)) == (200, 90, 31)).all()


def test_what_is_known_stays_to_the_bit_and_the_same_photo_gives_the_same_texture() -> None:
    picture = grain(1)
    first, again = textured(picture, ~HOLE), textured(picture, ~HOLE)
    np.testing.assert_array_equal(first[~HOLE], picture[~HOLE])
    np.testing.assert_array_equal(first, again)


def test_what_stood_there_does_not_matter() -> None:
    picture, other = grain(2), grain(2)
    other[HOLE] = (255, 0, 0)
    np.testing.assert_array_equal(textured(picture, ~HOLE), textured(other, ~HOLE))


def test_nothing_is_copied_that_the_colours_around_do_not_ask_for() -> None:
    picture = np.full((SIDE, SIDE, 3), 180, np.uint8)
    picture[10:40, 10:40] = (230, 25, 25)  # something red, elsewhere
    found = textured(picture, ~HOLE)
    assert np.abs(found[HOLE].astype(float) - 180).max() <= 2


def test_texture_takes_the_colours_of_a_guess() -> None:
    """A hole that is known to be darker gets the grain of its surroundings, darker."""
    picture = grain(3)
    even = np.full((SIDE, SIDE, 3), picture.reshape(-1, 3).mean(axis=0) / 255, np.float32)
    guess = even * np.where(HOLE, 0.8, 1)[..., None].astype(np.float32)
    found = textured(picture, ~HOLE, guess=guess)
    middle = hole_in(slice(54, 74), slice(56, 84))
    assert np.abs(found[middle].mean(axis=0) / 255 - guess[64, 64]).max() < 0.04
    assert found[middle].std(axis=0).mean() > 0.6 * picture[middle].std(axis=0).mean()


def test_a_larger_photo_gets_its_own_resolution() -> None:
    """Fine grain that the small picture does not show is copied from the photo."""
    noise = np.random.default_rng(4).standard_normal((600, 800, 1))
    picture = levels(np.broadcast_to(0.5 + 0.1 * noise, (600, 800, 3)))
    hole = np.zeros((600, 800), bool)
    hole[250:380, 300:460] = True
    found = textured(picture, ~hole)
    assert 0.85 < found[hole].std() / picture[hole].std() < 1.1


def test_a_guess_is_as_bright_as_what_is_around_the_hole() -> None:
    """What it is off by there it is off by in the hole."""
    picture = np.full((SIDE, SIDE, 3), 150, np.uint8)
    found = textured(picture, ~HOLE, guess=np.full((SIDE, SIDE, 3), 110 / 255, np.float32))
    assert np.abs(found[HOLE].astype(float) - 150).max() <= 2


def test_nothing_is_copied_that_is_not_sound() -> None:
    """Half of the photo is noise out of a shadow, as bright as the rest."""
    picture = levels(np.full((SIDE, SIDE, 3), 0.5))
    noisy = hole_in(slice(None), slice(0, 64))
    rough = np.random.default_rng(5).integers(60, 196, (SIDE, SIDE, 3), np.uint8)
    picture[noisy] = rough[noisy]
    hole = hole_in(slice(48, 80), slice(60, 90))
    found = textured(picture, ~hole, sound=~noisy)
    assert found[hole].std(axis=0).max() < 0.25 * rough.std()


def test_what_no_piece_fits_has_the_grain_around_it() -> None:
    """A guess is far brighter than the photo is anywhere."""
    picture = grain(6)
    bright = np.full((SIDE, SIDE, 3), picture.reshape(-1, 3).mean(axis=0) / 255, np.float32)
    hole = hole_in(slice(32, 96), slice(32, 96))
    inside = hole_in(slice(44, 84), slice(44, 84))
    bright[inside] *= 1.6
    middle = hole_in(slice(54, 74), slice(54, 74))
    found = textured(picture, ~hole, guess=np.minimum(bright, 1))
    assert found[middle].mean() > 1.2 * picture[~hole].mean()
    assert found[middle].std(axis=0).mean() > 0.25 * picture[~hole].std(axis=0).mean()


@pytest.mark.parametrize(
    "hole",
    [
        np.zeros((SIDE, SIDE), bool),
        hole_in(slice(2, None), slice(None)),  # too little is left to choose from
        np.ones((SIDE, SIDE), bool),
    ],
)
def test_without_a_hole_or_anything_to_copy(hole: np.ndarray) -> None:
    picture = grain()
    found = textured(picture, ~hole, image_from_ground=ground_of(20))
    np.testing.assert_array_equal(found[~hole], picture[~hole])
    if hole.all():
        assert np.abs(found.astype(float) - 127.5).max() <= 0.5


@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (32, 20), (900, 40)])
def test_pictures_of_every_shape(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), np.uint8)
    hole = np.zeros(shape, bool)
    hole[: max(1, shape[0] // 4), : max(1, shape[1] // 4)] = True
    found = textured(picture, ~hole, image_from_ground=ground_of(30))
    assert found.shape == picture.shape
    np.testing.assert_array_equal(found[~hole], picture[~hole])
