"""Augmentation changes what it says, alike for the same generator, and nothing at probability 0."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from na_core.compose.compose import compose
from na_core.compose.passes import Passes
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.model.box_channels import box_channels
from na_core.model.encoder import object_pictures
from na_core.model.poses import frame_poses
from na_core.scene import Box
from na_core.tensors.boxes import bounds_2d
from na_core.tensors.cameras import affine_inverse
from na_core.tensors.frames import FrameBatch, frame_batch
from na_core.tensors.views import source_views
from na_core.training import frame_augmentation as augment
from tests.na_core.stage import Stage, random_frame, together

WIDTH, HEIGHT = 80, 64

Change = Callable[[FrameBatch, torch.Generator, float], FrameBatch]


def everything_unseen(frames: FrameBatch, generator: torch.Generator, probability: float) -> FrameBatch:
    return augment.drop_objects(frames, generator, probability, torch.ones_like(frames.present))


CHANGES: list[Change] = [
    augment.jitter_boxes,
    augment.relabel_corners,
    everything_unseen,
    augment.mask_sources,
]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def tensors(value: object) -> list[Tensor]:
    """List the tensors in a dataclass, or in the dataclasses that it holds."""
    if isinstance(value, Tensor):
        return [value]
    if not dataclasses.is_dataclass(value):
        return []
    return [t for f in dataclasses.fields(value) for t in tensors(getattr(value, f.name))]


def same(one: object, other: object) -> bool:
    return all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(other), strict=True))


def composed(stage: Stage, frames: FrameBatch) -> Passes:
    """Compose changed frames of a stage."""
    return compose(stage.layers, frames, WIDTH, HEIGHT)


@pytest.fixture(scope="module")
def several() -> Stage:
    """Return eight frames that share a batch: every kind of change is among them."""
    return together([random_frame(seed) for seed in range(8)])


@pytest.fixture(scope="module")
def frames(several: Stage) -> FrameBatch:
    return several.batch()


@pytest.fixture(scope="module")
def still() -> Stage:
    """Return a frame in which nothing has moved."""
    return random_frame(2, still=True)


class TestEveryChange:
    @pytest.mark.parametrize("change", CHANGES)
    def test_is_the_identity_at_probability_0(self, change: Change, frames: FrameBatch) -> None:
        assert same(change(frames, seeded(), 0.0), frames)

    @pytest.mark.parametrize("change", CHANGES)
    def test_is_its_generators(self, change: Change, frames: FrameBatch) -> None:
        assert same(change(frames, seeded(3), 0.5), change(frames, seeded(3), 0.5))

    @pytest.mark.parametrize("change", CHANGES)
    def test_draws_as_many_numbers_whatever_the_probability(self, change: Change, frames: FrameBatch) -> None:
        one, other = seeded(), seeded()
        change(frames, one, 0.0)
        change(frames, other, 1.0)
        assert torch.equal(one.get_state(), other.get_state())

    @pytest.mark.parametrize("change", CHANGES)
    def test_leaves_finite_conditions(self, change: Change, several: Stage, frames: FrameBatch) -> None:
        changed = change(frames, seeded(), 1.0)
        passes = composed(several, changed)
        found = (
            passes.proxy,
            box_channels(changed, passes, 8, guided=True),
            *frame_poses(changed, guided=True),
        )
        assert all(values.isfinite().all() for values in found)

    @pytest.mark.parametrize("change", [augment.drop_proxies, augment.blur_proxies])
    def test_proxies_too(self, change: Callable[..., Any], several: Stage) -> None:
        passes = several.passes()
        assert same(change(passes, seeded(), 0.0), passes)
        assert same(change(passes, seeded(5), 0.5), change(passes, seeded(5), 0.5))


class TestJitter:
    def test_the_relation_between_source_and_target_stays(self, frames: FrameBatch) -> None:
        changed = augment.jitter_boxes(frames, seeded(), 1.0)
        assert not torch.allclose(changed.source_boxes, frames.source_boxes)
        before = frames.boxes @ affine_inverse(frames.source_boxes)[0]
        after = changed.boxes @ affine_inverse(changed.source_boxes)[0]
        np.testing.assert_allclose(after[frames.present], before[frames.present], atol=1e-9)

    def test_what_stood_still_stands_still(self, still: Stage) -> None:
        changed = augment.jitter_boxes(still.batch(), seeded(), 1.0)
        np.testing.assert_allclose(changed.boxes, changed.source_boxes, atol=1e-12)

    def test_errors_are_a_detectors(self, frames: FrameBatch) -> None:
        changed = augment.jitter_boxes(frames, seeded(), 1.0)
        there = frames.view_filled
        old, new = frames.view_boxes[there], changed.view_boxes[there]
        ratio = new[:, :3, :3].norm(dim=1) / old[:, :3, :3].norm(dim=1)
        assert ratio.min() >= 0.9 - 1e-9
        assert ratio.max() <= 1.1 + 1e-9
        assert ratio.std() > 0.03
        x, y = (boxes[:, :3, 0] / boxes[:, :3, 0].norm(dim=1, keepdim=True) for boxes in (old, new))
        angle = torch.rad2deg(torch.acos((x * y).sum(1).clamp(-1, 1)))
        assert 1 < angle.max() <= 5 + 1e-6
        eye = frames.view_camera.world_from_camera[..., None, :3, 3].expand(*there.shape, 3)[there]
        step = (new[:, :3, 3] - old[:, :3, 3]).abs() / (old[:, :3, 3] - eye).norm(dim=1, keepdim=True)
        assert 0.01 < step.max() <= 0.03

    def test_only_some_boxes_at_a_lower_probability(self, frames: FrameBatch) -> None:
        changed = augment.jitter_boxes(frames, seeded(), 0.5)
        differs = (changed.view_boxes != frames.view_boxes).flatten(-2).any(-1)
        assert 0.2 < differs.float().mean() < 0.8


class TestRelabelling:
    def with_yaw(self, stage: Stage, yaw: float) -> Stage:
        """Put the only asset straight before the camera, turned by ``yaw``."""
        frame = stage.frames[0]
        box = Box(box_matrix((0, 4, 0.5), (0.7, 0.5, 0.8), yaw))
        camera = camera_of_photo(80, 80, 64, 1.5, 0.3)
        asset = frame.assets[0].asset
        asset = dataclasses.replace(asset, source_box=box, source_camera=camera, quarter_turns=0)
        behind = dataclasses.replace(frame.background, source_camera=camera, hidden_boxes=(box,))
        placed = dataclasses.replace(frame.assets[0], asset=asset)
        changed = dataclasses.replace(frame, assets=(placed,), background=behind)
        return stage.of(changed)

    @pytest.mark.parametrize(("yaw", "other"), [(44, 3), (36, 3), (-44, 1), (-36, 1)])
    def test_near_the_switch_the_other_label_is_taken(self, yaw: float, other: int, still: Stage) -> None:
        frames = self.with_yaw(still, math.radians(yaw)).batch()
        assert augment.relabel_corners(frames, seeded(), 1.0).quarter_turns.tolist() == [[other]]

    @pytest.mark.parametrize("yaw", [0, 20, -30, 34])
    def test_far_from_it_the_label_stays(self, yaw: float, still: Stage) -> None:
        frames = self.with_yaw(still, math.radians(yaw)).batch()
        assert augment.relabel_corners(frames, seeded(), 1.0).quarter_turns.tolist() == [[0]]

    def test_pictures_do_not_change(self, still: Stage) -> None:
        stage = self.with_yaw(still, math.radians(44))
        frames = stage.batch()
        changed = augment.relabel_corners(frames, seeded(), 1.0)
        one, other = composed(stage, frames), composed(stage, changed)
        assert torch.equal(one.validity, other.validity)
        np.testing.assert_allclose(one.proxy, other.proxy, atol=2e-3)
        (poses, _), (other_poses, _) = frame_poses(frames, guided=True), frame_poses(changed, guided=True)
        assert not torch.allclose(poses, other_poses)


class TestDropping:
    def test_only_unseen_objects_go_and_stay_hidden(self, frames: FrameBatch) -> None:
        unseen = bounds_2d(frames.camera, frames.boxes).sum(-1) == 0
        unseen[:, 0] = True
        changed = augment.drop_objects(frames, seeded(), 1.0, unseen)
        assert torch.equal(changed.present, frames.present & ~unseen)
        assert torch.equal(changed.hidden, frames.hidden)

    def test_is_what_a_frame_without_the_asset_gives(self, several: Stage, frames: FrameBatch) -> None:
        first = torch.zeros_like(frames.present)
        first[:, 0] = frames.present[:, 0] & (frames.asset_view[:, 0] == 0)
        assert first.sum() > 3
        found = composed(several, augment.drop_objects(frames, seeded(), 1.0, first))
        without = [
            dataclasses.replace(frame, assets=frame.assets[int(drops) :])
            for frame, drops in zip(several.frames, first[:, 0], strict=True)
        ]
        # The same layers, though a message names no 2D box of an object that has left.
        numbers = {view.sha256: number for view, number in several.views.items()}
        views = dict.fromkeys(view for frame in without for view in source_views(frame))
        photos = torch.tensor([numbers[view.sha256] for view in views])
        batch = frame_batch(without)
        expected = composed(several, dataclasses.replace(batch, photo=photos[batch.photo]))
        assert torch.equal(found.validity, expected.validity)
        np.testing.assert_allclose(found.proxy, expected.proxy, atol=1e-5)


class TestMasking:
    def test_masked_objects_are_nowhere_shown(self, several: Stage, frames: FrameBatch) -> None:
        changed = augment.mask_sources(frames, seeded(), 1.0)
        poses, _ = frame_poses(changed, guided=True)
        assert not changed.source_rectangles.any()
        assert not poses[..., :12].any()
        assert poses[..., 12:].any()
        assert (object_pictures(changed, several.layers.picture) == 0.5).all()
        found = composed(several, changed)
        on_assets = found.boxes.index[0] >= 0
        assert not found.validity[on_assets].any()
        assert (found.proxy.movedim(1, -1)[on_assets] - 0.5).abs().mean() < 0.02  # but for softened seams
        assert on_assets.sum() > 100

    def test_assets_of_one_object_are_masked_together(self, still: Stage) -> None:
        frame = still.frames[0]
        frames = still.of(dataclasses.replace(frame, assets=(*frame.assets, *frame.assets))).batch()
        for seed in range(5):
            shown = augment.mask_sources(frames, seeded(seed), 0.5).shown[0]
            assert torch.equal(*shown.chunk(2))


class TestProxies:
    def test_a_dropped_proxy_is_grey_and_nowhere_valid(self, several: Stage) -> None:
        found = augment.drop_proxies(several.passes(), seeded(), 1.0)
        assert (found.proxy == 0.5).all()
        assert not found.validity.any()
        assert found.shift.isinf().all()

    def test_a_blurred_proxy_has_less_detail_and_the_same_colours(self, several: Stage) -> None:
        passes = several.passes()
        found = augment.blur_proxies(passes, seeded(), 1.0)
        detail, less = (of.proxy.diff(dim=-1).abs().mean() for of in (passes, found))
        assert less < 0.9 * detail
        np.testing.assert_allclose(found.proxy.mean(), passes.proxy.mean(), atol=0.01)
        assert torch.equal(found.validity, passes.validity)
