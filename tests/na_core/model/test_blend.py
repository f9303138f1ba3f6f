"""The decoder is free where things moved, and bound where nothing did."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from na_core.compose.passes import Passes
from na_core.geometry.boxes import bounds_2d, box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.model.blend import BORDER, KEPT_MOTION, kept_share
from na_core.scene import Asset, Background, Box, Camera, Frame, Photo, PlacedAsset
from tests.na_core.studio import composed

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


def passes_of(asked: Frame) -> Passes:
    random = np.random.default_rng(0)
    photos = {
        photo.sha256: random.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8) for photo in asked.photos()
    }
    return composed(asked, photos, WIDTH, HEIGHT)[2]


def kept_of(
    asked: Frame, trust: float = 0.0, plate: float = 0.0, scale: float = 1.0, keep: bool = True
) -> Tensor:
    shares = {"keep_unmoved": keep, "proxy_trust": trust, "plate_trust": plate}
    return kept_share(passes_of(asked), scale, **shares)[0]


def centre(matrix: NDArray[np.float64]) -> tuple[int, int]:
    x0, y0, x1, y1 = bounds_2d(CAMERA, Box(matrix))
    return int((y0 + y1) / 2 * HEIGHT), int((x0 + x1) / 2 * WIDTH)


def test_all_is_kept_where_nothing_moved() -> None:
    assert (kept_of(frame(*PLACES)) > 0.999).all()


@pytest.mark.parametrize("gone", [True, False])
def test_the_decoder_is_free_where_something_moved_and_bound_elsewhere(gone: bool) -> None:
    target = None if gone else moved(PLACES[0], 0.8)
    share = kept_of(frame(target, PLACES[1]))
    assert share[centre(PLACES[0])] == 0
    if target is not None:
        assert share[centre(target)] == 0
    assert share[centre(PLACES[1])] > 0.999


def test_trust_is_the_least_that_is_kept_of_what_the_photo_showed() -> None:
    asked = frame(moved(PLACES[0], 0.8), PLACES[1])
    free, trusting = kept_of(asked), kept_of(asked, trust=0.5)
    assert (trusting >= free).all()
    assert set(trusting[free == 0].unique().tolist()) <= {0, 0.5}


def test_what_another_photo_shows_is_not_trusted() -> None:
    asked = frame(None, PLACES[1])
    other = asked.assets[0].asset
    guest = PlacedAsset(replace(other, photo=Photo("b" * 64)), Box(PLACES[0]))
    asked = replace(asked, assets=(*asked.assets, guest))
    shown = passes_of(asked).index[0] == 1
    assert shown.any() and not kept_of(asked, trust=0.5)[shown].any()


def test_of_the_background_a_share_is_kept_wherever_it_is() -> None:
    asked = frame(
        None, PLACES[1], camera=camera_of_photo(1.2 * WIDTH, WIDTH, HEIGHT, camera_height=1.5, pitch=0.4)
    )
    passes = passes_of(asked)
    background, unseen = passes.index[0] < 0, ~passes.validity[0]
    kept = kept_of(asked, plate=0.6)
    assert (background & unseen).any() and (kept[background] >= 0.6).all()
    assert torch.equal(kept[~background], kept_of(asked)[~background])


def test_what_is_kept_fades_with_motion_as_the_decoder_sees_it() -> None:
    turned = camera_of_photo(1.2 * WIDTH, WIDTH, HEIGHT, camera_height=1.5, pitch=0.31)
    asked = frame(*PLACES, camera=turned)
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    shift = composed(asked, {PHOTO.sha256: picture}, WIDTH, HEIGHT)[2].shift[0]
    seen = shift.isfinite()
    assert seen.float().mean() > 0.8
    for scale in (1.0, 0.5):
        expected = (1 - shift * scale / KEPT_MOTION).clamp(0, 1)
        torch.testing.assert_close(kept_of(asked, scale=scale)[seen], expected[seen])


def test_what_is_kept_fades_into_a_hole_of_the_background() -> None:
    asked = frame(None, PLACES[1])
    passes, kept = passes_of(asked), kept_of(asked)
    hole = (passes.index[0] < 0) & passes.shift[0].isinf()
    away = cv2.distanceTransform(hole.numpy().astype(np.uint8), cv2.DIST_C, 3)
    assert (away > BORDER).any()
    expected = torch.from_numpy(1 - away / BORDER).clamp(0, 1)
    torch.testing.assert_close(kept[hole], expected[hole])


def test_of_a_moved_object_a_share_is_kept_where_the_photo_showed_it() -> None:
    asked = frame(moved(PLACES[0], 0.8), PLACES[1])
    passes = passes_of(asked)
    shares = {"keep_unmoved": True, "proxy_trust": 0.0, "plate_trust": 0.0}
    free, kept = (kept_share(passes, 1.0, **shares, object_trust=trust)[0] for trust in (0.0, 0.7))
    shown = (passes.index[0] == 0) & passes.validity[0]
    assert shown.any() and (kept[shown] >= 0.7).all()
    assert torch.equal(kept[passes.index[0] < 0], free[passes.index[0] < 0])


def test_nothing_is_kept_of_what_did_not_move_where_that_is_switched_off() -> None:
    assert not kept_of(frame(*PLACES), keep=False).any()
    assert (kept_of(frame(*PLACES), keep=False, trust=0.25) == 0.25).all()


def test_a_mesh_is_kept_as_it_is_wherever_it_goes() -> None:
    asked = frame(moved(PLACES[0], 0.8), PLACES[1])
    passes = passes_of(asked)
    shares = {"keep_unmoved": True, "proxy_trust": 0.0, "plate_trust": 0.0}
    free, kept = (kept_share(passes, 1.0, **shares, meshes=slots)[0] for slots in ((), (0,)))
    mesh = passes.index[0] == 0
    assert mesh.any()
    assert (free[mesh] < 1).any()
    assert (kept[mesh] == 1).all()
    assert torch.equal(kept[~mesh], free[~mesh])
