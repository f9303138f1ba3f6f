"""Pairs from label tensors are the pairs that messages describe."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from na_core.data.pairs import SEEN, Pair, frame_message
from na_core.data.scenes import Scene, scenes
from na_core.model.batched.cameras import Cameras
from na_core.model.batched.conditioning import conditions
from na_core.model.batched.frames import frame_batch
from na_core.model.batched.labelled import LabelledFrames, pair_frames
from na_core.scene import Camera

ToCameras = Callable[[Sequence[Camera]], Cameras]


def labelled(scene: Scene, to_cameras: ToCameras) -> LabelledFrames:
    frames = scene.labels.frames
    boxes = [[np.eye(4) if box is None else box.world_from_box for box in frame.boxes] for frame in frames]
    return LabelledFrames(
        pictures=torch.from_numpy(np.stack([scene.picture(i) for i in range(len(frames))])),
        camera=to_cameras([frame.camera for frame in frames]),
        boxes=torch.from_numpy(np.array(boxes)),
        there=torch.tensor([[box is not None for box in frame.boxes] for frame in frames]),
        rectangles=torch.tensor([frame.boxes_2d for frame in frames], dtype=torch.float64),
        seen=torch.tensor([frame.visible for frame in frames]) >= SEEN,
    )


def test_pairs_of_all_kinds(painted_scenes: Path, to_cameras: ToCameras) -> None:
    scene = next(iter(scenes(painted_scenes)))
    pairs = [Pair(0, 1, 0), Pair(0, 2, 0), Pair(1, 2, 0), Pair(1, 0, 0, donor=2), Pair(2, 1, 2, donor=0)]
    labels = labelled(scene, to_cameras)
    seen = labels.seen.clone()
    found = conditions(
        pair_frames(
            labels,
            torch.tensor([pair.source for pair in pairs]),
            torch.tensor([pair.target for pair in pairs]),
            torch.tensor([pair.background for pair in pairs]),
            torch.tensor([-1 if pair.donor is None else pair.donor for pair in pairs]),
        ),
        factor=8,
        guided=True,
    )
    assert torch.equal(seen, labels.seen)
    messages = [frame_message(scene, pair) for pair in pairs]
    for row, (frame, photos) in enumerate(messages):
        batch = frame_batch([frame], photos, labels.pictures)
        expected = conditions(batch, factor=8, guided=True)
        filled = found.filled[row]
        assert filled.sum() == len(frame.assets)
        np.testing.assert_allclose(found.poses[row, filled], expected.poses[0], atol=1e-6)
        np.testing.assert_allclose(found.rectangles[row, filled], expected.rectangles[0], atol=1e-6)
        np.testing.assert_allclose(found.map_channels[row], expected.map_channels[0], atol=1e-4)
        np.testing.assert_allclose(found.proxy.picture[row], expected.proxy.picture[0], atol=2e-3)
        assert torch.equal(found.proxy.validity[row], expected.proxy.validity[0])


def test_an_object_that_the_source_does_not_show_comes_from_the_donor(
    painted_scenes: Path, to_cameras: ToCameras
) -> None:
    labels = labelled(next(iter(scenes(painted_scenes))), to_cameras)
    labels.seen[0, 0] = False
    one, two = torch.tensor([0]), torch.tensor([2])
    frames = pair_frames(labels, one, torch.tensor([1]), one, two)
    assert frames.photo[0, frames.asset_view[0]].tolist() == [2, 0]
    without = pair_frames(labels, one, torch.tensor([1]), one, torch.tensor([-1]))
    assert without.photo[0, without.asset_view[0]].tolist() == [0, 0]
    both = pair_frames(labels, one, torch.tensor([1]), two, two)
    assert both.asset_view[0].tolist() == [0, 1], "the donor is the background's photo: one view"
