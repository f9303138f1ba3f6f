"""The nearest boxes along a camera's rays, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from na_core.raster.boxmap import box_map, eyes, through_box
from na_core.scene import Camera
from na_core.tensors.cameras import cameras_of


@dataclass(frozen=True)
class NearestBoxes:
    """What each pixel's ray hits first.

    Attributes:
        index: (H, W) int64, -1 for none.
        local: (H, W, 3), where, in the box's coordinates in [-1, 1]; 0 for none.
        depth, far: (H, W) metres along the viewing direction where the ray hits and leaves the box; infinite
            for none.
    """

    index: NDArray[np.int64]
    local: NDArray[np.float32]
    depth: NDArray[np.float32]
    far: NDArray[np.float32]


def nearest_boxes(
    camera: Camera, boxes: Sequence[NDArray[np.float64]], width: int, height: int
) -> NearestBoxes:
    """Return what rays through pixels' centres hit of boxes (world_from_box); the camera is outside them."""
    cameras = cameras_of([camera])
    matrices = torch.from_numpy(np.array([*boxes, np.eye(4)]))[None]
    filled = torch.arange(len(boxes) + 1)[None] < len(boxes)
    found = box_map(cameras, matrices, filled, width, height)
    hits = found.hits[0]
    eye = eyes(cameras, matrices, hits)
    start, end, _ = through_box(eye, hits)
    far = hits.depth * (end - eye).norm(dim=0) / (start - eye).norm(dim=0)
    planes = torch.zeros((5, 1, height, width))
    planes[3:] = torch.inf
    for plane, values in zip(planes, (*hits.local, hits.depth, far), strict=True):
        hits.pixels.put(values, plane)
    arrays = planes[:, 0].numpy()
    return NearestBoxes(found.index[0, 0].long().numpy(), arrays[:3].transpose(1, 2, 0), *arrays[3:])
