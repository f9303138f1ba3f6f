"""Frames with painted photos, and what compose shows of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from na_core.compose.compose import compose
from na_core.compose.passes import Passes
from na_core.geometry.boxes import bounds_2d, box_matrix, source_quarter_turns
from na_core.geometry.camera import camera_of_photo
from na_core.layers.layers import Layers, hard_layers, stacked
from na_core.layers.plate import plates
from na_core.layers.take_apart import take_apart
from na_core.raster.boxmap import Hits
from na_core.raster.surfaces import pack
from na_core.scene import Asset, Background, Box, Camera, Frame, Photo, PlacedAsset
from na_core.tensors.frames import FrameBatch, frame_batch
from na_core.tensors.views import SourceView, source_views, views_as_tensors
from tests.na_core.reference import reference_box_map

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Shown:
    """What one frame shows, as arrays.

    Attributes:
        picture: (H, W, 3) in [0, 1].
        validity, shift, index, depth: (H, W), see :class:`na_core.compose.passes.Passes`.
        box: (H, W), the box that a pixel's ray hits first, -1 for none; local: (H, W, 3), where.
    """

    picture: NDArray[np.float32]
    validity: NDArray[np.bool_]
    shift: NDArray[np.float32]
    index: NDArray[np.int32]
    depth: NDArray[np.float32]
    box: NDArray[np.int32]
    local: NDArray[np.float32]


@dataclass(frozen=True)
class Stage:
    """Frames and their photos.

    Attributes:
        frames: any number.
        photos: pictures (H, W, 3) uint8 of any size, by SHA-256.
        rounded: the seed of uneven ellipsoids that objects are; without it they fill their boxes.
    """

    frames: tuple[Frame, ...]
    photos: Mapping[str, Picture]
    rounded: int | None = None

    @cached_property
    def views(self) -> dict[SourceView, int]:
        """The frames' source views, numbered."""
        found = dict.fromkeys(view for frame in self.frames for view in source_views(frame))
        return {view: number for number, view in enumerate(found)}

    def batch(self, slots: int | None = None) -> FrameBatch:
        """Return the frames as tensors."""
        return frame_batch(self.frames, slots)

    @cached_property
    def layers(self) -> Layers:
        """What the views' photos are taken apart into."""
        return stacked([self._taken_apart(view) for view in self.views])

    def _taken_apart(self, view: SourceView) -> Layers:
        picture = torch.from_numpy(self.photos[view.sha256][None])
        if self.rounded is not None:
            return ellipsoids(view, picture, self.rounded)
        return take_apart(views_as_tensors([view], picture))

    def passes(self, width: int | None = None, height: int | None = None, slots: int | None = None) -> Passes:
        """Compose the frames, by default of their first background's size."""
        rows, columns = self.photo.shape[:2]
        return compose(self.layers, self.batch(slots), width or columns, height or rows)

    def shown(self, row: int = 0, width: int | None = None, height: int | None = None) -> Shown:
        """Return what one of the frames shows."""
        return shown(self.passes(width, height), row)

    @property
    def photo(self) -> Picture:
        """The first frame's background's."""
        return self.photos[self.frames[0].background.photo.sha256]

    def alone(self, row: int) -> Stage:
        """Return one of the frames with the photos that it needs."""
        names = {photo.sha256 for photo in self.frames[row].photos()}
        photos = {name: picture for name, picture in self.photos.items() if name in names}
        return replace(self, frames=(self.frames[row],), photos=photos)

    def of(self, *frames: Frame) -> Stage:
        """Return other frames of the same photos."""
        return replace(self, frames=frames)


@dataclass(frozen=True)
class Shot:
    """A photo of boxes: noise, so that every pixel tells where it came from.

    Attributes:
        photo: (H, W, 3) uint8.
        camera: who took it.
        boxes: of the objects, all hidden from the background.
        assets: one per box.
    """

    photo: Picture
    camera: Camera
    boxes: tuple[Box, ...]
    assets: tuple[Asset, ...]

    def frame(
        self,
        moved: Mapping[int, ArrayLike | None] | None = None,
        camera: Camera | None = None,
        add: Sequence[PlacedAsset] = (),
    ) -> Frame:
        """Return the frame in which ``moved`` boxes are elsewhere, or gone (None), and the rest in place."""
        changes = moved or {}
        placed = []
        for number, asset in enumerate(self.assets):
            matrix = changes.get(number, asset.source_box.world_from_box)
            if matrix is not None:
                placed.append(PlacedAsset(asset, Box(np.asarray(matrix))))
        background = Background(self.assets[0].photo, self.camera, self.boxes)
        return Frame(camera or self.camera, (*placed, *add), background)

    def stage(self, frame: Frame) -> Stage:
        """Return a frame on stage; whatever photo it asks for, it gets this one."""
        return Stage((frame,), dict.fromkeys((photo.sha256 for photo in frame.photos()), self.photo))

    def shown(self, frame: Frame, width: int | None = None, height: int | None = None) -> Shown:
        """Return what a frame shows."""
        return self.stage(frame).shown(0, width, height)

    @property
    def picture(self) -> NDArray[np.float32]:
        """The photo in [0, 1]."""
        return in_unit(self.photo)


def in_unit(picture: Picture) -> NDArray[np.float32]:
    """Return bytes in [0, 1]."""
    return picture.astype(np.float32) / 255


def shown(passes: Passes, row: int = 0) -> Shown:
    """Return what one of the composed frames shows."""
    planes = [getattr(passes, name)[row].numpy() for name in ("validity", "shift", "index", "depth")]
    local, _ = hit_planes(passes.boxes.hits[0])
    picture = passes.proxy[row].permute(1, 2, 0).numpy()
    return Shown(picture, *planes, passes.boxes.index[0, row].numpy(), local[row])


def hit_planes(hits: Hits) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return local coordinates (B, H, W, 3), 0 without a hit, and depths (B, H, W), infinite without one."""
    local = torch.zeros((3, *hits.pixels.shape))
    for plane, values in zip(local, hits.local, strict=True):
        hits.pixels.put(values.masked_fill(hits.box < 0, 0), plane)
    depth = torch.full(hits.pixels.shape, torch.inf)
    hits.pixels.put(hits.depth.masked_fill(hits.box < 0, torch.inf), depth)
    return local.movedim(0, -1).numpy(), depth.numpy()


def ellipsoids(view: SourceView, picture: torch.Tensor, seed: int) -> Layers:
    """Take a photo (1, H, W, 3) apart: in each box an uneven ellipsoid, and a wider one that it may cover."""
    rng = np.random.default_rng(seed)
    height, width = picture.shape[1:3]
    matrices = [box.world_from_box for box in view.boxes]
    hits = reference_box_map(view.camera, matrices, width, height)
    owner, cover = np.full((height, width), -1, np.int32), np.full((height, width), -1, np.int32)
    near, far = np.full((height, width), np.inf), np.full((height, width), np.inf)
    for index, local, depth, leave in reversed(
        [*zip(hits.index, hits.local, hits.depth, hits.leave, strict=True)]
    ):
        radius = (local**2).sum(-1) / rng.uniform(1.3, 2.2)
        shows, wider = (index >= 0) & (radius < 1), (index >= 0) & (radius < 1.3)
        cover[wider], owner[shows] = index[wider], index[shows]
        share = 0.3 + 0.4 * np.abs(local[shows]).min(-1)
        way = leave[shows] - depth[shows]
        near[shows], far[shows] = depth[shows] + share * way, depth[shows] + (0.4 + 0.6 * share) * way
    owners, nears, fars = (torch.from_numpy(of[None]) for of in (owner, near, far))
    covers = torch.from_numpy(np.where(owner < 0, cover, owner)[None])
    hidden = torch.arange(max(1, len(view.boxes)))[None] < view.hidden
    plate, real = plates(picture, covers, hidden, texture=False)
    surfaces = pack(owners, nears, fars)
    return hard_layers(picture, surfaces, covers, plate, real, hidden.shape[1])


def noise(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Paint noise, and black in it, which shows the smallest rounding."""
    photo = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    photo[rng.random((height, width)) < 0.1] = 0
    return photo


def waves(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Paint waves of all directions: a smooth picture in which every place has its own colour."""
    y, x = np.mgrid[:height, :width] / max(width, height)
    planes = [np.sin(rng.uniform(-20, 20) * x + rng.uniform(-20, 20) * y + c) for c in range(3)]
    return np.rint(255 * (0.5 + 0.5 * np.stack(planes, -1))).astype(np.uint8)


def shot(
    boxes: Sequence[NDArray[np.float64]],
    width: int = 96,
    height: int = 64,
    camera: Camera | None = None,
    seed: int = 0,
) -> Shot:
    """Photograph boxes (world_from_box) from 1.5 m up, a little down, facing +Y."""
    camera = camera or camera_of_photo(1.2 * width, width, height, camera_height=1.5, pitch=0.3)
    kept = tuple(Box(b) for b in boxes)
    name = Photo(f"{seed:064x}")
    assets = tuple(
        Asset(f"object {i}", name, box, camera, bounds_2d(camera, box)) for i, box in enumerate(kept)
    )
    return Shot(noise(np.random.default_rng(seed), width, height), camera, kept, assets)


def placed_on_ground(rng: np.random.Generator) -> Box:
    """Return a box somewhere before the cameras of :func:`random_frame`."""
    centre = (rng.uniform(-1.5, 1.5), rng.uniform(2.5, 6), rng.uniform(0.1, 0.6))
    return Box(box_matrix(centre, rng.uniform(0.3, 1.2, 3), rng.uniform(-3, 3)))


def random_frame(
    seed: int,
    size: tuple[int, int] = (80, 64),
    guest_size: tuple[int, int] | None = None,
    *,
    still: bool = False,
    rounded: bool = False,
) -> Stage:
    """Return a frame in which things stand still, move, leave and come from another photo.

    Args:
        seed: of all that is random.
        size: width and height of the background's photo in pixels.
        guest_size: of the other photo; by default the same.
        still: nothing moves, leaves or comes.
        rounded: objects are ellipsoids in their boxes.
    """
    rng = np.random.default_rng(seed)
    names = [Photo(letter + f"{seed:063x}"[-63:]) for letter in "ab"]
    camera, assets = _photographed(rng, names[0], int(rng.integers(0, 5)), size, bool(rng.random() < 0.5))
    _, guests = _photographed(rng, names[1], 2, guest_size or size, True)
    photos = {
        name.sha256: waves(rng, *of) for name, of in zip(names, (size, guest_size or size), strict=True)
    }
    background = Background(names[0], camera, tuple(asset.source_box for asset in assets))
    placed = [PlacedAsset(asset, asset.source_box) for asset in assets]
    seen_from = camera
    if not still:
        if placed and rng.random() < 0.5:
            del placed[int(rng.integers(len(placed)))]
        placed = [PlacedAsset(p.asset, placed_on_ground(rng)) if rng.random() < 0.6 else p for p in placed]
        if guest_size or rng.random() < 0.5:
            placed += [PlacedAsset(guest, placed_on_ground(rng)) for guest in guests]
        if rng.random() < 0.5:
            matrix = camera.world_from_camera.copy()
            matrix[:3, 3] += rng.uniform(-0.4, 0.4, 3)
            seen_from = replace(camera, world_from_camera=matrix, fx=camera.fx * rng.uniform(0.8, 1.2))
    frame = Frame(seen_from, tuple(placed), background)
    return Stage((frame,), photos, seed if rounded else None)


def together(stages: Sequence[Stage]) -> Stage:
    """Return the frames of several stages, of all of which objects are alike, in one."""
    frames = tuple(frame for stage in stages for frame in stage.frames)
    photos = {name: picture for stage in stages for name, picture in stage.photos.items()}
    return Stage(frames, photos, stages[0].rounded)


def _photographed(
    rng: np.random.Generator, photo: Photo, count: int, size: tuple[int, int], tight: bool
) -> tuple[Camera, list[Asset]]:
    """Stand boxes before a camera; 2D boxes are tight around the boxes, or smaller."""
    width, height = size
    camera = camera_of_photo(rng.uniform(0.8, 1.6) * width, width, height, 1.5, rng.uniform(0.1, 0.5))
    assets = []
    for number in range(count):
        box = placed_on_ground(rng)
        x0, y0, x1, y1 = bounds_2d(camera, box)
        inset = 0.0 if tight else 0.1
        across, down = inset * (x1 - x0), inset * (y1 - y0)
        rectangle = (x0 + across, y0 + down, x1 - across, y1 - down)
        turns = source_quarter_turns(box, camera)
        assets.append(Asset(f"{photo.sha256[0]} {number}", photo, box, camera, rectangle, turns))
    return camera, assets
