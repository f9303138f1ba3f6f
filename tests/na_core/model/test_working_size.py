"""Sizes follow from how many pixels the background's photo would have in the frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.geometry.camera import pixel_centres, rays
from na_core.model.working_size import (
    MAX_DECODED_SHARE,
    DecoderSize,
    decoder_frame,
    decoder_size,
    photo_side,
)
from na_core.scene import Frame
from tests.na_core.studio import LEFT, Studio, build_studio

MULTIPLE = 16


def cropped(frame: Frame, left: float, top: float, right: float, bottom: float) -> Frame:
    """Return the frame that sees a part of another, in units of its sides."""
    camera, across, down = frame.camera, right - left, bottom - top
    return replace(
        frame,
        camera=replace(
            camera,
            fx=camera.fx / across,
            fy=camera.fy / down,
            cx=(camera.cx - left) / across,
            cy=(camera.cy - top) / down,
        ),
    )


class TestPhotoSide:
    @pytest.mark.parametrize("size", [(64, 64), (100, 75), (40, 90)])
    def test_seen_by_its_own_camera_a_photo_fills_the_frame(self, size: tuple[int, int]) -> None:
        studio = build_studio([LEFT], *size)
        assert photo_side(studio.frame(), *size, *size) == max(size)
        larger = (3 * size[0], 3 * size[1])
        assert photo_side(studio.frame(), *size, *larger) == 3 * max(size)

    def test_a_longer_lens_makes_it_larger(self, studio: Studio) -> None:
        longer = replace(studio.camera, fx=1.5 * studio.camera.fx, fy=1.5 * studio.camera.fy)
        assert photo_side(studio.frame(camera=longer), 64, 64, 64, 64) == 96

    def test_where_the_camera_stands_plays_no_part(self, studio: Studio, moved_frame: Frame) -> None:
        assert photo_side(moved_frame, 64, 64, 64, 64) == photo_side(studio.frame(), 64, 64, 64, 64)

    def test_rounding_does_not_show(self, studio: Studio) -> None:
        nearly = replace(studio.camera, fx=studio.camera.fx * (1 + 1e-9))
        assert photo_side(studio.frame(camera=nearly), 64, 64, 64, 64) == 64


class TestDecoderSize:
    def test_at_the_working_size_nothing_is_scaled(self) -> None:
        assert decoder_size(256.0, 256, 256, 256, MULTIPLE) == DecoderSize(256, 256, 1.0)
        assert decoder_size(256.0, 256, 160, 256, MULTIPLE) == DecoderSize(256, 160, 1.0)

    @given(
        side=st.floats(16, 4096),
        shape=st.tuples(st.floats(0.2, 1), st.floats(0.2, 1)),
        working_size=st.sampled_from([64, 256]),
    )
    def test_the_photo_has_the_working_size_in_the_decoders_picture(
        self, side: float, shape: tuple[float, float], working_size: int
    ) -> None:
        width, height = (max(1, round(share * side)) for share in shape)
        size = decoder_size(side, width, height, working_size, MULTIPLE)
        assert size.scale == pytest.approx(working_size / side)

    @given(
        side=st.floats(16, 4096),
        width=st.integers(1, 4096),
        height=st.integers(1, 4096),
        working_size=st.sampled_from([64, 256]),
    )
    def test_it_holds_the_frame_in_sides_that_the_networks_take_and_can_pay(
        self, side: float, width: int, height: int, working_size: int
    ) -> None:
        size = decoder_size(side, width, height, working_size, MULTIPLE)
        for whole, part in ((size.width, width), (size.height, height)):
            assert whole % MULTIPLE == 0
            assert whole >= 2 * MULTIPLE
            assert whole >= part * size.scale - 1e-4
            assert whole < part * size.scale + MULTIPLE or whole == 2 * MULTIPLE
        shown = width * height * size.scale**2
        assert shown <= MAX_DECODED_SHARE * working_size**2 * (1 + 1e-9)

    def test_a_part_of_a_frame_is_decoded_at_the_scale_of_the_whole(self, studio: Studio) -> None:
        whole = studio.frame()
        part = cropped(whole, 0.25, 0.5, 0.75, 1.0)
        sides = photo_side(whole, 64, 64, 192, 192), photo_side(part, 64, 64, 96, 96)
        assert sides[0] == sides[1] == 192
        sizes = decoder_size(sides[0], 192, 192, 64, MULTIPLE), decoder_size(sides[1], 96, 96, 64, MULTIPLE)
        assert sizes == (DecoderSize(64, 64, 1 / 3), DecoderSize(32, 32, 1 / 3))

    def test_a_much_wider_frame_than_the_photo_is_decoded_coarser(self, studio: Studio) -> None:
        wide = replace(studio.camera, fx=studio.camera.fx / 8, fy=studio.camera.fy / 8)
        side = photo_side(studio.frame(camera=wide), 64, 64, 64, 64)
        assert side == 8
        size = decoder_size(side, 64, 64, 64, MULTIPLE)
        assert size == DecoderSize(128, 128, 2.0)


class TestDecoderFrame:
    @settings(deadline=None)
    @given(width=st.integers(1, 200), height=st.integers(1, 200), side=st.floats(20, 400))
    def test_its_pixels_see_what_the_frames_see(
        self, width: int, height: int, side: float, moved_frame: Frame
    ) -> None:
        size = decoder_size(side, width, height, 64, MULTIPLE)
        small = decoder_frame(moved_frame, width, height, size)
        seen = rays(small.camera, pixel_centres(size.width, size.height))
        at = (pixel_centres(size.width, size.height) * (size.width, size.height)) / size.scale
        expected = rays(moved_frame.camera, at / (width, height))
        np.testing.assert_allclose(seen, expected, atol=1e-9 * (1 + np.abs(expected).max()))

    def test_nothing_but_the_camera_changes(self, moved_frame: Frame) -> None:
        small = decoder_frame(moved_frame, 100, 75, DecoderSize(80, 64, 0.64))
        assert small.camera != moved_frame.camera
        assert replace(small, camera=moved_frame.camera) == moved_frame

    def test_at_the_same_size_it_is_the_frame(self, moved_frame: Frame) -> None:
        assert decoder_frame(moved_frame, 64, 64, DecoderSize(64, 64, 1.0)) == moved_frame
