"""What the UNet sees of boxes: means over latent cells of what rays hit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from na_core.geometry.boxes import box_matrix, quarter_turn
from na_core.model.box_channels import (
    BOX_CHANNELS,
    COVERAGE,
    VALIDITY,
    box_channels,
    spatial_channels,
)
from na_core.model.poses import POSE_LIMIT, scene_scale
from na_core.scene import Background, Box, Frame, PlacedAsset
from tests.na_core.reference import nearest_boxes
from tests.na_core.same_frames import redetected, scaled_frame
from tests.na_core.studio import Studio, composed

SIDE, FACTOR = 64, 8
LOCAL, NEAR, SECOND = slice(1, 4), 4, slice(5, 10)


def channels_of(frame: Frame, studio: Studio, guided: bool = True) -> Tensor:
    batch, _, passes = composed(frame, studio.photos, SIDE, SIDE)
    return box_channels(batch, passes, FACTOR, guided)[0]


def cells(plane: np.ndarray) -> np.ndarray:
    """Return the means (h, w, ...) of what (H, W, ...) shows in every latent cell."""
    rows, columns = plane.shape[0] // FACTOR, plane.shape[1] // FACTOR
    return plane.reshape(rows, FACTOR, columns, FACTOR, *plane.shape[2:]).mean(axis=(1, 3))


def boxes_of(frame: Frame) -> list[np.ndarray]:
    return [p.box.world_from_box @ quarter_turn(p.asset.quarter_turns) for p in frame.assets]


class TestMeaning:
    def test_there_are_eleven_beside_the_proxys_latents(self, studio: Studio, moved_frame: Frame) -> None:
        channels = channels_of(moved_frame, studio)
        assert channels.shape == (BOX_CHANNELS, SIDE // FACTOR, SIDE // FACTOR)
        assert channels.dtype == torch.float32
        assert spatial_channels(4) == 4 + BOX_CHANNELS

    def test_coverage_is_the_share_of_a_cell_that_boxes_cover(
        self, studio: Studio, moved_frame: Frame
    ) -> None:
        seen = nearest_boxes(moved_frame.camera, boxes_of(moved_frame), SIDE, SIDE)
        found = channels_of(moved_frame, studio)[COVERAGE]
        np.testing.assert_allclose(found, cells(seen.index >= 0), atol=1e-6)

    def test_validity_is_the_share_of_a_cell_that_the_photo_showed(
        self, studio: Studio, moved_frame: Frame
    ) -> None:
        _, _, passes = composed(moved_frame, studio.photos, SIDE, SIDE)
        found = channels_of(moved_frame, studio)[VALIDITY]
        np.testing.assert_allclose(found, cells(passes.validity[0].numpy()), atol=1e-6)
        assert (channels_of(studio.frame(), studio)[VALIDITY] == 1).all()

    def test_local_coordinates_and_inverse_depth_are_means_of_the_hits(
        self, studio: Studio, moved_frame: Frame
    ) -> None:
        seen = nearest_boxes(moved_frame.camera, boxes_of(moved_frame), SIDE, SIDE)
        batch, _, passes = composed(moved_frame, studio.photos, SIDE, SIDE)
        found = box_channels(batch, passes, FACTOR, True)[0]
        np.testing.assert_allclose(found[LOCAL].movedim(0, -1), cells(seen.local), atol=1e-5)
        near = cells(float(scene_scale(batch)) / seen.depth)
        np.testing.assert_allclose(found[NEAR], near, atol=1e-5)

    def test_the_papers_inverse_depth_is_of_metres(self, studio: Studio, moved_frame: Frame) -> None:
        seen = nearest_boxes(moved_frame.camera, boxes_of(moved_frame), SIDE, SIDE)
        found = channels_of(moved_frame, studio, guided=False)
        np.testing.assert_allclose(found[NEAR], cells(1 / seen.depth), atol=1e-5)

    def test_the_second_box_is_told_as_if_it_stood_alone(self, studio: Studio) -> None:
        behind = box_matrix((-0.9, 6.0, 0.6), (1.5, 0.5, 1.2), yaw=0.2)
        frame = studio.frame({1: behind})
        matrices = boxes_of(frame)
        first, alone = (nearest_boxes(studio.camera, some, SIDE, SIDE) for some in (matrices, matrices[1:]))
        both = (first.index == 0) & (alone.index == 0)
        assert both.sum() > 50
        found = channels_of(frame, studio)[SECOND]
        np.testing.assert_allclose(found[0], cells(both), atol=1e-6)
        expected = cells(alone.local * both[..., None])
        np.testing.assert_allclose(found[1:4].movedim(0, -1), expected, atol=1e-5)

    def test_without_assets_they_are_zero_but_for_validity(self, studio: Studio) -> None:
        channels = channels_of(studio.frame({0: None, 1: None}), studio)
        assert not channels[:VALIDITY].any()
        assert channels[VALIDITY].min() < 0.5
        assert channels[VALIDITY].max() == 1


class TestRelations:
    @pytest.mark.parametrize("factor", [3.0, 0.1, 100.0])
    def test_scaling_the_whole_world_changes_nothing(
        self, factor: float, studio: Studio, moved_frame: Frame
    ) -> None:
        small, large = (
            channels_of(frame, studio) for frame in (moved_frame, scaled_frame(moved_frame, factor))
        )
        torch.testing.assert_close(small[:VALIDITY], large[:VALIDITY], atol=2e-4, rtol=0)
        # The photo's surfaces are held in steps of depth: a pixel on a rim may fall to either side.
        assert (small - large)[VALIDITY].abs().max() <= 2 / FACTOR**2

    @pytest.mark.parametrize("k", [1, 2, 3])
    def test_an_equivalent_detection_gives_the_same_channels(
        self, k: int, studio: Studio, moved_frame: Frame
    ) -> None:
        other = redetected(moved_frame, lambda box: Box(box.world_from_box @ quarter_turn(k)))
        one, two = (channels_of(frame, studio) for frame in (moved_frame, other))
        torch.testing.assert_close(one[:VALIDITY], two[:VALIDITY], atol=1e-5, rtol=0)
        assert (one - two)[VALIDITY].abs().max() <= 2 / FACTOR**2

    @pytest.mark.parametrize("k", range(4))
    def test_local_coordinates_are_those_of_the_relabelled_box(self, k: int, studio: Studio) -> None:
        asset = replace(studio.assets[0], quarter_turns=k)
        placed = (PlacedAsset(asset, asset.source_box),)
        frame = Frame(studio.camera, placed, Background(studio.name, studio.camera))
        box = asset.source_box.world_from_box @ quarter_turn(k)
        expected = cells(nearest_boxes(studio.camera, [box], SIDE, SIDE).local)
        np.testing.assert_allclose(channels_of(frame, studio)[LOCAL].movedim(0, -1), expected, atol=1e-5)

    def test_a_flip_of_the_target_alone_is_seen(self, studio: Studio) -> None:
        flipped = {0: studio.boxes[0] @ quarter_turn(2)}
        before, after = channels_of(studio.frame(), studio), channels_of(studio.frame(flipped), studio)
        assert (before - after)[LOCAL].abs().max() > 0.2
        assert torch.equal(before[COVERAGE], after[COVERAGE])


@settings(max_examples=15, deadline=None)
@given(
    centre=st.tuples(*[st.floats(-20, 20)] * 3),
    dimensions=st.tuples(*[st.floats(0, 5)] * 3),
    yaw=st.floats(-4, 4),
)
def test_any_box_has_bounded_channels(
    studio: Studio,
    centre: tuple[float, float, float],
    dimensions: tuple[float, float, float],
    yaw: float,
) -> None:
    channels = channels_of(studio.frame({0: box_matrix(centre, dimensions, yaw)}), studio)
    assert channels.isfinite().all()
    assert channels[[COVERAGE, 5, VALIDITY]].min() >= 0
    assert channels[[COVERAGE, 5, VALIDITY]].max() <= 1
    assert channels[[1, 2, 3, 6, 7, 8]].abs().max() <= 1
    assert channels[[NEAR, 9]].max() <= POSE_LIMIT
