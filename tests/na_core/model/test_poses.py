"""What a frame gives the network: only relations count, and everything is finite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from na_core.geometry.boxes import box_matrix, pose_numbers, quarter_turn, source_quarter_turns
from na_core.geometry.boxmap import box_map
from na_core.geometry.camera import pixel_centres, rays, relative_pose_numbers
from na_core.model.conditioning import (
    BOX_MAP_CHANNELS,
    Conditions,
    background_picture,
    conditions,
    object_picture,
    padded_frame,
    scene_scale,
)
from na_core.scene import Asset, Background, Box, Camera, Frame, PlacedAsset

if TYPE_CHECKING:
    from tests.na_core.model.conftest import Studio

SIDE = 64


def of(studio: Studio, frame: Frame, guided: bool = True) -> Conditions:
    return conditions(frame, studio.pictures, SIDE, SIDE, factor=8, guided=guided)


def assert_equal(first: Conditions, second: Conditions, tolerance: float = 1e-5) -> None:
    for name in ("poses", "background_pose", "rectangles", "map_channels"):
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), atol=tolerance, err_msg=name)
    np.testing.assert_allclose(first.proxy.picture, second.proxy.picture, atol=2e-3)


def scaled_camera(camera: Camera, factor: float) -> Camera:
    matrix = camera.world_from_camera.copy()
    matrix[:3, 3] *= factor
    return replace(camera, world_from_camera=matrix)


def scaled_box(box: Box, factor: float) -> Box:
    return Box(np.diag([factor, factor, factor, 1.0]) @ box.world_from_box)


def scaled_frame(frame: Frame, factor: float) -> Frame:
    """Return the frame of a world that is larger by a factor, cameras and all."""
    placed = tuple(
        PlacedAsset(
            replace(
                p.asset,
                source_box=scaled_box(p.asset.source_box, factor),
                source_camera=scaled_camera(p.asset.source_camera, factor),
            ),
            scaled_box(p.box, factor),
        )
        for p in frame.assets
    )
    background = replace(
        frame.background,
        source_camera=scaled_camera(frame.background.source_camera, factor),
        hidden_boxes=tuple(scaled_box(b, factor) for b in frame.background.hidden_boxes),
    )
    return Frame(scaled_camera(frame.camera, factor), placed, background)


def redetected(frame: Frame, k: int, box: Callable[[Box], Box]) -> Frame:
    """Return the frame as a detector that is off by k quarter turns would have told it."""

    def asset_of(asset: Asset) -> Asset:
        source = box(asset.source_box)
        return replace(
            asset, source_box=source, quarter_turns=source_quarter_turns(source, asset.source_camera)
        )

    placed = tuple(PlacedAsset(asset_of(p.asset), box(p.box)) for p in frame.assets)
    hidden = tuple(box(b) for b in frame.background.hidden_boxes)
    return Frame(frame.camera, placed, replace(frame.background, hidden_boxes=hidden))


class TestForm:
    def test_shapes(self, studio: Studio, moved_frame: Frame) -> None:
        c = of(studio, moved_frame)
        assert c.poses.shape == (2, 24)
        assert c.background_pose.shape == (12,)
        assert c.rectangles.shape == (2, 4)
        assert c.map_channels.shape == (BOX_MAP_CHANNELS, 8, 8)
        assert of(studio, moved_frame, guided=False).poses.shape == (2, 12)

    def test_no_assets(self, studio: Studio) -> None:
        c = of(studio, studio.frame({0: None, 1: None}))
        assert c.poses.shape == (0, 24)
        assert c.rectangles.shape == (0, 4)
        assert (c.map_channels[:10] == 0).all()

    def test_numbers_and_pixels_are_single_precision(self, studio: Studio, moved_frame: Frame) -> None:
        c = of(studio, moved_frame)
        arrays = (c.poses, c.background_pose, c.rectangles, c.map_channels, c.proxy.picture)
        assert {a.dtype for a in arrays} == {np.dtype(np.float32)}

    def test_coverage_is_the_share_of_each_latent_cell_that_boxes_cover(
        self, studio: Studio, moved_frame: Frame
    ) -> None:
        boxes = box_map(moved_frame.camera, [p.box.world_from_box for p in moved_frame.assets], SIDE, SIDE)
        share = (boxes.index >= 0).reshape(8, 8, 8, 8).mean(axis=(1, 3))
        np.testing.assert_allclose(of(studio, moved_frame).map_channels[0], share, atol=1e-6)


class TestPaper:
    def test_poses_are_raw(self, studio: Studio, moved_frame: Frame) -> None:
        c = of(studio, moved_frame, guided=False)
        for number, placed in enumerate(moved_frame.assets):
            expected = pose_numbers(moved_frame.camera, placed.box.world_from_box)
            np.testing.assert_allclose(c.poses[number], expected, rtol=1e-6)
        expected = relative_pose_numbers(studio.camera, moved_frame.camera)
        np.testing.assert_allclose(c.background_pose, expected, atol=1e-6)

    def test_depth_is_in_metres(self, studio: Studio, moved_frame: Frame) -> None:
        small = of(studio, moved_frame, guided=False).poses.reshape(-1, 3)
        large = of(studio, scaled_frame(moved_frame, 3.0), guided=False).poses.reshape(-1, 3)
        np.testing.assert_allclose(large[:, :2], small[:, :2], atol=1e-5)
        np.testing.assert_allclose(large[:, 2], 3 * small[:, 2], rtol=1e-5)


class TestScale:
    @pytest.mark.parametrize("factor", [3.0, 0.1, 100.0])
    def test_scaling_the_whole_world_changes_nothing(
        self, factor: float, studio: Studio, moved_frame: Frame
    ) -> None:
        assert_equal(of(studio, moved_frame), of(studio, scaled_frame(moved_frame, factor)), 2e-4)

    def test_the_unit_is_the_median_depth_of_the_source_boxes(self, studio: Studio) -> None:
        level = replace(
            studio.camera,
            world_from_camera=np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], float),
        )
        boxes = tuple(Box(box_matrix((0, depth, 0), (1, 1, 1))) for depth in (2.0, 7.0, 3.0))
        assert scene_scale(Background(studio.name, level, boxes), []) == pytest.approx(3.0)
        assert scene_scale(Background(studio.name, level), boxes[:1]) == pytest.approx(2.0)
        assert scene_scale(Background(studio.name, level), []) == 1.0


class TestRelabelling:
    @pytest.mark.parametrize("k", [1, 2, 3])
    def test_an_equivalent_detection_gives_the_same_conditions(
        self, k: int, studio: Studio, moved_frame: Frame
    ) -> None:
        """Source and target turned by k · 90° about up with dimensions swapped: the very same boxes."""
        other = redetected(moved_frame, k, lambda box: Box(box.world_from_box @ quarter_turn(k)))
        assert_equal(of(studio, moved_frame), of(studio, other))

    def test_swapped_dimensions_are_such_a_detection(self, studio: Studio) -> None:
        def detection(width: float, depth: float, yaw: float) -> Frame:
            source = box_matrix((-0.7, 4.0, 0.4), (width, depth, 0.8), 0.5 + yaw)
            target = box_matrix((0.2, 4.5, 0.4), (width, depth, 0.8), 1.5 + yaw)
            box = Box(source)
            turns = source_quarter_turns(box, studio.camera)
            asset = replace(studio.assets[0], source_box=box, quarter_turns=turns)
            background = Background(studio.name, studio.camera, (box,))
            return Frame(studio.camera, (PlacedAsset(asset, Box(target)),), background)

        first, second = detection(0.7, 0.5, 0.0), detection(0.5, 0.7, np.pi / 2)
        assert_equal(of(studio, first), of(studio, second), 1e-4)

    def test_the_assets_own_quarter_turns_decide(self, studio: Studio) -> None:
        frozen = [replace(a, quarter_turns=(a.quarter_turns + 1) % 4) for a in studio.assets]
        before, after = of(studio, studio.frame()), of(studio, studio.frame(assets=frozen))
        assert not np.allclose(before.poses, after.poses)
        assert not np.allclose(before.map_channels, after.map_channels)
        np.testing.assert_array_equal(before.proxy.picture, after.proxy.picture)

    def test_paper_does_not_relabel(self, studio: Studio) -> None:
        turned = [replace(a, quarter_turns=(a.quarter_turns + 1) % 4) for a in studio.assets]
        before = of(studio, studio.frame(), guided=False)
        after = of(studio, studio.frame(assets=turned), guided=False)
        np.testing.assert_array_equal(before.poses, after.poses)

    def test_local_coordinates_are_those_of_the_relabelled_box(self, studio: Studio) -> None:
        for k in range(4):
            asset = replace(studio.assets[0], quarter_turns=k)
            matrix = asset.source_box.world_from_box
            frame = Frame(
                studio.camera, (PlacedAsset(asset, asset.source_box),), Background(studio.name, studio.camera)
            )
            expected = box_map(studio.camera, [matrix @ quarter_turn(k)], SIDE, SIDE).local
            cells = expected.reshape(8, 8, 8, 8, 3).mean(axis=(1, 3))
            found = np.moveaxis(of(studio, frame).map_channels[1:4], 0, -1)
            np.testing.assert_allclose(found, cells, atol=1e-5)

    def test_a_flip_of_the_target_alone_is_seen(self, studio: Studio) -> None:
        flipped = {0: studio.assets[0].source_box.world_from_box @ quarter_turn(2)}
        before, after = of(studio, studio.frame()), of(studio, studio.frame(flipped))
        np.testing.assert_array_equal(before.poses[0, :12], after.poses[0, :12])
        assert np.abs(before.poses[0, 12:] - after.poses[0, 12:]).max() > 0.05
        assert np.abs(before.map_channels[1:4] - after.map_channels[1:4]).max() > 0.2
        np.testing.assert_array_equal(before.map_channels[0], after.map_channels[0])

    def test_source_poses_come_first_and_do_not_see_the_target(
        self, studio: Studio, moved_frame: Frame
    ) -> None:
        still, moved = of(studio, studio.frame()), of(studio, moved_frame)
        np.testing.assert_array_equal(still.poses[:, :12], moved.poses[:, :12])
        np.testing.assert_array_equal(still.poses[:, :12], still.poses[:, 12:])


PLACES = {
    "behind": (0, -5, 0.4),
    "beside": (30, 4, 0.4),
    "on the camera": (0, 0, 1.5),
    "across its plane": (0, 0.1, 1.0),
    "far": (0, 1e5, 0),
    "partly outside": (1.9, 4, 0.4),
}


class TestAlwaysFinite:
    @pytest.mark.parametrize("guided", [True, False])
    @pytest.mark.parametrize("place", PLACES)
    def test_boxes_anywhere(self, place: str, guided: bool, studio: Studio) -> None:
        frame = studio.frame({0: box_matrix(PLACES[place], (1, 1, 1), yaw=0.3)})
        c = of(studio, frame, guided)
        for name in ("poses", "background_pose", "map_channels"):
            assert np.isfinite(getattr(c, name)).all(), name
        assert np.isfinite(c.proxy.picture).all()
        if guided:
            assert np.abs(c.poses).max() <= 5

    @settings(max_examples=15, deadline=None)
    @given(
        centre=st.tuples(*[st.floats(-20, 20)] * 3),
        dimensions=st.tuples(*[st.floats(0, 5)] * 3),
        yaw=st.floats(-4, 4),
    )
    def test_any_box(
        self,
        studio: Studio,
        centre: tuple[float, float, float],
        dimensions: tuple[float, float, float],
        yaw: float,
    ) -> None:
        c = of(studio, studio.frame({0: box_matrix(centre, dimensions, yaw)}))
        assert np.isfinite(c.poses).all()
        assert np.isfinite(c.map_channels).all()
        assert np.isfinite(c.proxy.picture).all()


class TestPadding:
    def test_the_padded_frame_sees_the_same_through_the_same_pixels(self, moved_frame: Frame) -> None:
        wide = padded_frame(moved_frame, 100, 75, 128, 96)
        narrow_rays = rays(moved_frame.camera, pixel_centres(100, 75))
        wide_rays = rays(wide.camera, pixel_centres(128, 96))[:75, :100]
        np.testing.assert_allclose(wide_rays, narrow_rays, atol=1e-12)

    def test_nothing_but_the_camera_changes(self, moved_frame: Frame) -> None:
        wide = padded_frame(moved_frame, 100, 75, 128, 96)
        assert replace(wide, camera=moved_frame.camera) == moved_frame

    def test_no_padding_is_no_change(self, moved_frame: Frame) -> None:
        assert padded_frame(moved_frame, 64, 64, 64, 64) == moved_frame


class TestEncoderPictures:
    @pytest.fixture
    def picture(self) -> NDArray[np.float32]:
        return np.random.default_rng(0).random((10, 20, 3)).astype(np.float32)

    def test_edges_are_rounded_and_half_open(self, picture: NDArray[np.float32]) -> None:
        rectangle = (0.12, 0.26, 0.48, 0.74)  # columns 2.4 to 9.6, rows 2.6 to 7.4
        kept = object_picture(picture, [rectangle])
        expected = np.full_like(picture, 0.5)
        expected[3:7, 2:10] = picture[3:7, 2:10]
        np.testing.assert_array_equal(kept, expected)
        painted = background_picture(picture, [rectangle])
        np.testing.assert_array_equal(np.where(expected == 0.5, picture, 0.5), painted)

    def test_a_label_on_pixel_edges_is_exact(self, picture: NDArray[np.float32]) -> None:
        kept = object_picture(picture, [(3 / 20, 1 / 10, 7 / 20, 9 / 10)])
        assert (kept[1:9, 3:7] == picture[1:9, 3:7]).all()
        assert (kept != 0.5).all(axis=-1).sum() == 8 * 4

    def test_the_union_counts(self, picture: NDArray[np.float32]) -> None:
        pair = [(0.0, 0.0, 0.5, 1.0), (0.25, 0.0, 1.0, 1.0)]
        np.testing.assert_array_equal(object_picture(picture, pair), picture)
        assert (background_picture(picture, pair) == 0.5).all()

    def test_no_boxes(self, picture: NDArray[np.float32]) -> None:
        assert (object_picture(picture, []) == 0.5).all()
        np.testing.assert_array_equal(background_picture(picture, []), picture)

    def test_the_photo_itself_is_not_painted_on(self, picture: NDArray[np.float32]) -> None:
        before = picture.copy()
        background_picture(picture, [(0, 0, 1, 1)])
        np.testing.assert_array_equal(picture, before)
