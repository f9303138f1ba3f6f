"""What sticks out of an object's outline leaves with it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from na_core.layers.remnants import with_remnants

HEIGHT, WIDTH = 120, 160


def scene(ground: tuple[int, int, int] = (150, 110, 80)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a photo of a red cup with a handle on a rough ground, its cover without the handle, and that."""
    noise = np.random.default_rng(0).normal(0, 5, (HEIGHT, WIDTH, 1))
    cup, handle = np.zeros((HEIGHT, WIDTH), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
    cv2.circle(cup, (80, 60), 25, 1, -1)
    cv2.rectangle(handle, (100, 52), (110, 68), 1, -1)
    whole = (cup > 0) | (handle > 0)
    picture = np.where(whole[..., None], (190, 30, 25), ground) + noise
    cover = np.where(cup > 0, 0, -1).astype(np.int32)
    return np.clip(picture, 0, 255).astype(np.uint8), cover, (handle > 0) & (cup == 0)


def test_a_handle_belongs_to_its_cup() -> None:
    picture, cover, handle = scene()
    found = with_remnants(picture, cover)
    assert (found[handle] == 0).mean() > 0.9
    assert (found[(cover < 0) & ~handle] == -1).mean() > 0.99


def test_what_an_object_covers_stays_covered() -> None:
    picture, cover, _ = scene()
    assert (with_remnants(picture, cover)[cover == 0] == 0).all()


def test_another_objects_pixels_stay_its_own() -> None:
    picture, cover, handle = scene()
    cover[handle] = 1
    np.testing.assert_array_equal(with_remnants(picture, cover)[handle], 1)


def test_a_ground_of_the_objects_colours_is_no_remnant() -> None:
    picture, cover, _ = scene(ground=(190, 30, 25))
    np.testing.assert_array_equal(with_remnants(picture, cover), cover)


def test_something_of_the_same_colour_that_stands_apart_is_no_remnant() -> None:
    picture, cover, _ = scene()
    picture[20:25, 60:100] = (190, 30, 25)
    assert (with_remnants(picture, cover)[20:25, 60:100] == -1).all()


def test_what_lies_outside_an_objects_2d_box_is_no_remnant() -> None:
    picture, cover, handle = scene()
    cup = np.argwhere(cover == 0)
    (top, left), (bottom, right) = cup.min(axis=0), cup.max(axis=0) + 1
    box = (left / WIDTH, top / HEIGHT, right / WIDTH, bottom / HEIGHT)
    found = with_remnants(picture, cover, rectangles=[box])
    columns = np.nonzero(handle & (found == 0))[1]
    assert columns.max() <= right + 0.02 * WIDTH
    with_handle = (box[0], box[1], 111 / WIDTH, box[3])
    found = with_remnants(picture, cover, rectangles=[with_handle])
    assert (found[handle] == 0).mean() > 0.9


@pytest.mark.parametrize("shape", [(1, 1), (32, 20), (700, 500)])
def test_photos_of_every_size(shape: tuple[int, int]) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    for cover in (np.full(shape, -1, np.int32), np.zeros(shape, np.int32)):
        np.testing.assert_array_equal(with_remnants(picture, cover), cover)
