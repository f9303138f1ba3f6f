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

from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.model.batched import augment
from na_core.model.batched.boxes import bounds_2d
from na_core.model.batched.cameras import affine_inverse
from na_core.model.batched.conditioning import conditions, object_pictures
from na_core.model.batched.frames import FrameBatch
from na_core.model.batched.proxy import proxy_pictures
from na_core.scene import Box

Stage = Any  # of conftest
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


@pytest.fixture
def frames(several: Stage) -> FrameBatch:
    return several.batch()


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
    def test_leaves_finite_conditions(self, change: Change, frames: FrameBatch) -> None:
        found = conditions(change(frames, seeded(), 1.0), factor=8, guided=True)
        assert all(torch.isfinite(t).all() for t in (found.poses, found.map_channels, found.proxy.picture))

    @pytest.mark.parametrize("change", [augment.drop_proxies, augment.blur_proxies])
    def test_proxies_too(self, change: Callable[..., Any], frames: FrameBatch) -> None:
        proxy = proxy_pictures(frames)
        assert same(change(proxy, seeded(), 0.0), proxy)
        assert same(change(proxy, seeded(5), 0.5), change(proxy, seeded(5), 0.5))


class TestJitter:
    def test_the_relation_between_source_and_target_stays(self, frames: FrameBatch) -> None:
        changed = augment.jitter_boxes(frames, seeded(), 1.0)
        assert not torch.allclose(changed.source_boxes, frames.source_boxes)
        before = frames.boxes @ affine_inverse(frames.source_boxes)[0]
        after = changed.boxes @ affine_inverse(changed.source_boxes)[0]
        np.testing.assert_allclose(after[frames.present], before[frames.present], atol=1e-9)

    def test_what_stood_still_stands_still(self, make_frame: Callable[..., Stage]) -> None:
        frames = make_frame(2, still=True).batch()
        changed = augment.jitter_boxes(frames, seeded(), 1.0)
        np.testing.assert_allclose(changed.boxes, changed.source_boxes, atol=1e-12)
        assert proxy_pictures(changed).validity.float().mean() > 0.99

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
    def with_yaw(self, stage: Stage, yaw: float) -> FrameBatch:
        """Put the only asset straight before the camera, turned by ``yaw``."""
        frame = stage.frames[0]
        box = Box(box_matrix((0, 4, 0.5), (0.7, 0.5, 0.8), yaw))
        camera = camera_of_photo(80, 80, 64, 1.5, 0.3)
        asset = frame.assets[0].asset
        asset = dataclasses.replace(asset, source_box=box, source_camera=camera, quarter_turns=0)
        behind = dataclasses.replace(frame.background, source_camera=camera, hidden_boxes=(box,))
        placed = dataclasses.replace(frame.assets[0], asset=asset)
        changed = dataclasses.replace(frame, assets=(placed,), background=behind)
        return dataclasses.replace(stage, frames=(changed,)).batch()

    @pytest.mark.parametrize(("yaw", "other"), [(44, 3), (36, 3), (-44, 1), (-36, 1)])
    def test_near_the_switch_the_other_label_is_taken(
        self, yaw: float, other: int, make_frame: Callable[..., Stage]
    ) -> None:
        frames = self.with_yaw(make_frame(2, still=True), math.radians(yaw))
        assert augment.relabel_corners(frames, seeded(), 1.0).quarter_turns.tolist() == [[other]]

    @pytest.mark.parametrize("yaw", [0, 20, -30, 34])
    def test_far_from_it_the_label_stays(self, yaw: float, make_frame: Callable[..., Stage]) -> None:
        frames = self.with_yaw(make_frame(2, still=True), math.radians(yaw))
        assert augment.relabel_corners(frames, seeded(), 1.0).quarter_turns.tolist() == [[0]]

    def test_pictures_do_not_change(self, make_frame: Callable[..., Stage]) -> None:
        frames = self.with_yaw(make_frame(2, still=True), math.radians(44))
        changed = augment.relabel_corners(frames, seeded(), 1.0)
        one, other = conditions(frames, factor=8, guided=True), conditions(changed, factor=8, guided=True)
        assert torch.equal(one.proxy.validity, other.proxy.validity)
        np.testing.assert_allclose(one.proxy.picture, other.proxy.picture, atol=2e-3)
        assert not torch.allclose(one.poses, other.poses)


class TestDropping:
    def test_only_unseen_objects_go_and_stay_hidden(self, frames: FrameBatch) -> None:
        unseen = bounds_2d(frames.camera, frames.boxes).sum(-1) == 0
        unseen[:, 0] = True
        changed = augment.drop_objects(frames, seeded(), 1.0, unseen)
        assert torch.equal(changed.present, frames.present & ~unseen)
        assert torch.equal(changed.hidden, frames.hidden)

    def test_is_what_a_frame_without_the_asset_gives(self, several: Stage) -> None:
        frames = several.batch()
        first = torch.zeros_like(frames.present)
        first[:, 0] = True
        found = proxy_pictures(augment.drop_objects(frames, seeded(), 1.0, first))
        without = tuple(dataclasses.replace(f, assets=f.assets[1:]) for f in several.frames)
        expected = proxy_pictures(dataclasses.replace(several, frames=without).batch())
        assert torch.equal(found.validity, expected.validity)
        np.testing.assert_allclose(found.picture, expected.picture, atol=1e-5)


class TestMasking:
    def test_masked_objects_are_nowhere_shown(self, frames: FrameBatch) -> None:
        changed = augment.mask_sources(frames, seeded(), 1.0)
        found = conditions(changed, factor=8, guided=True)
        assert not found.rectangles.any()
        assert not found.poses[..., :12].any()
        assert found.poses[..., 12:].any()
        assert (object_pictures(changed) == 0.5).all()
        on_assets = found.proxy.boxes.index >= 0
        grey = (found.proxy.picture == 0.5).all(dim=1)
        assert not (found.proxy.validity & on_assets & grey).any()
        assert (grey & on_assets).sum() > 100

    def test_assets_of_one_object_are_masked_together(self, make_frame: Callable[..., Stage]) -> None:
        stage = make_frame(2, still=True)
        frame = stage.frames[0]
        twice = dataclasses.replace(frame, assets=(*frame.assets, *frame.assets))
        frames = dataclasses.replace(stage, frames=(twice,)).batch()
        for seed in range(5):
            shown = augment.mask_sources(frames, seeded(seed), 0.5).shown[0]
            assert torch.equal(*shown.chunk(2))


class TestProxies:
    def test_a_dropped_proxy_is_grey_and_nowhere_valid(self, frames: FrameBatch) -> None:
        found = augment.drop_proxies(proxy_pictures(frames), seeded(), 1.0)
        assert (found.picture == 0.5).all()
        assert not found.validity.any()
        assert found.shift.isinf().all()

    def test_a_blurred_proxy_has_less_detail_and_the_same_colours(self, frames: FrameBatch) -> None:
        proxy = proxy_pictures(frames)
        found = augment.blur_proxies(proxy, seeded(), 1.0)
        detail, less = (p.picture.diff(dim=-1).abs().mean() for p in (proxy, found))
        assert less < 0.9 * detail
        np.testing.assert_allclose(found.picture.mean(), proxy.picture.mean(), atol=0.01)
