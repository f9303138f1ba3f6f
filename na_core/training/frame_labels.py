"""The labels of many scenes as plain tensors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from na_core.data.pairs import SEEN
from na_core.data.scenes import Scene
from na_core.model.batched.cameras import Cameras
from na_core.model.batched.labelled import LabelledFrames
from na_core.model.relief_network import Views


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
    cameras = [frame.camera for frame in frames]
    return LabelledFrames(
        pictures=pictures,
        camera=Cameras(
            torch.from_numpy(np.stack([camera.world_from_camera for camera in cameras])),
            torch.tensor([(c.fx, c.fy, c.cx, c.cy) for c in cameras], dtype=torch.float64),
        ),
        boxes=torch.from_numpy(boxes),
        there=torch.from_numpy(there),
        rectangles=torch.from_numpy(rectangles),
        seen=torch.from_numpy(seen),
    )


def photo_views(labels: LabelledFrames, rows: Tensor) -> Views:
    """Return labelled frames by number as photos with all their boxes."""
    return Views(
        pictures=labels.pictures[rows.to(labels.pictures.device)],
        camera=labels.camera[rows],
        boxes=labels.boxes[rows],
        rectangles=labels.rectangles[rows],
        known=labels.there[rows],
        filled=labels.there[rows],
    )
