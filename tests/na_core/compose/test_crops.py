"""A crop of a frame shows what the whole frame shows there: compositors render windows and tiles."""

from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.raster.sampling import SUBPIXEL
from na_core.scene import Camera
from tests.na_core.stage import in_unit, random_frame

Window = tuple[int, int, int, int]
WIDTH, HEIGHT = 80, 64


def through_window(camera: Camera, window: Window) -> Camera:
    """Return the camera of a window (left, top, width, height) of its picture, in whole pixels."""
    left, top, width, height = window
    return dataclasses.replace(
        camera,
        fx=camera.fx * WIDTH / width,
        fy=camera.fy * HEIGHT / height,
        cx=(camera.cx * WIDTH - left) / width,
        cy=(camera.cy * HEIGHT - top) / height,
    )


@st.composite
def windows(draw: st.DrawFn) -> Window:
    left, top = draw(st.integers(0, WIDTH - 8)), draw(st.integers(0, HEIGHT - 8))
    return left, top, draw(st.integers(8, WIDTH - left)), draw(st.integers(8, HEIGHT - top))


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), window=windows(), rounded=st.booleans())
def test_a_crop_shows_the_same_passes(seed: int, window: Window, rounded: bool) -> None:
    stage = random_frame(seed, (WIDTH, HEIGHT), rounded=rounded)
    (frame,) = stage.frames
    left, top, width, height = window
    cropped = dataclasses.replace(frame, camera=through_window(frame.camera, window))
    whole, crop = stage.shown(), stage.of(cropped).shown(0, width, height)
    there = np.s_[top : top + height, left : left + width]
    np.testing.assert_array_equal(crop.index, whole.index[there])
    np.testing.assert_array_equal(crop.validity, whole.validity[there])
    inner = np.s_[1:-1, 1:-1]  # seams are softened over a pixel's neighbours
    # Rays of two cameras differ in their last bits: a position now and then by a step of sampling.
    np.testing.assert_allclose(crop.picture[inner], whole.picture[there][inner], atol=2.1 / SUBPIXEL)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), window=windows(), rounded=st.booleans())
def test_a_crop_of_a_frame_in_which_nothing_moved_is_the_photos_to_the_bit(
    seed: int, window: Window, rounded: bool
) -> None:
    stage = random_frame(seed, (WIDTH, HEIGHT), still=True, rounded=rounded)
    (frame,) = stage.frames
    left, top, width, height = window
    cropped = dataclasses.replace(frame, camera=through_window(frame.camera, window))
    crop = stage.of(cropped).shown(0, width, height)
    np.testing.assert_array_equal(crop.picture, in_unit(stage.photo)[top : top + height, left : left + width])
    assert crop.validity.all()
