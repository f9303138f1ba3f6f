"""A plate is the photo without its hidden objects and their shadows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from na_core.layers.plate import plates, strip_radius
from na_core.raster.morphology import widened

SIDE = 64
HIDDEN = torch.tensor([[True]])


def photo(seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(60, 200, (1, SIDE, SIDE, 3), np.uint8))


def cover_of(rows: slice = slice(20, 40), columns: slice = slice(24, 36)) -> torch.Tensor:
    cover = torch.full((1, SIDE, SIDE), -1)
    cover[0, rows, columns] = 0
    return cover


def linear(picture: np.ndarray) -> np.ndarray:
    return np.where(picture <= 0.04045, picture / 12.92, ((picture + 0.055) / 1.055) ** 2.4)


def shaded(ground: np.ndarray, shadow: np.ndarray) -> np.ndarray:
    """Return sRGB bytes (..., 3) under a shadow, the logarithm of a ratio of light."""
    light = linear(ground / 255) * np.exp(shadow)
    srgb = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(srgb * 255).astype(np.uint8)


def gradual_shadow() -> np.ndarray:
    """Return a soft shadow (SIDE, SIDE, 3) to the right of the object, 0 elsewhere."""
    shadow = np.zeros((SIDE, SIDE, 3), np.float32)
    shadow[24:44, 30:56] = -np.linspace(0.7, 0, 26, dtype=np.float32)[:, None] * np.array([1.0, 0.9, 0.8])
    return shadow


@pytest.mark.parametrize("texture", [False, True])
class TestEither:
    """With texture and without."""

    def test_a_photo_without_hidden_objects_is_its_own_plate(self, texture: bool) -> None:
        picture = photo()
        for cover, hidden in ((torch.full((1, SIDE, SIDE), -1), HIDDEN), (cover_of(), ~HIDDEN)):
            plate, real = plates(picture, cover, hidden, texture)
            assert torch.equal(plate, picture)
            assert real.all()

    def test_a_known_shadow_is_taken_out_to_a_level(self, texture: bool) -> None:
        ground = np.random.default_rng(1).integers(90, 220, (SIDE, SIDE, 3), np.uint8)
        shadow = gradual_shadow()
        picture = torch.from_numpy(shaded(ground, shadow))[None]
        plate, real = plates(picture, cover_of(), HIDDEN, texture, torch.from_numpy(shadow)[None])
        hole = widened((cover_of() >= 0).float(), strip_radius(SIDE, SIDE))[0] > 0
        assert (plate[0].int() - torch.from_numpy(ground).int()).abs()[~hole].max() <= 1
        unshadowed = torch.from_numpy((shadow == 0).all(axis=-1)) & ~hole
        assert torch.equal(real[0], unshadowed | (real[0] & ~hole))
        assert torch.equal(plate[0][real[0]], picture[0][real[0]])
        assert not real[0][torch.from_numpy(shadow[..., 0] < -0.01)].any()

    def test_holes_are_filled_from_what_is_in_the_light(self, texture: bool) -> None:
        shadow = gradual_shadow()
        picture = shaded(np.full((SIDE, SIDE, 3), 150, np.uint8), shadow)
        picture[20:40, 24:36] = (250, 20, 20)
        plate, _ = plates(
            torch.from_numpy(picture)[None], cover_of(), HIDDEN, texture, torch.from_numpy(shadow)[None]
        )
        assert (plate.int() - 150).abs().max() <= 1

    def test_an_even_ground_gets_its_colour(self, texture: bool) -> None:
        picture = torch.full((1, SIDE, SIDE, 3), 77, dtype=torch.uint8)
        picture[0, 20:40, 24:36] = 255
        plate, _ = plates(picture, cover_of(), HIDDEN, texture)
        assert (plate == 77).all()

    def test_a_hole_has_the_colours_of_a_guess(self, texture: bool) -> None:
        """Of a ground that is lighter behind the object than anywhere around it."""
        picture = torch.full((1, SIDE, SIDE, 3), 100, dtype=torch.uint8)
        guess = torch.full((1, SIDE, SIDE, 3), 100 / 255)
        cover = cover_of(slice(16, 48), slice(16, 48))
        guess[0, 22:42, 22:42] = 140 / 255
        plate, real = plates(picture, cover, HIDDEN, texture, guess=guess)
        assert (plate[0, 30:34, 30:34].int() - 140).abs().max() <= 6
        assert (plate[real] == 100).all()

    def test_the_same_photo_gives_the_same_bytes(self, texture: bool) -> None:
        first, again = (plates(photo(2), cover_of(), HIDDEN, texture)[0] for _ in range(2))
        assert torch.equal(first, again)

    def test_a_photo_that_is_all_object_is_grey(self, texture: bool) -> None:
        plate, real = plates(photo(3), torch.zeros((1, SIDE, SIDE), dtype=torch.int64), HIDDEN, texture)
        assert not real.any()
        assert (plate.int() - 128).abs().max() <= 1

    def test_a_photo_that_is_all_object_has_the_colours_of_a_guess(self, texture: bool) -> None:
        guess = torch.rand((1, SIDE, SIDE, 3), generator=torch.Generator().manual_seed(0))
        cover = torch.zeros((1, SIDE, SIDE), dtype=torch.int64)
        plate, _ = plates(photo(3), cover, HIDDEN, texture, guess=guess)
        assert (plate.float() / 255 - guess).abs().max() < 0.01

    def test_a_tiny_photo(self, texture: bool) -> None:
        picture, cover = photo()[:, :32, :32], cover_of()[:, 16:48, 16:48]
        plate, real = plates(picture, cover, HIDDEN, texture)
        assert torch.equal(plate[real], picture[real])


def test_photos_of_a_batch_do_not_touch_each_other() -> None:
    pictures = torch.cat([photo(4), photo(5)])
    cover = torch.cat([cover_of(), cover_of(slice(5, 30), slice(2, 20))])
    together, _ = plates(pictures, cover, HIDDEN.expand(2, 1), False)
    for number in range(2):
        alone, _ = plates(pictures[number : number + 1], cover[number : number + 1], HIDDEN, False)
        assert torch.equal(together[number], alone[0])


def test_the_dark_rim_of_an_object_leaves_with_it() -> None:
    """A shadow is deep right beside the object, and what is left of the ground there is noise."""
    picture = torch.full((1, SIDE, SIDE, 3), 150, dtype=torch.uint8)
    picture[0, 20:40, 36:38] = 4
    shadow = torch.zeros((1, SIDE, SIDE, 3))
    shadow[0, 20:40, 36:38] = -1.5
    plate, real = plates(picture, cover_of(), HIDDEN, texture=True, shadow=shadow)
    assert (plate.int() - 150).abs().max() <= 2
    assert not real[0, 20:40, 36:38].any()
