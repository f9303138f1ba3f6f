"""Batched proxies are numpy's."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.geometry import proxy as geometry_proxy
from na_core.geometry.boxes import box_matrix
from na_core.geometry.photo_views import hidden_rectangles
from na_core.geometry.proxy import Proxy as NumpyProxy
from na_core.geometry.proxy import clean_plate, proxy_picture
from na_core.model.batched import proxy as batched_proxy
from na_core.model.batched.proxy import Proxy, clean_plates, proxy_pictures
from na_core.scene import Asset, Background, Box, Frame, Photo, PlacedAsset

Stage = Any  # of conftest
MakeFrame = Callable[..., Stage]
SIZE = (80, 64)


def numpys(stage: Stage, number: int = 0) -> NumpyProxy:
    return proxy_picture(stage.frames[number], stage.pictures, *SIZE, reliefs=stage.reliefs)


@pytest.fixture(scope="module", autouse=True)
def _hard_seams() -> Iterator[None]:
    """Compare what is under softened seams, where one pixel's rounding would reach nine: see test_seams."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(geometry_proxy, "soften_seams", lambda picture, *_: picture)
        patch.setattr(batched_proxy, "soften_seams", lambda picture, *_: picture)
        yield


def assert_is_numpys(found: Proxy, expected: NumpyProxy, row: int = 0, strays: float = 0.0) -> None:
    """Compare proxies; of the pixels, a share may differ: rays that graze an outline fall to either side."""
    picture = found.picture[row].permute(1, 2, 0).numpy()
    assert np.abs(picture - expected.picture).mean() <= 1 / 255
    same = found.validity[row].numpy() == expected.validity
    assert same.mean() >= 0.995
    valid = same & expected.validity
    # Positions are rounded to a fraction of a pixel: some fall on the other side of a half.
    alike = np.isclose(picture[valid], expected.picture[valid], atol=2e-3, rtol=1e-7).all(axis=-1)
    shift, theirs = found.shift[row].numpy()[valid], expected.shift[valid]
    alike &= np.isclose(shift, theirs, atol=2e-3, rtol=1e-4)
    assert (~alike).sum() <= strays * alike.size


def assert_is_the_photo(stage: Stage) -> None:
    found = proxy_pictures(stage.batch())
    photo = stage.pictures[stage.frames[0].background.photo.sha256]
    np.testing.assert_array_equal(found.picture[0].permute(1, 2, 0), photo)
    assert found.validity.all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_random_frames(seed: int, make_frame: MakeFrame) -> None:
    stage = make_frame(seed)
    assert_is_numpys(proxy_pictures(stage.batch()), numpys(stage))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_frame_in_which_nothing_moved_gives_back_its_photo(seed: int, make_frame: MakeFrame) -> None:
    assert_is_the_photo(make_frame(seed, still=True))


class TestReliefs:
    @settings(max_examples=40, deadline=None)
    @given(seed=st.integers(0, 2**32 - 1))
    def test_random_frames(self, seed: int, make_frame: MakeFrame, make_relief: MakeFrame) -> None:
        stage = make_relief(make_frame(seed), seed)
        assert_is_numpys(proxy_pictures(stage.batch()), numpys(stage), strays=2e-3)

    @settings(max_examples=15, deadline=None)
    @given(seed=st.integers(0, 2**32 - 1))
    def test_a_frame_in_which_nothing_moved_gives_back_its_photo(
        self, seed: int, make_frame: MakeFrame, make_relief: MakeFrame
    ) -> None:
        assert_is_the_photo(make_relief(make_frame(seed, still=True), seed))

    @pytest.mark.usefixtures("every_pixel")
    def test_where_lists_do_not_pay_the_picture_is_the_same(
        self, make_frame: MakeFrame, make_relief: MakeFrame
    ) -> None:
        stage = make_relief(make_frame(7), 7)
        found = proxy_pictures(stage.batch())
        assert torch.isfinite(found.picture).all()
        assert_is_numpys(found, numpys(stage), strays=2e-3)


@pytest.mark.parametrize(("width", "height"), [(256, 256), (97, 61), (61, 97), (16, 9)])
def test_at_any_size(width: int, height: int, make_frame: MakeFrame) -> None:
    assert_is_the_photo(make_frame(1, width, height, still=True))


def test_frames_of_a_batch_do_not_mix(several: Stage) -> None:
    found = proxy_pictures(several.batch(slots=9))
    for row in range(len(several.frames)):
        assert_is_numpys(found, numpys(several, row), row)


@pytest.mark.usefixtures("every_pixel")
def test_where_lists_do_not_pay_the_picture_is_the_same(several: Stage) -> None:
    found = proxy_pictures(several.batch())
    assert torch.isfinite(found.picture).all()
    for row in range(len(several.frames)):
        assert_is_numpys(found, numpys(several, row), row)


def test_clean_plates(several: Stage) -> None:
    found = clean_plates(several.batch())
    for row, frame in enumerate(several.frames):
        photo = several.pictures[frame.background.photo.sha256]
        expected = clean_plate(photo, frame.background, hidden_rectangles(frame))
        np.testing.assert_array_equal(found.real[row], expected.real)
        np.testing.assert_allclose(found.picture[row].permute(1, 2, 0), expected.picture, atol=1e-5)


class TestBoxesOfAllKinds:
    @pytest.fixture
    def stage(self, make_frame: MakeFrame) -> Stage:
        return make_frame(2, still=True)

    def moved(self, stage: Stage, matrix: np.ndarray) -> Stage:
        frame = stage.frames[0]
        placed = (PlacedAsset(frame.assets[0].asset, Box(matrix)), *frame.assets[1:])
        return dataclasses.replace(stage, frames=(dataclasses.replace(frame, assets=placed),))

    @pytest.mark.parametrize(
        "matrix",
        [
            box_matrix((0, 4, 0), (1, 1, 0)),
            box_matrix((0, -4, 0), (1, 1, 1)),
            box_matrix((0, 0, 1.5), (1, 1, 1)),
            box_matrix((0, 0, 0), (0, 0, 0)),
        ],
        ids=["flat", "behind", "around the camera", "nothing"],
    )
    def test_targets(self, matrix: np.ndarray, stage: Stage) -> None:
        there = self.moved(stage, matrix)
        assert_is_numpys(proxy_pictures(there.batch()), numpys(there))

    def test_an_unmoved_duplicate_changes_nothing(self, stage: Stage) -> None:
        frame = stage.frames[0]
        twice = dataclasses.replace(frame, assets=(*frame.assets, frame.assets[0]))
        assert_is_the_photo(dataclasses.replace(stage, frames=(twice,)))

    @pytest.mark.parametrize("dimensions", [(1.0, 1.0, 1.0), (1.0, 1.0, 0.0)], ids=["behind", "flat"])
    def test_a_source_that_its_photo_does_not_show_is_grey_and_invalid(
        self, dimensions: tuple[float, float, float], stage: Stage
    ) -> None:
        frame = stage.frames[0]
        camera = frame.background.source_camera
        behind = Box(box_matrix((0, -5, 0), dimensions))
        unseen = Asset("unseen", Photo("b" * 64), behind, camera, (0, 0, 0, 0))
        placed = PlacedAsset(unseen, Box(box_matrix((0, 2.5, 0.9), (1, 1, 1))))
        there = dataclasses.replace(stage, frames=(dataclasses.replace(frame, assets=(placed,)),))
        found = proxy_pictures(there.batch())
        on_box = found.boxes.index[0] == 0
        assert on_box.sum() > 50
        assert (found.picture[0][:, on_box] == 0.5).all()
        assert not found.validity[0][on_box].any()
        assert_is_numpys(found, numpys(there))

    def test_nothing_at_all(self, stage: Stage) -> None:
        frame = stage.frames[0]
        empty = Frame(frame.camera, (), Background(frame.background.photo, frame.background.source_camera))
        assert_is_the_photo(dataclasses.replace(stage, frames=(empty,)))

    @pytest.mark.parametrize("step", [(0, 0, -3), (0, 500, 0), (0, -500, 3), (0, 0, 1e6)])
    def test_finite_for_every_camera(self, step: tuple[float, float, float], stage: Stage) -> None:
        frame = stage.frames[0]
        matrix = frame.camera.world_from_camera.copy()
        matrix[:3, 3] += step
        camera = dataclasses.replace(frame.camera, world_from_camera=matrix)
        there = dataclasses.replace(stage, frames=(dataclasses.replace(frame, camera=camera),))
        picture = proxy_pictures(there.batch()).picture
        assert torch.isfinite(picture).all()
        assert picture.min() >= 0
        assert picture.max() <= 1 + 1e-6
