"""Many frames as tensors: the batched form of :class:`na_core.scene.Frame`."""

import dataclasses
import itertools
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from na_core.scene import Camera, Frame
from na_core.tensors.boxes import relabelled
from na_core.tensors.cameras import Cameras, cameras_of
from na_core.tensors.views import source_views


@dataclass(frozen=True)
class FrameBatch:
    """B frames of up to N assets, from V source views of up to K boxes each.

    View 0 of a frame is its background's photo, with the boxes to hide; the other views are photos that show
    assets. An asset points to the view and the box there that it comes from, so that a box has one place to
    be changed. Slots that hold nothing are false in the masks, and their matrices are the identity.

    Attributes:
        camera: (B,) that each frame is seen from.
        photo: (B, V) int64, which of the photos that are taken apart a view is.
        view_camera: (B, V) that took it.
        view_boxes: (B, V, K, 4, 4) float64 ``world_from_box`` of the objects in it.
        view_rectangles: (B, V, K, 4) float64, their 2D boxes; of hidden ones that no asset comes from, any.
        view_filled: (B, V, K) bool.
        hidden: (B, K) bool, boxes of view 0 that are taken out of the background.
        asset_view, asset_entry: (B, N) int64, the view and the box there that an asset comes from.
        boxes: (B, N, 4, 4) float64, where the assets stand in the frame.
        quarter_turns: (B, N) int64, the relabelling of their corners.
        noise_keys: (B, N) int64, by which anchored noise tells assets apart.
        present: (B, N) bool, slots that hold an asset.
        shown: (B, N) bool, assets whose photo may be used.
        shadow_strength: (B, N) float64, factors of the logarithms of their shadows.
        match_light: (B, N) float64 in [0, 1], how far their colours follow another photo's light.
    """

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
    noise_keys: Tensor
    present: Tensor
    shown: Tensor
    shadow_strength: Tensor
    match_light: Tensor

    def __len__(self) -> int:
        return len(self.photo)

    @property
    def rows(self) -> Tensor:
        """The batch index (B, 1), to index with beside ``asset_view``."""
        return torch.arange(len(self), device=self.photo.device)[:, None]

    @property
    def asset_photo(self) -> Tensor:
        """Which of the photos (B, N) int64 an asset comes from."""
        return self.photo.gather(1, self.asset_view)

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
    def asset_rectangles(self) -> Tensor:
        """The 2D boxes (B, N, 4) of assets in their photos, whether shown or not."""
        return self.view_rectangles[self.rows, self.asset_view, self.asset_entry]

    @property
    def source_rectangles(self) -> Tensor:
        """The 2D boxes (B, N, 4) of assets in their photos; zero where absent or not shown."""
        return self.asset_rectangles * (self.present & self.shown)[..., None]

    @property
    def hidden_boxes(self) -> Tensor:
        """The boxes (B, K) bool of view 0 that are there and taken out of the background."""
        return self.hidden & self.view_filled[:, 0]

    def seen_by(self, camera: Cameras) -> Self:
        """Return the frames as other cameras (B,) see them."""
        return dataclasses.replace(self, camera=camera)

    def to(self, device: torch.device | str) -> Self:
        """Return the batch on a device."""
        return type(self)(**{f.name: getattr(self, f.name).to(device) for f in dataclasses.fields(self)})


def frame_batch(frames: Sequence[Frame], slots: int | None = None) -> FrameBatch:
    """Write frames as tensors, on the CPU; their source views are numbered as they first appear.

    Args:
        frames: at least one.
        slots: for assets, N; by default as many as the frame with the most assets has, at least one.

    Raises:
        ValueError: no frames, or more assets than slots.
    """
    if not frames:
        raise ValueError("there are no frames to batch")
    views = [source_views(frame) for frame in frames]
    photos = {view: number for number, view in enumerate(dict.fromkeys(itertools.chain(*views)))}
    count = max(1, *(len(frame.assets) for frame in frames))
    if slots is not None and slots < count:
        raise ValueError(f"a frame has {count} assets, but there are {slots} slots")
    b, n = len(frames), slots or count
    v = max(len(each) for each in views)
    k = max(1, *(len(view.boxes) for each in views for view in each))
    still = frames[0].background.source_camera

    photo = np.zeros((b, v), np.int64)
    cameras = [[still] * v for _ in range(b)]
    view_boxes, view_rectangles = _identities(b, v, k), np.zeros((b, v, k, 4))
    view_filled, hidden = np.zeros((b, v, k), bool), np.zeros((b, k), bool)
    asset_view, asset_entry, keys = (np.zeros((b, n), np.int64) for _ in range(3))
    boxes, turns, present = _identities(b, n), np.zeros((b, n), np.int64), np.zeros((b, n), bool)
    strength, match = np.ones((b, n)), np.ones((b, n))
    for row, (frame, each) in enumerate(zip(frames, views, strict=True)):
        hidden[row, : len(frame.background.hidden_boxes)] = True
        numbers = {(view.sha256, view.camera): number for number, view in enumerate(each)}
        for number, view in enumerate(each):
            photo[row, number] = photos[view]
            cameras[row][number] = view.camera
            for entry, box in enumerate(view.boxes):
                view_boxes[row, number, entry] = box.world_from_box
                view_filled[row, number, entry] = True
        for slot, placed in enumerate(frame.assets):
            asset = placed.asset
            number = numbers[asset.photo.sha256, asset.source_camera]
            entry = each[number].boxes.index(asset.source_box)
            asset_view[row, slot], asset_entry[row, slot] = number, entry
            view_rectangles[row, number, entry] = asset.source_box_2d
            boxes[row, slot] = placed.box.world_from_box
            turns[row, slot], present[row, slot] = asset.quarter_turns, True
            strength[row, slot] = placed.shadow_strength
            for other in asset.views:
                number = numbers[other.photo.sha256, other.source_camera]
                entry = each[number].boxes.index(other.source_box)
                view_rectangles[row, number, entry] = other.source_box_2d
            same = asset.photo == frame.background.photo  # if with another camera
            match[row, slot] = 0 if same else placed.match_light
        keys[row, : len(frame.assets)] = _noise_keys(frame)
    return FrameBatch(
        camera=cameras_of([frame.camera for frame in frames]),
        photo=torch.from_numpy(photo),
        view_camera=_grid(cameras),
        view_boxes=torch.from_numpy(view_boxes),
        view_rectangles=torch.from_numpy(view_rectangles),
        view_filled=torch.from_numpy(view_filled),
        hidden=torch.from_numpy(hidden),
        asset_view=torch.from_numpy(asset_view),
        asset_entry=torch.from_numpy(asset_entry),
        boxes=torch.from_numpy(boxes),
        quarter_turns=torch.from_numpy(turns),
        noise_keys=torch.from_numpy(keys),
        present=torch.from_numpy(present),
        shown=torch.from_numpy(present.copy()),
        shadow_strength=torch.from_numpy(strength),
        match_light=torch.from_numpy(match),
    )


def other_views(batch: FrameBatch, frames: Sequence[Frame]) -> list[FrameBatch]:
    """Return frames as the other views of their assets show these: the second of each, the third, and so on.

    Assets without such a view are not present there; the rest is the same.

    Args:
        batch: of the frames.
        frames: B of them.
    """
    count = max((len(placed.asset.views) for frame in frames for placed in frame.assets), default=0)
    found = []
    for number in range(count):
        asset_view, asset_entry = batch.asset_view.clone(), batch.asset_entry.clone()
        present = torch.zeros_like(batch.present)
        for row, frame in enumerate(frames):
            each = source_views(frame)
            numbers = {(view.sha256, view.camera): place for place, view in enumerate(each)}
            for slot, placed in enumerate(frame.assets):
                if number < len(placed.asset.views):
                    view = placed.asset.views[number]
                    place = numbers[view.photo.sha256, view.source_camera]
                    asset_view[row, slot], present[row, slot] = place, True
                    asset_entry[row, slot] = each[place].boxes.index(view.source_box)
        found.append(
            dataclasses.replace(batch, asset_view=asset_view, asset_entry=asset_entry, present=present)
        )
    return found


def _noise_keys(frame: Frame) -> list[int]:
    """Return a number for each asset that it keeps whatever else is in the frame; a duplicate has its own."""
    names = [placed.asset.photo.sha256 + placed.asset.source_box.to_json() for placed in frame.assets]
    return [zlib.crc32(f"{name} {names[:i].count(name)}".encode()) for i, name in enumerate(names)]


def _identities(*shape: int) -> np.ndarray:
    return np.tile(np.eye(4), (*shape, 1, 1))


def _grid(rows: Sequence[Sequence[Camera]]) -> Cameras:
    each = cameras_of([camera for row in rows for camera in row])
    return each[torch.arange(len(each.intrinsics)).view(len(rows), -1)]
