"""The decoder is free where things moved, and bound where nothing did."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from na_core.geometry.boxes import bounds_2d, box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.model.blend import KEPT_MOTION, disturbed, kept_share
from na_core.scene import Asset, Background, Box, Camera, Frame, Photo, PlacedAsset
from tests.na_core.studio import batch_of, composed

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


def disturbed_by(asked: Frame, surroundings: float = 0.5) -> Tensor:
    return disturbed(batch_of(asked), WIDTH, HEIGHT, surroundings)[0]


def kept_of(
    asked: Frame, surroundings: float = 0.5, trust: float = 0.0, scale: float = 1.0, keep: bool = True
) -> Tensor:
    picture = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    batch, _, passes = composed(asked, {PHOTO.sha256: picture}, WIDTH, HEIGHT)
    share = kept_share(batch, passes, scale, keep_unmoved=keep, proxy_trust=trust, surroundings=surroundings)
    return share[0]


def centre(matrix: NDArray[np.float64]) -> tuple[int, int]:
    x0, y0, x1, y1 = bounds_2d(CAMERA, Box(matrix))
    return int((y0 + y1) / 2 * HEIGHT), int((x0 + x1) / 2 * WIDTH)


def test_all_is_kept_where_nothing_moved() -> None:
    assert (kept_of(frame(*PLACES)) > 0.999).all()
    assert not disturbed_by(frame(*PLACES)).any()


@pytest.mark.parametrize("gone", [True, False])
def test_the_decoder_is_free_around_what_moved_and_where_it_was(gone: bool) -> None:
    target = None if gone else moved(PLACES[0], 0.8)
    found = disturbed_by(frame(target, PLACES[1]))
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
    steps = [disturbed_by(asked) for asked in frames]
    changes = [float((b - a).abs().max()) for a, b in itertools.pairwise(steps)]
    assert max(changes) < 0.35
    assert steps[-1].max() == 1


def test_something_new_disturbs_and_a_turned_camera_does_not() -> None:
    guest = Asset("guest", Photo("b" * 64), Box(PLACES[0]), CAMERA, (0.1, 0.1, 0.5, 0.5))
    asked = frame(*PLACES)
    more = Frame(CAMERA, (*asked.assets, PlacedAsset(guest, Box(moved(PLACES[1], 1.5)))), asked.background)
    assert disturbed_by(more)[centre(moved(PLACES[1], 1.5))] == 1
    turned = camera_of_photo(1.2 * WIDTH, WIDTH, HEIGHT, camera_height=1.5, pitch=0.33)
    assert not disturbed_by(frame(*PLACES, camera=turned)).any()


def test_trust_is_the_least_that_is_kept_of_what_the_photo_showed() -> None:
    asked = frame(moved(PLACES[0], 0.8), PLACES[1])
    free, trusting = kept_of(asked), kept_of(asked, trust=0.5)
    assert (trusting >= free).all()
    assert set(trusting[free == 0].unique().tolist()) <= {0, 0.5}


def test_what_is_kept_fades_with_motion_as_the_decoder_sees_it() -> None:
    turned = camera_of_photo(1.2 * WIDTH, WIDTH, HEIGHT, camera_height=1.5, pitch=0.31)
    asked = frame(*PLACES, camera=turned)
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    shift = composed(asked, {PHOTO.sha256: picture}, WIDTH, HEIGHT)[2].shift[0]
    assert shift.isfinite().float().mean() > 0.8
    for scale in (1.0, 0.5):
        expected = (1 - shift * scale / KEPT_MOTION).clamp(0, 1)
        torch.testing.assert_close(kept_of(asked, scale=scale), expected)


def test_nothing_is_kept_of_what_did_not_move_where_that_is_switched_off() -> None:
    assert not kept_of(frame(*PLACES), keep=False).any()
    assert (kept_of(frame(*PLACES), keep=False, trust=0.25) == 0.25).all()
