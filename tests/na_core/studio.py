"""A photographed scene of blocks, and what the steps of a frame's way make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import cv2
import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from na_core.compose.compose import compose
from na_core.compose.passes import Passes
from na_core.geometry.boxes import bounds_2d, box_matrix, source_quarter_turns
from na_core.geometry.camera import camera_of_photo
from na_core.layers.layers import Layers
from na_core.layers.photo_network import CELL, PhotoNetwork
from na_core.layers.store import LayerStore
from na_core.layers.take_apart import TakingApart
from na_core.model.pipeline import to_bytes
from na_core.model.working_size import photo_side
from na_core.scene import Asset, Background, Box, Camera, Frame, Photo, PlacedAsset
from na_core.tensors.frames import FrameBatch, frame_batch
from na_core.tensors.views import SourceViews, source_views, views_as_tensors

Image = NDArray[np.uint8]

LEFT = box_matrix((-0.7, 4.0, 0.4), (0.7, 0.5, 0.8), yaw=0.5)
RIGHT = box_matrix((0.7, 4.5, 0.3), (0.6, 0.8, 0.6), yaw=2.0)


@dataclass(frozen=True)
class Studio:
    """A photo (H, W, 3) uint8 and what stands in it."""

    photo: Image
    name: Photo
    camera: Camera
    assets: tuple[Asset, ...]

    @property
    def photos(self) -> dict[str, Image]:
        return {self.name.sha256: self.photo}

    @property
    def boxes(self) -> list[NDArray[np.float64]]:
        return [asset.source_box.world_from_box for asset in self.assets]

    def frame(
        self,
        moved: dict[int, ArrayLike | None] | None = None,
        camera: Camera | None = None,
        assets: Sequence[Asset] | None = None,
    ) -> Frame:
        """Return the frame in which ``moved`` boxes are elsewhere, or gone (None), and the rest in place."""
        placed = []
        for number, asset in enumerate(self.assets if assets is None else assets):
            matrix = (moved or {}).get(number, asset.source_box.world_from_box)
            if matrix is not None:
                placed.append(PlacedAsset(asset, Box(np.asarray(matrix))))
        hidden = tuple(asset.source_box for asset in self.assets)
        return Frame(camera or self.camera, tuple(placed), Background(self.name, self.camera, hidden))

    def views(self) -> SourceViews:
        """Return the photo with all its boxes, as it is taken apart."""
        return views_as_tensors(source_views(self.frame()), torch.from_numpy(self.photo)[None])


def build_studio(
    boxes: Sequence[NDArray[np.float64]],
    width: int = 64,
    height: int = 64,
    seed: int = 1,
    coarse: int = 4,
) -> Studio:
    """Photograph boxes (world_from_box) from 1.5 m up, a little down, facing +Y.

    The photo is of squares of many colours, of so many (``coarse``) pixels.
    """
    rng = np.random.default_rng(seed)
    squares = rng.integers(0, 256, (height // coarse + 1, width // coarse + 1, 3))
    photo = np.repeat(np.repeat(squares, coarse, axis=0), coarse, axis=1)[:height, :width].astype(np.uint8)
    camera = camera_of_photo(1.2 * width, width, height, camera_height=1.5, pitch=0.3)
    return studio_of(photo, camera, boxes)


def studio_of(photo: Image, camera: Camera, boxes: Sequence[NDArray[np.float64]]) -> Studio:
    """Return a photo with assets that fill their boxes."""
    name = Photo(sha256(photo.tobytes()).hexdigest())
    assets = []
    for number, matrix in enumerate(boxes):
        box = Box(matrix)
        turns = source_quarter_turns(box, camera)
        assets.append(Asset(f"object {number}", name, box, camera, bounds_2d(camera, box), turns))
    return Studio(photo, name, camera, tuple(assets))


def smooth_photo(width: int, height: int, seed: int = 0) -> Image:
    """Paint waves a tenth of the picture long, the same at every size, so that each place has its colour."""
    rng = np.random.default_rng(seed)
    y, x = ((np.mgrid[:height, :width] + 0.5).T / max(width, height)).T
    waves = [np.sin(rng.uniform(-20, 20) * x + rng.uniform(-20, 20) * y + c) for c in range(3)]
    return np.rint(255 * (0.5 + 0.5 * np.stack(waves, -1))).astype(np.uint8)


def batch_of(*frames: Frame) -> FrameBatch:
    """Return frames as tensors; their views are numbered as they first appear."""
    return frame_batch(frames)


def composed(
    frame: Frame, photos: Mapping[str, Image], width: int, height: int, how: TakingApart | None = None
) -> tuple[FrameBatch, Layers, Passes]:
    """Return a frame as tensors, the layers of its photos at its scale, and its passes."""
    views = source_views(frame)
    rows, columns = photos[views[0].sha256].shape[:2]
    side = photo_side(frame, columns, rows, width, height)
    layers = LayerStore().sampled(views, photos, side, how or TakingApart(), torch.device("cpu"))
    batch = batch_of(frame)
    return batch, layers, compose(layers, batch, width, height)


def passes_of(frame: Frame, photos: Mapping[str, Image], width: int = 64, height: int = 64) -> Passes:
    """Return the passes of a frame whose objects fill their boxes."""
    return composed(frame, photos, width, height)[2]


def proxy_of(frame: Frame, photos: Mapping[str, Image], width: int = 64, height: int = 64) -> Image:
    """Return a frame's proxy, whose objects fill their boxes, as a picture."""
    return to_bytes(passes_of(frame, photos, width, height).proxy)[0]


def decided(network: PhotoNetwork) -> PhotoNetwork:
    """Let a photo network with random weights find objects in most of their boxes, in place."""
    with torch.no_grad():
        random = torch.Generator().manual_seed(0)
        torch.nn.init.normal_(network.heads.last.weight, std=0.3, generator=random)
        network.heads.last.bias[CELL**2 : 2 * CELL**2] += 1.5
    return network


def by_area(picture: Image, width: int, height: int) -> Image:
    """Return a picture at a smaller size."""
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)


def psnr(first: Image, second: Image) -> float:
    """Return how alike pictures are, in dB."""
    error = np.square(first.astype(float) - second).mean()
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))
