"""Cameras, boxes and a photographed scene that the geometry tests share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from na_core.geometry.boxes import bounds_2d, box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.geometry.proxy import Proxy, proxy_picture
from na_core.scene import Asset, Background, Box, Camera, Frame, Photo, PlacedAsset


def _rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    if np.linalg.det(q) < 0:
        q[:, 0] *= -1
    return q


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def any_camera(rng: np.random.Generator) -> Callable[[], Camera]:
    """Return a maker of cameras anywhere, turned anyhow, with off-centre principal points."""

    def make() -> Camera:
        matrix = np.eye(4)
        matrix[:3, :3] = _rotation(rng)
        matrix[:3, 3] = rng.normal(scale=2, size=3)
        return Camera(matrix, *rng.uniform(0.4, 2.5, 2), *rng.uniform(0.2, 0.8, 2))

    return make


@pytest.fixture
def any_box(rng: np.random.Generator) -> Callable[[], NDArray[np.float64]]:
    """Return a maker of boxes anywhere: rotated, scaled and sheared."""

    def make() -> NDArray[np.float64]:
        matrix = np.eye(4)
        shear = np.eye(3) + np.triu(rng.normal(scale=0.3, size=(3, 3)), 1)
        matrix[:3, :3] = _rotation(rng) @ shear @ np.diag(rng.uniform(0.2, 2, 3))
        matrix[:3, 3] = rng.normal(scale=2, size=3)
        return matrix

    return make


@pytest.fixture
def in_view(
    rng: np.random.Generator, any_camera: Callable[[], Camera], any_box: Callable[[], NDArray[np.float64]]
) -> Callable[[int], tuple[Camera, list[NDArray[np.float64]]]]:
    """Return a maker of a camera anywhere with so many boxes before it, many of them overlapping."""

    def make(count: int) -> tuple[Camera, list[NDArray[np.float64]]]:
        camera, boxes = any_camera(), [any_box() for _ in range(count)]
        for box in boxes:
            depth = rng.uniform(2, 7)
            x, y = rng.uniform(0, 1, 2)
            at = (depth * (x - camera.cx) / camera.fx, -depth * (y - camera.cy) / camera.fy, -depth, 1)
            box[:, 3] = camera.world_from_camera @ at
        return camera, boxes

    return make


@dataclass(frozen=True)
class Shot:
    """A photo of boxes: noise, so that every pixel tells where it came from.

    Attributes:
        photo: (H, W, 3).
        camera: who took it.
        boxes: of the objects, all hidden from the background.
        assets: one per box.
    """

    photo: NDArray[np.float32]
    camera: Camera
    boxes: tuple[Box, ...]
    assets: tuple[Asset, ...]

    def frame(
        self,
        moved: dict[int, ArrayLike | None] | None = None,
        camera: Camera | None = None,
        add: Sequence[PlacedAsset] = (),
    ) -> Frame:
        """Return the frame in which ``moved`` boxes are elsewhere, or gone (None), and the rest in place."""
        changes = {} if moved is None else moved
        placed = []
        for number, asset in enumerate(self.assets):
            matrix = changes.get(number, asset.source_box.world_from_box)
            if matrix is not None:
                placed.append(PlacedAsset(asset, Box(np.asarray(matrix))))
        background = Background(self.assets[0].photo, self.camera, self.boxes)
        return Frame(camera or self.camera, (*placed, *add), background)

    def proxy(self, frame: Frame, width: int | None = None, height: int | None = None) -> Proxy:
        rows, columns = self.photo.shape[:2]
        pictures = dict.fromkeys((p.sha256 for p in frame.photos()), self.photo)
        return proxy_picture(frame, pictures, width or columns, height or rows)


def shot(
    boxes: Sequence[NDArray[np.float64]],
    width: int = 96,
    height: int = 64,
    camera: Camera | None = None,
    seed: int = 0,
) -> Shot:
    """Photograph boxes (world_from_box) from 1.5 m up, a little down, facing +Y."""
    rng = np.random.default_rng(seed)
    photo = rng.random((height, width, 3)).astype(np.float32)
    photo[rng.random((height, width)) < 0.1] = 0  # black shows the smallest rounding
    camera = camera or camera_of_photo(1.2 * width, width, height, camera_height=1.5, pitch=0.3)
    kept = tuple(Box(b) for b in boxes)
    name = Photo(f"{seed:064x}")
    assets = tuple(
        Asset(f"object {i}", name, box, camera, bounds_2d(camera, box)) for i, box in enumerate(kept)
    )
    return Shot(photo, camera, kept, assets)


@pytest.fixture
def shoot() -> Callable[..., Shot]:
    return shot


@pytest.fixture
def two_boxes(shoot: Callable[..., Shot]) -> Shot:
    """Two objects side by side on the ground, the left one turned."""
    return shoot(
        [
            box_matrix((-0.7, 4.0, 0.4), (0.7, 0.5, 0.8), yaw=0.5),
            box_matrix((0.7, 4.5, 0.3), (0.6, 0.6, 0.6)),
        ]
    )


@pytest.fixture
def turned() -> Callable[[Camera, ArrayLike, ArrayLike], Camera]:
    """Return a maker of moved cameras: ``step`` in the world, ``yaw, pitch`` about the camera's own axes."""

    def make(camera: Camera, step: ArrayLike = (0, 0, 0), angles: ArrayLike = (0, 0)) -> Camera:
        yaw, pitch = np.asarray(angles, dtype=float)
        a, b, c, d = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
        about_y = np.array([[a, 0, b], [0, 1, 0], [-b, 0, a]])
        about_x = np.array([[1, 0, 0], [0, c, -d], [0, d, c]])
        matrix = camera.world_from_camera.copy()
        matrix[:3, :3] = matrix[:3, :3] @ about_y @ about_x
        matrix[:3, 3] += step
        return dataclasses.replace(camera, world_from_camera=matrix)

    return make
