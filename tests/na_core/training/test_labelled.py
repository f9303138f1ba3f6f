"""Pairs from label tensors are the pairs that messages describe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from na_core.compose.compose import compose
from na_core.data.pairs import Pair, frame_message
from na_core.data.scenes import Scene, scenes
from na_core.layers.layers import stacked
from na_core.layers.take_apart import take_apart
from na_core.model.box_channels import box_channels
from na_core.model.poses import frame_poses
from na_core.tensors.frames import frame_batch
from na_core.tensors.views import source_views, views_as_tensors
from na_core.training.labelled import LabelledFrames, labelled_frames, pair_frames, photo_views

PAIRS = [Pair(0, 1, 0), Pair(0, 2, 0), Pair(1, 2, 0), Pair(1, 0, 0, donor=2), Pair(2, 1, 2, donor=0)]


@pytest.fixture(scope="module")
def scene(painted_scenes: Path) -> Scene:
    return next(iter(scenes(painted_scenes)))


@pytest.fixture
def labels(scene: Scene) -> LabelledFrames:
    pictures = [scene.picture(number) for number in range(len(scene.labels.frames))]
    return labelled_frames([scene], torch.from_numpy(np.stack(pictures)), slots=4)


def test_pairs_of_all_kinds(scene: Scene, labels: LabelledFrames) -> None:
    columns = [(p.source, p.target, p.background, -1 if p.donor is None else p.donor) for p in PAIRS]
    frames = pair_frames(labels, *torch.tensor(columns).unbind(1))
    height, width = labels.pictures.shape[1:3]
    layers = take_apart(photo_views(labels, torch.arange(len(labels.pictures))))
    passes = compose(layers, frames, width, height)
    poses, backgrounds = frame_poses(frames, guided=True)
    channels = box_channels(frames, passes, 8, guided=True)
    for row, pair in enumerate(PAIRS):
        message, numbers = frame_message(scene, pair)
        views = source_views(message)
        used = frame_batch([message])
        parts = [take_apart(views_as_tensors([v], labels.pictures[[numbers[v.sha256]]])) for v in views]
        expected = compose(stacked(parts), used, width, height)
        filled = frames.present[row]
        assert filled.sum() == len(message.assets)
        own_poses, own_background = frame_poses(used, guided=True)
        torch.testing.assert_close(poses[row, filled], own_poses[0], atol=1e-6, rtol=0)
        torch.testing.assert_close(backgrounds[row], own_background[0], atol=1e-6, rtol=0)
        torch.testing.assert_close(frames.source_rectangles[row, filled], used.source_rectangles[0])
        own_channels = box_channels(used, expected, 8, guided=True)
        torch.testing.assert_close(channels[row], own_channels[0], atol=1e-6, rtol=0)
        torch.testing.assert_close(passes.proxy[row], expected.proxy[0], atol=1e-6, rtol=0)
        assert torch.equal(passes.validity[row], expected.validity[0])


def test_slots_without_an_object_are_empty(labels: LabelledFrames) -> None:
    assert labels.there.shape == (3, 4)
    assert labels.there[:, :2].all()
    assert not labels.there[:, 2:].any()
    assert not labels.seen[:, 2:].any()
    assert not photo_views(labels, torch.tensor([2, 0])).filled[:, 2:].any()


def test_an_object_that_the_source_does_not_show_comes_from_the_donor(labels: LabelledFrames) -> None:
    labels.seen[0, 0] = False
    one, two, none = torch.tensor([0]), torch.tensor([2]), torch.tensor([-1])

    def shown_in(background: torch.Tensor, donor: torch.Tensor) -> list[int]:
        frames = pair_frames(labels, one, torch.tensor([1]), background, donor)
        return frames.asset_photo[frames.present].tolist()

    assert shown_in(one, two) == [2, 0]
    assert shown_in(one, none) == [0, 0]
    frames = pair_frames(labels, one, torch.tensor([1]), two, two)
    assert frames.asset_view[frames.present].tolist() == [
        0,
        1,
    ]  # the donor is the background's photo: one view
