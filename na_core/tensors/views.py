"""Source photos with their cameras and known boxes: as a frame's message names them, and as tensors."""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from na_core.scene import Box, Camera, Frame, Photo, Rectangle
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
        outlines, shadow_images: of the boxes, SHA-256 of those that someone painted; None, or nothing at all,
            where a network finds them. See :class:`na_core.scene.Asset`.
        plate: of the background, likewise.
    """

    sha256: str
    camera: Camera
    boxes: tuple[Box, ...]
    rectangles: tuple[Rectangle | None, ...]
    hidden: int = 0
    outlines: tuple[str | None, ...] = ()
    shadow_images: tuple[str | None, ...] = ()
    plate: str | None = None


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


@dataclass(frozen=True)
class _Known:
    """What is known of an object that a photo shows."""

    rectangle: Rectangle | None = None
    outline: Photo | None = None
    shadow_image: Photo | None = None


def source_views(frame: Frame) -> tuple[SourceView, ...]:
    """Return the views of a frame's photos, the background's first. A photo by two cameras is two views.

    Of a hidden box's outline, shadow and 2D box the background's count, else the asset's of that box.
    """
    background = frame.background
    hidden = background.hidden_boxes
    first = background.photo.sha256, background.source_camera
    of_background: dict[Box, _Known] = {}
    shown: dict[tuple[str, Camera], dict[Box, _Known]] = {first: {}}
    for placed in frame.assets:
        asset = placed.asset
        for number, view in enumerate(asset.all_views()):
            known = _Known(view.source_box_2d, view.outline, None if number else asset.shadow_image)
            shown.setdefault((view.photo.sha256, view.source_camera), {}).setdefault(view.source_box, known)
            if view.photo == background.photo and (number == 0 or view.source_box not in of_background):
                of_background[view.source_box] = known
    nothing = (None,) * len(hidden)
    told = map(
        _Known,
        background.rectangles or nothing,
        background.outlines or nothing,
        background.shadow_images or nothing,
    )
    boxes = [
        (box, _with(of_background.get(box, _Known()), each)) for box, each in zip(hidden, told, strict=True)
    ]
    boxes += [(box, known) for box, known in shown.pop(first).items() if box not in hidden]
    plate = None if background.plate is None else background.plate.sha256
    return (
        _view(first, boxes, len(hidden), plate),
        *(_view(key, list(known.items())) for key, known in shown.items()),
    )


def _with(known: _Known, told: _Known) -> _Known:
    """Return what is known of an object, with what else is told of it in its place."""
    return _Known(
        told.rectangle or known.rectangle,
        told.outline or known.outline,
        told.shadow_image or known.shadow_image,
    )


def _view(
    key: tuple[str, Camera],
    boxes: Sequence[tuple[Box, _Known]],
    hidden: int = 0,
    plate: str | None = None,
) -> SourceView:
    def named(photos: Iterable[Photo | None]) -> tuple[str | None, ...]:
        return tuple(None if photo is None else photo.sha256 for photo in photos)

    return SourceView(
        *key,
        boxes=tuple(box for box, _ in boxes),
        rectangles=tuple(known.rectangle for _, known in boxes),
        hidden=hidden,
        outlines=named(known.outline for _, known in boxes),
        shadow_images=named(known.shadow_image for _, known in boxes),
        plate=plate,
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
