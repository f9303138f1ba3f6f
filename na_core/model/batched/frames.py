"""Many frames as tensors: the batched form of :class:`na_core.scene.Frame`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from na_core.geometry.photo_views import PhotoView, photo_views
from na_core.model.batched.boxes import relabelled
from na_core.model.batched.cameras import Cameras
from na_core.model.batched.reliefs import Reliefs
from na_core.scene import Camera, Frame


@dataclass(frozen=True)
class FrameBatch:
    """B frames of up to N assets, which V photos show; a photo shows up to K boxes.

    View 0 of a frame is its background's photo, with the boxes to hide; the other views are photos that show
    assets. An asset points to the view and the box there that it comes from, so that a box has one place to
    be changed. Slots that hold nothing are false in the masks, and their matrices are the identity.

    Attributes:
        pictures: (M, H, W, 3) uint8 sRGB, every photo of every frame, of one size.
        camera: (B,) that each frame is seen from.
        photo: (B, V) int64, which picture a view is.
        view_camera: (B, V) that took it.
        view_boxes: (B, V, K, 4, 4) float64 ``world_from_box`` of the objects in it.
        view_rectangles: (B, V, K, 4) float64, their 2D boxes; of hidden ones that no asset comes from, any.
        view_filled: (B, V, K) bool.
        hidden: (B, K) bool, boxes of view 0 that are taken out of the background.
        asset_view, asset_entry: (B, N) int64, the view and the box there that an asset comes from.
        boxes: (B, N, 4, 4) float64, where the assets stand in the frame.
        quarter_turns: (B, N) int64, the relabelling of their corners.
        present: (B, N) bool, slots that hold an asset.
        shown: (B, N) bool, assets whose photo may be used.
        reliefs: of the pictures, whose owners are numbers of boxes in a view; None where objects are boxes.
    """

    pictures: Tensor
    camera: Cameras
    photo: Tensor
    view_camera: Cameras
    view_boxes: Tensor
    view_rectangles: Tensor
    view_filled: Tensor
    hidden: Tensor
    asset_view: Tensor
    asset_entry: Tensor
    boxes: Tensor
    quarter_turns: Tensor
    present: Tensor
    shown: Tensor
    reliefs: Reliefs | None = None

    def __len__(self) -> int:
        return len(self.photo)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of pictures and frames, in pixels."""
        return self.pictures.shape[2], self.pictures.shape[1]

    @property
    def rows(self) -> Tensor:
        """The batch index (B, 1), to index with beside ``asset_view``."""
        return torch.arange(len(self), device=self.photo.device)[:, None]

    @property
    def source_boxes(self) -> Tensor:
        """The boxes (B, N, 4, 4) that assets come from."""
        return self.view_boxes[self.rows, self.asset_view, self.asset_entry]

    @property
    def turned_boxes(self) -> Tensor:
        """Where assets stand, (B, N, 4, 4), with corners renumbered by their quarter turns."""
        return relabelled(self.boxes, self.quarter_turns)

    @property
    def turned_source_boxes(self) -> Tensor:
        """The boxes (B, N, 4, 4) that assets come from, with corners renumbered by their quarter turns."""
        return relabelled(self.source_boxes, self.quarter_turns)

    @property
    def source_cameras(self) -> Cameras:
        """The cameras (B, N) that took the assets' photos."""
        return self.view_camera[self.rows, self.asset_view]

    @property
    def source_rectangles(self) -> Tensor:
        """The 2D boxes (B, N, 4) of assets in their photos; zero where absent or not shown."""
        found = self.view_rectangles[self.rows, self.asset_view, self.asset_entry]
        return found * (self.present & self.shown)[..., None]

    @property
    def linked(self) -> Tensor:
        """The boxes (B, V, K) bool of views that an asset comes from."""
        counts = torch.zeros(self.view_filled.shape, dtype=torch.int64, device=self.present.device)
        flat = counts.flatten(1)
        flat.scatter_add_(
            1, self.asset_view * counts.shape[2] + self.asset_entry, self.present.to(torch.int64)
        )
        return counts > 0

    def to(self, device: torch.device | str) -> FrameBatch:
        """Return the batch on a device."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        moved: dict[str, Any] = {n: v if v is None else v.to(device) for n, v in values.items()}
        return FrameBatch(**moved)


def frame_batch(
    frames: Sequence[Frame], photos: Mapping[str, int], pictures: Tensor, slots: int | None = None
) -> FrameBatch:
    """Write frames as tensors, on the device of their pictures.

    Args:
        frames: at least one.
        photos: which of the pictures each photo is, by SHA-256.
        pictures: (M, H, W, 3) uint8.
        slots: for assets, N; by default as many as the frame with the most assets has, at least one.

    Raises:
        KeyError: a photo is missing from ``photos``.
        ValueError: no frames, more assets than slots, or a frame that names two cameras for one photo.
    """
    if not frames:
        raise ValueError("there are no frames to batch")
    views = [_views(frame) for frame in frames]
    count = max(1, *(len(frame.assets) for frame in frames))
    if slots is not None and slots < count:
        raise ValueError(f"a frame has {count} assets, but there are {slots} slots")
    b, n = len(frames), slots or count
    v = max(len(found) for found in views)
    k = max(1, *(len(view.boxes) for found in views for view in found))
    still = frames[0].background.source_camera

    photo = np.zeros((b, v), np.int64)
    cameras = [[still] * v for _ in range(b)]
    view_boxes, view_rectangles = _identities(b, v, k), np.zeros((b, v, k, 4))
    view_filled, hidden = np.zeros((b, v, k), bool), np.zeros((b, k), bool)
    asset_view, asset_entry = np.zeros((b, n), np.int64), np.zeros((b, n), np.int64)
    boxes, turns, present = _identities(b, n), np.zeros((b, n), np.int64), np.zeros((b, n), bool)
    for row, (frame, found) in enumerate(zip(frames, views, strict=True)):
        hidden[row, : len(frame.background.hidden_boxes)] = True
        numbers = {view.sha256: number for number, view in enumerate(found)}
        for number, view in enumerate(found):
            photo[row, number] = photos[view.sha256]
            cameras[row][number] = view.camera
            for entry, box in enumerate(view.boxes):
                view_boxes[row, number, entry] = box.world_from_box
                view_filled[row, number, entry] = True
        for slot, placed in enumerate(frame.assets):
            asset = placed.asset
            at = numbers[asset.photo.sha256]
            entry = found[at].boxes.index(asset.source_box)
            asset_view[row, slot], asset_entry[row, slot] = at, entry
            view_rectangles[row, at, entry] = asset.source_box_2d
            boxes[row, slot] = placed.box.world_from_box
            turns[row, slot], present[row, slot] = asset.quarter_turns, True
    return FrameBatch(
        pictures=pictures,
        camera=_cameras([frame.camera for frame in frames]),
        photo=torch.from_numpy(photo),
        view_camera=_grid([_cameras(row) for row in cameras]),
        view_boxes=torch.from_numpy(view_boxes),
        view_rectangles=torch.from_numpy(view_rectangles),
        view_filled=torch.from_numpy(view_filled),
        hidden=torch.from_numpy(hidden),
        asset_view=torch.from_numpy(asset_view),
        asset_entry=torch.from_numpy(asset_entry),
        boxes=torch.from_numpy(boxes),
        quarter_turns=torch.from_numpy(turns),
        present=torch.from_numpy(present),
        shown=torch.from_numpy(present.copy()),
    ).to(pictures.device)


def _views(frame: Frame) -> tuple[PhotoView, ...]:
    views = photo_views(frame)
    if len({view.sha256 for view in views}) < len(views):
        twice = [view.sha256 for view in views]
        name = next(p.asset.name for p in frame.assets if twice.count(p.asset.photo.sha256) > 1)
        raise ValueError(f"asset {name}: its photo has another camera elsewhere in the frame")
    return views


def _identities(*shape: int) -> np.ndarray:
    return np.tile(np.eye(4), (*shape, 1, 1))


def _cameras(cameras: Sequence[Camera]) -> Cameras:
    matrices = np.stack([camera.world_from_camera for camera in cameras])
    intrinsics = np.array([(c.fx, c.fy, c.cx, c.cy) for c in cameras])
    return Cameras(torch.from_numpy(matrices), torch.from_numpy(intrinsics))


def _grid(rows: Sequence[Cameras]) -> Cameras:
    return Cameras(
        torch.stack([row.world_from_camera for row in rows]), torch.stack([row.intrinsics for row in rows])
    )
