"""The decoder is free where things moved, and bound where nothing did."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from na_core.geometry.boxes import bounds_2d, box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.geometry.keeping import disturbed, kept
from na_core.geometry.proxy import proxy_picture
from na_core.scene import Asset, Background, Box, Camera, Frame, Photo, PlacedAsset

WIDTH, HEIGHT = 96, 64
CAMERA = camera_of_photo(1.2 * WIDTH, WIDTH, HEIGHT, camera_height=1.5, pitch=0.3)
PLACES = [box_matrix((-0.9, 4.0, 0.3), (0.6, 0.5, 0.6)), box_matrix((1.1, 4.5, 0.3), (0.6, 0.8, 0.6))]
PHOTO = Photo("a" * 64)


def frame(*placed: NDArray[np.float64] | None, camera: Camera = CAMERA) -> Frame:
    """Two objects where they are told to be: None where they are gone."""
    assets = []
    for source, place in zip(PLACES, placed, strict=True):
        asset = Asset("object", PHOTO, Box(source), CAMERA, bounds_2d(CAMERA, Box(source)))
        if place is not None:
            assets.append(PlacedAsset(asset, Box(place)))
    return Frame(camera, tuple(assets), Background(PHOTO, CAMERA, tuple(Box(m) for m in PLACES)))


def moved(matrix: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    out = matrix.copy()
    out[1, 3] -= step
    return out


def kept_of(asked: Frame, surroundings: float = 0.5, trust: float = 0.0) -> NDArray[np.float32]:
    picture = np.random.default_rng(0).random((HEIGHT, WIDTH, 3), dtype=np.float32)
    proxy = proxy_picture(asked, {PHOTO.sha256: picture}, WIDTH, HEIGHT)
    return kept(asked, proxy, True, trust, surroundings)


def centre(matrix: NDArray[np.float64]) -> tuple[int, int]:
    x0, y0, x1, y1 = bounds_2d(CAMERA, Box(matrix))
    return int((y0 + y1) / 2 * HEIGHT), int((x0 + x1) / 2 * WIDTH)


def test_all_is_kept_where_nothing_moved() -> None:
    assert (kept_of(frame(*PLACES)) > 0.999).all()
    assert not disturbed(frame(*PLACES), WIDTH, HEIGHT, 0.5).any()


@pytest.mark.parametrize("gone", [True, False])
def test_the_decoder_is_free_around_what_moved_and_where_it_was(gone: bool) -> None:
    target = None if gone else moved(PLACES[0], 0.8)
    found = disturbed(frame(target, PLACES[1]), WIDTH, HEIGHT, 0.5)
    assert found[centre(PLACES[0])] == 1
    if target is not None:
        assert found[centre(target)] == 1
    x0, _, x1, y1 = bounds_2d(CAMERA, Box(PLACES[0]))
    below = int(y1 * HEIGHT) + 2
    assert 0 < found[below, int((x0 + x1) / 2 * WIDTH)] <= 1
    assert found[centre(PLACES[1])] == 0
    share = kept_of(frame(target, PLACES[1]))
    assert share[below, int((x0 + x1) / 2 * WIDTH)] < 1
    assert share[centre(PLACES[1])] > 0.999


def test_without_surroundings_what_stands_still_is_kept_up_to_the_outline() -> None:
    asked = frame(moved(PLACES[0], 0.8), PLACES[1])
    bound, free = kept_of(asked, surroundings=0.0), kept_of(asked, surroundings=0.5)
    assert (free <= bound + 1e-6).all()
    assert free.sum() < 0.97 * bound.sum()


def test_it_sets_in_gradually() -> None:
    frames = [frame(moved(PLACES[0], step), PLACES[1]) for step in np.linspace(0, 0.2, 41)]
    steps = [disturbed(asked, WIDTH, HEIGHT, 0.5) for asked in frames]
    changes = [np.abs(b - a).max() for a, b in itertools.pairwise(steps)]
    assert max(changes) < 0.35
    assert steps[-1].max() == 1


def test_something_new_disturbs_and_a_turned_camera_does_not() -> None:
    guest = Asset("guest", Photo("b" * 64), Box(PLACES[0]), CAMERA, (0.1, 0.1, 0.5, 0.5))
    asked = frame(*PLACES)
    more = Frame(CAMERA, (*asked.assets, PlacedAsset(guest, Box(moved(PLACES[1], 1.5)))), asked.background)
    assert disturbed(more, WIDTH, HEIGHT, 0.5)[centre(moved(PLACES[1], 1.5))] == 1
    turned = camera_of_photo(1.2 * WIDTH, WIDTH, HEIGHT, camera_height=1.5, pitch=0.33)
    assert not disturbed(frame(*PLACES, camera=turned), WIDTH, HEIGHT, 0.5).any()


def test_trust_is_the_least_that_is_kept_of_what_the_photo_showed() -> None:
    asked = frame(moved(PLACES[0], 0.8), PLACES[1])
    free, trusting = kept_of(asked), kept_of(asked, trust=0.5)
    assert (trusting >= free).all()
    assert set(np.unique(trusting[free == 0])) <= {0, 0.5}
