"""Source photos with their cameras and known boxes: as a frame's message names them, and as tensors."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from na_core.scene import Box, Camera, Frame, Rectangle
from na_core.tensors.cameras import Cameras, cameras_of

WHOLE_PICTURE: Rectangle = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class SourceView:
    """A source photo with its camera and known boxes.

    Attributes:
        sha256: of the photo.
        camera: that took it.
        boxes: of objects in it: the background's hidden ones first, in their order, then other assets'.
        rectangles: the 2D box of each, None where unknown.
        hidden: how many boxes, from the first, are taken out of the background.
    """

    sha256: str
    camera: Camera
    boxes: tuple[Box, ...]
    rectangles: tuple[Rectangle | None, ...]
    hidden: int = 0


@dataclass(frozen=True)
class SourceViews:
    """M photos of one size, each of which shows up to K boxes.

    Attributes:
        pictures: (M, H, W, 3) uint8 sRGB.
        camera: (M,) that took them.
        boxes: (M, K, 4, 4) float64 ``world_from_box``.
        rectangles: (M, K, 4) float64, the objects' 2D boxes.
        known: (M, K) bool, which of the rectangles are known.
        filled: (M, K) bool, slots that hold a box.
        hidden: (M, K) bool, boxes that are taken out of the background.
    """

    pictures: Tensor
    camera: Cameras
    boxes: Tensor
    rectangles: Tensor
    known: Tensor
    filled: Tensor
    hidden: Tensor

    def to(self, device: torch.device | str) -> Self:
        """Return the views on a device."""
        return type(self)(**{f.name: getattr(self, f.name).to(device) for f in dataclasses.fields(self)})


def source_views(frame: Frame) -> tuple[SourceView, ...]:
    """Return the views of a frame's photos, the background's first. A photo by two cameras is two views."""
    background = frame.background
    rectangles = {
        placed.asset.source_box: placed.asset.source_box_2d
        for placed in frame.assets
        if placed.asset.photo == background.photo
    }
    shown: dict[tuple[str, Camera], dict[Box, Rectangle | None]] = {
        (background.photo.sha256, background.source_camera): {}
    }
    hidden = background.hidden_boxes
    for placed in frame.assets:
        asset = placed.asset
        boxes = shown.setdefault((asset.photo.sha256, asset.source_camera), {})
        boxes.setdefault(asset.source_box, asset.source_box_2d)
    (first, own), *others = shown.items()
    more = [(box, rectangle) for box, rectangle in own.items() if box not in hidden]
    boxes_of_first = (*hidden, *(box for box, _ in more))
    rectangles_of_first = (*(rectangles.get(box) for box in hidden), *(r for _, r in more))
    return (
        SourceView(*first, boxes_of_first, rectangles_of_first, len(hidden)),
        *(SourceView(*key, tuple(boxes), tuple(boxes.values())) for key, boxes in others),
    )


def views_as_tensors(views: Sequence[SourceView], pictures: Tensor) -> SourceViews:
    """Write views as tensors, on the device of their pictures.

    Args:
        views: M of them, at least one.
        pictures: (M, H, W, 3) uint8, their photos.
    """
    slots = max(1, *(len(view.boxes) for view in views))
    boxes = np.tile(np.eye(4), (len(views), slots, 1, 1))
    rectangles = np.tile(WHOLE_PICTURE, (len(views), slots, 1)).astype(np.float64)
    known, filled, hidden = (np.zeros((len(views), slots), bool) for _ in range(3))
    for row, view in enumerate(views):
        hidden[row, : view.hidden] = True
        for slot, (box, rectangle) in enumerate(zip(view.boxes, view.rectangles, strict=True)):
            boxes[row, slot], filled[row, slot] = box.world_from_box, True
            if rectangle is not None:
                rectangles[row, slot], known[row, slot] = rectangle, True
    arrays = (torch.from_numpy(array) for array in (boxes, rectangles, known, filled, hidden))
    return SourceViews(pictures, cameras_of([view.camera for view in views]), *arrays).to(pictures.device)
