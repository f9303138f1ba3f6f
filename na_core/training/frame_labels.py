"""The labels of many scenes as plain tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from na_core.data.pairs import SEEN
from na_core.data.scenes import Scene
from na_core.tensors.cameras import cameras_of
from na_core.tensors.views import SourceViews
from na_core.training.labelled import LabelledFrames


def labelled_frames(scenes: Sequence[Scene], pictures: Tensor, slots: int = 1) -> LabelledFrames:
    """Return the frames of scenes in order, with their labels on the CPU.

    Args:
        scenes: at least one.
        pictures: (M, H, W, 3) uint8, of all their frames in order; on any device.
        slots: at least so many for objects; more if a scene has more.
    """
    frames = [frame for scene in scenes for frame in scene.labels.frames]
    count = max(slots, *(len(scene.labels.objects) for scene in scenes))
    boxes = np.tile(np.eye(4), (len(frames), count, 1, 1))
    rectangles = np.zeros((len(frames), count, 4))
    there, seen = (np.zeros((len(frames), count), bool) for _ in range(2))
    for row, frame in enumerate(frames):
        for slot, box in enumerate(frame.boxes):
            if box is not None:
                boxes[row, slot], there[row, slot] = box.world_from_box, True
        rectangles[row, : len(frame.boxes_2d)] = frame.boxes_2d
        seen[row, : len(frame.visible)] = np.array(frame.visible) >= SEEN
    return LabelledFrames(
        pictures=pictures,
        camera=cameras_of([frame.camera for frame in frames]),
        boxes=torch.from_numpy(boxes),
        there=torch.from_numpy(there),
        rectangles=torch.from_numpy(rectangles),
        seen=torch.from_numpy(seen),
    )


def photo_views(labels: LabelledFrames, rows: Tensor) -> SourceViews:
    """Return labelled frames by number as photos with all their boxes, which are hidden from them."""
    return SourceViews(
        pictures=labels.pictures[rows.to(labels.pictures.device)],
        camera=labels.camera[rows],
        boxes=labels.boxes[rows],
        rectangles=labels.rectangles[rows],
        known=labels.there[rows],
        filled=labels.there[rows],
        hidden=labels.there[rows],
    )
