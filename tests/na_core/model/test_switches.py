"""A condition that is switched off is not seen: in rendering and in training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.model.switches import seen_passes, seen_poses, seen_spatial, seen_tokens
from na_core.scene import Frame, Sampling
from na_core.tensors.views import source_views
from tests.na_core.studio import Studio, batch_of

Make = Callable[..., NeuralAssetsPipeline]


def switches(**off: bool) -> SimpleNamespace:
    names = "box_map", "proxy", "source_pose", "tokens", "passes"
    return SimpleNamespace(**{**dict.fromkeys(names, True), **off})


def conditions() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = (2, 4, 8, 8), (2, 11, 8, 8), (2, 3, 24)
    proxy, maps, poses = (torch.rand(shape, generator=generator) + 0.1 for shape in shapes)
    return proxy, maps, poses


def test_everything_is_seen_unless_switched_off() -> None:
    proxy, maps, poses = conditions()
    seen, seen_maps = seen_spatial(switches(), proxy, maps)
    assert torch.equal(seen, proxy) and torch.equal(seen_maps, maps)
    assert torch.equal(seen_poses(switches(), poses), poses)
    assert torch.equal(seen_tokens(switches(), poses), poses)
    assert torch.equal(seen_passes(switches(), maps), maps)


def test_each_hides_its_own() -> None:
    proxy, maps, poses = conditions()
    before = maps.clone(), poses.clone()
    seen, seen_maps = seen_spatial(switches(box_map=False), proxy, maps)
    assert torch.equal(seen, proxy)
    assert not seen_maps[:, :10].any()
    assert torch.equal(seen_maps[:, 10], maps[:, 10])
    seen, seen_maps = seen_spatial(switches(proxy=False), proxy, maps)
    assert not seen.any() and not seen_maps[:, 10].any()
    assert torch.equal(seen_maps[:, :10], maps[:, :10])
    hidden = seen_poses(switches(source_pose=False), poses)
    assert not hidden[..., :12].any()
    assert torch.equal(hidden[..., 12:], poses[..., 12:])
    assert not seen_tokens(switches(tokens=False), poses).any()
    assert not seen_passes(switches(passes=False), maps).any()
    assert torch.equal(maps, before[0]) and torch.equal(poses, before[1])


def test_the_papers_poses_have_no_source() -> None:
    target = conditions()[2][..., :12]
    assert torch.equal(seen_poses(switches(source_pose=False), target), target)


@pytest.mark.parametrize("switch", ["box_map", "proxy", "source_pose", "tokens"])
def test_a_pipeline_sees_less(switch: str, tiny: Make, studio: Studio, moved_frame: Frame) -> None:
    pipeline = tiny()
    pipeline.register_to_config(residual=False, detail_transfer=False)
    sampling = Sampling(1, 1.0, 0, "custom", 64, 64)
    with torch.no_grad():
        whole = pipeline([moved_frame], studio.photos, sampling).images
        pipeline.register_to_config(**{switch: False})
        less = pipeline([moved_frame], studio.photos, sampling).images
    assert np.abs(whole.astype(int) - less).max() > 0


@pytest.mark.parametrize("switch", ["box_map", "source_pose", "tokens", "passes", "blend_mask"])
def test_a_decoder_of_pixels_sees_less(switch: str, tiny: Make, studio: Studio, moved_frame: Frame) -> None:
    pipeline = tiny(pixels=True)
    sampling = Sampling(1, 1.0, 0, "custom", 64, 64)
    whole = pipeline([moved_frame], studio.photos, sampling).images
    pipeline.register_to_config(**{switch: False})
    less = pipeline([moved_frame], studio.photos, sampling).images
    assert np.abs(whole.astype(int) - less).max() > 0


def test_without_the_source_pose_it_plays_no_part(tiny: Make, studio: Studio, moved_frame: Frame) -> None:
    pipeline = tiny()
    pipeline.register_to_config(source_pose=False)
    computed: list[torch.Tensor] = []
    placed = moved_frame.assets[0]
    for camera in (studio.camera, replace(studio.camera, fx=studio.camera.fx * 1.1)):
        asset = replace(placed.asset, source_camera=camera)
        frame = replace(moved_frame, assets=(replace(placed, asset=asset),))
        tokens = pipeline.tokens.of(source_views(frame), studio.photos, batch_of(frame))
        computed.append(tokens.values)
    assert torch.equal(*computed)
    pipeline.register_to_config(source_pose=True)
    tokens = pipeline.tokens.of(source_views(frame), studio.photos, batch_of(frame))
    assert not torch.equal(tokens.values, computed[0])
