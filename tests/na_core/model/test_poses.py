"""The numbers of pose tokens: the paper's are raw, guided's know only relations."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.geometry.boxes import box_matrix, quarter_turn
from na_core.model.poses import POSE_LIMIT, frame_poses, scene_scale
from na_core.scene import Background, Box, Camera, Frame, PlacedAsset
from tests.na_core.reference import reference_pose, reference_relative_pose
from tests.na_core.same_frames import redetected, scaled_frame
from tests.na_core.studio import Studio, batch_of

PLACES = {
    "behind": (0, -5, 0.4),
    "beside": (30, 4, 0.4),
    "on the camera": (0, 0, 1.5),
    "across its plane": (0, 0.1, 1.0),
    "far": (0, 1e5, 0),
    "partly outside": (1.9, 4, 0.4),
}


def poses_of(frame: Frame, guided: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return the poses of a frame's assets and of its background."""
    poses, background = frame_poses(batch_of(frame), guided)
    return poses[0].numpy(), background[0].numpy()


def assert_equal(first: Frame, second: Frame, tolerance: float = 1e-5) -> None:
    for one, other in zip(poses_of(first), poses_of(second), strict=True):
        np.testing.assert_allclose(one, other, atol=tolerance)


class TestForm:
    @pytest.mark.parametrize(("guided", "numbers"), [(True, 24), (False, 12)])
    def test_every_asset_has_the_numbers_of_its_preset(
        self, guided: bool, numbers: int, studio: Studio, moved_frame: Frame
    ) -> None:
        poses, background = frame_poses(batch_of(moved_frame), guided)
        assert poses.shape == (1, 2, numbers)
        assert background.shape == (1, 12)
        assert poses.dtype == background.dtype == torch.float32

    @pytest.mark.parametrize("guided", [True, False])
    def test_slots_without_an_asset_are_zero(self, guided: bool, studio: Studio) -> None:
        both, one, none = studio.frame(), studio.frame({0: None}), studio.frame({0: None, 1: None})
        poses = frame_poses(batch_of(both, one, none), guided)[0]
        assert poses[0].any(dim=-1).tolist() == [True, True]
        assert poses[1].any(dim=-1).tolist() == [True, False]
        assert not poses[2].any()
        torch.testing.assert_close(poses[1, 0], poses[0, 1])

    def test_an_asset_that_is_not_shown_has_no_source_pose(self, moved_frame: Frame) -> None:
        batch = batch_of(moved_frame)
        hidden = replace(batch, shown=torch.tensor([[False, True]]))
        before, after = (frame_poses(frames, True)[0][0] for frames in (batch, hidden))
        assert not after[0, :12].any()
        torch.testing.assert_close(after[0, 12:], before[0, 12:])
        torch.testing.assert_close(after[1], before[1])


class TestPaper:
    def test_poses_are_raw(self, studio: Studio, moved_frame: Frame) -> None:
        poses, background = poses_of(moved_frame, guided=False)
        for number, placed in enumerate(moved_frame.assets):
            expected = reference_pose(moved_frame.camera, placed.box.world_from_box)
            np.testing.assert_allclose(poses[number], expected, rtol=1e-6)
        expected = reference_relative_pose(studio.camera, moved_frame.camera)
        np.testing.assert_allclose(background, expected, atol=1e-6)

    def test_depth_is_in_metres(self, moved_frame: Frame) -> None:
        small, large = (
            poses_of(frame, guided=False)[0].reshape(-1, 3)
            for frame in (moved_frame, scaled_frame(moved_frame, 3.0))
        )
        np.testing.assert_allclose(large[:, :2], small[:, :2], atol=1e-5)
        np.testing.assert_allclose(large[:, 2], 3 * small[:, 2], rtol=1e-5)

    def test_quarter_turns_do_not_matter(self, studio: Studio) -> None:
        turned = [replace(a, quarter_turns=(a.quarter_turns + 1) % 4) for a in studio.assets]
        before, after = (poses_of(f, guided=False)[0] for f in (studio.frame(), studio.frame(assets=turned)))
        np.testing.assert_array_equal(before, after)


class TestScale:
    @pytest.mark.parametrize("factor", [3.0, 0.1, 100.0])
    def test_scaling_the_whole_world_changes_nothing(self, factor: float, moved_frame: Frame) -> None:
        assert_equal(moved_frame, scaled_frame(moved_frame, factor), 2e-4)

    def test_depth_is_in_units_of_the_scenes(self, studio: Studio, moved_frame: Frame) -> None:
        batch = batch_of(moved_frame)
        targets = frame_poses(batch, True)[0][0, :, 12:].unflatten(-1, (4, 3))[..., 2]
        for number, placed in enumerate(moved_frame.assets):
            box = placed.box.world_from_box @ quarter_turn(placed.asset.quarter_turns)
            metres = reference_pose(moved_frame.camera, box).reshape(4, 3)[:, 2]
            np.testing.assert_allclose(targets[number] * scene_scale(batch), metres, rtol=1e-5)

    @pytest.mark.parametrize(
        ("hidden", "shown", "scale"),
        [((2.0, 7.0, 3.0), (9.0,), 3.0), ((2.0, 3.0), (), 2.5), ((), (2.0,), 2.0), ((), (), 1.0)],
        ids=["hidden boxes' median", "of an even number", "else the assets' own", "else a metre"],
    )
    def test_the_unit_is_the_median_depth_of_the_source_boxes(
        self, hidden: tuple[float, ...], shown: tuple[float, ...], scale: float, studio: Studio
    ) -> None:
        level = np.array([[1, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], float)
        camera = replace(studio.camera, world_from_camera=level)

        def boxes(depths: tuple[float, ...]) -> tuple[Box, ...]:
            return tuple(Box(box_matrix((0, depth, 0), (1, 1, 1))) for depth in depths)

        placed = tuple(
            PlacedAsset(replace(studio.assets[0], source_box=box, source_camera=camera), box)
            for box in boxes(shown)
        )
        frame = Frame(camera, placed, Background(studio.name, camera, boxes(hidden)))
        assert float(scene_scale(batch_of(frame))) == pytest.approx(scale)


class TestRelabelling:
    @pytest.mark.parametrize("k", [1, 2, 3])
    def test_an_equivalent_detection_gives_the_same_poses(self, k: int, moved_frame: Frame) -> None:
        """Source and target turned by k · 90° about up with dimensions swapped: the very same boxes."""
        other = redetected(moved_frame, lambda box: Box(box.world_from_box @ quarter_turn(k)))
        assert_equal(moved_frame, other)

    def test_swapped_dimensions_are_such_a_detection(self, studio: Studio) -> None:
        def detection(width: float, depth: float, yaw: float) -> Frame:
            source = Box(box_matrix((-0.7, 4.0, 0.4), (width, depth, 0.8), 0.5 + yaw))
            target = Box(box_matrix((0.2, 4.5, 0.4), (width, depth, 0.8), 1.5 + yaw))
            asset = replace(studio.assets[0], source_box=source)
            background = Background(studio.name, studio.camera, (source,))
            frame = Frame(studio.camera, (PlacedAsset(asset, target),), background)
            return redetected(frame, lambda box: box)

        assert_equal(detection(0.7, 0.5, 0.0), detection(0.5, 0.7, np.pi / 2), 1e-4)

    def test_the_assets_own_quarter_turns_decide(self, studio: Studio) -> None:
        turned = [replace(a, quarter_turns=(a.quarter_turns + 1) % 4) for a in studio.assets]
        before, after = poses_of(studio.frame())[0], poses_of(studio.frame(assets=turned))[0]
        assert np.abs(before - after).max() > 0.05

    def test_a_flip_of_the_target_alone_is_seen(self, studio: Studio) -> None:
        flipped = {0: studio.boxes[0] @ quarter_turn(2)}
        before, after = poses_of(studio.frame())[0], poses_of(studio.frame(flipped))[0]
        np.testing.assert_array_equal(before[0, :12], after[0, :12])
        assert np.abs(before[0, 12:] - after[0, 12:]).max() > 0.05

    def test_source_poses_come_first_and_do_not_see_the_target(
        self, studio: Studio, moved_frame: Frame
    ) -> None:
        still, moved = poses_of(studio.frame())[0], poses_of(moved_frame)[0]
        np.testing.assert_array_equal(still[:, :12], moved[:, :12])
        np.testing.assert_array_equal(still[:, :12], still[:, 12:])
        assert np.abs(moved[0, 12:] - moved[0, :12]).max() > 0.05


class TestLimits:
    @pytest.mark.parametrize("guided", [True, False])
    @pytest.mark.parametrize("place", PLACES)
    def test_boxes_anywhere_have_finite_numbers(self, place: str, guided: bool, studio: Studio) -> None:
        frame = studio.frame({0: box_matrix(PLACES[place], (1, 1, 1), yaw=0.3)})
        poses, background = poses_of(frame, guided)
        assert np.isfinite(poses).all()
        assert np.isfinite(background).all()
        if guided:
            assert poses.min() >= -POSE_LIMIT
            assert poses.max() <= POSE_LIMIT + 1

    @settings(max_examples=25, deadline=None)
    @given(
        centre=st.tuples(*[st.floats(-20, 20)] * 3),
        dimensions=st.tuples(*[st.floats(0, 5)] * 3),
        yaw=st.floats(-4, 4),
    )
    def test_any_box_has_finite_numbers(
        self,
        studio: Studio,
        centre: tuple[float, float, float],
        dimensions: tuple[float, float, float],
        yaw: float,
    ) -> None:
        poses, _ = poses_of(studio.frame({0: box_matrix(centre, dimensions, yaw)}))
        assert np.isfinite(poses).all()
        assert np.abs(poses).max() <= POSE_LIMIT + 1

    def test_a_camera_anywhere_has_a_bounded_pose(self, studio: Studio) -> None:
        matrix = studio.camera.world_from_camera.copy()
        matrix[:3, 3] += (1e4, -1e4, 1e4)
        away = Camera(matrix, studio.camera.fx, studio.camera.fy)
        background = poses_of(studio.frame(camera=away))[1]
        assert np.abs(background).max() <= POSE_LIMIT
