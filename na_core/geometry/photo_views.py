"""The photos of a frame, each with the camera that took it and the boxes of what it shows."""

from __future__ import annotations

from dataclasses import dataclass

from na_core.scene import Box, Camera, Frame

Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True)
class PhotoView:
    """A photo as a frame speaks of it.

    Attributes:
        sha256: of the photo.
        camera: that took it.
        boxes: of objects in it: the background's hidden ones first, in their order, then other assets'.
        rectangles: the 2D box of each, None where unknown.
    """

    sha256: str
    camera: Camera
    boxes: tuple[Box, ...]
    rectangles: tuple[Rectangle | None, ...]


def photo_views(frame: Frame) -> tuple[PhotoView, ...]:
    """Return the views of a frame's photos, the background's first. A photo by two cameras is two views."""
    background = frame.background
    found = {
        (background.photo.sha256, background.source_camera): (
            [*background.hidden_boxes],
            [*hidden_rectangles(frame)],
        )
    }
    for placed in frame.assets:
        asset = placed.asset
        boxes, rectangles = found.setdefault((asset.photo.sha256, asset.source_camera), ([], []))
        if asset.source_box not in boxes:
            boxes.append(asset.source_box)
            rectangles.append(asset.source_box_2d)
    return tuple(
        PhotoView(sha256, camera, tuple(boxes), tuple(rectangles))
        for (sha256, camera), (boxes, rectangles) in found.items()
    )


def hidden_rectangles(frame: Frame) -> tuple[Rectangle | None, ...]:
    """Return the 2D box of each of the background's hidden objects, None for those not in the frame."""
    known = {
        placed.asset.source_box: placed.asset.source_box_2d
        for placed in frame.assets
        if placed.asset.photo == frame.background.photo
    }
    return tuple(known.get(box) for box in frame.background.hidden_boxes)
