"""Random frames and what they show, for the comparison with numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from na_core.geometry.boxes import bounds_2d, box_matrix, source_quarter_turns
from na_core.geometry.boxmap import box_map
from na_core.geometry.camera import camera_of_photo, project_points
from na_core.geometry.photo_views import PhotoView, photo_views
from na_core.geometry.relief import Relief, through_box
from na_core.model.batched.cameras import Cameras
from na_core.model.batched.frames import FrameBatch, frame_batch
from na_core.model.batched.reliefs import pack
from na_core.scene import Asset, Background, Box, Camera, Frame, Photo, PlacedAsset


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@dataclass(frozen=True)
class Stage:
    """Frames, and the pictures (H, W, 3) uint8 that they name by SHA-256."""

    frames: tuple[Frame, ...]
    photos: dict[str, NDArray[np.uint8]]
    reliefs: dict[PhotoView, Relief] | None = None

    @property
    def pictures(self) -> dict[str, NDArray[np.float32]]:
        """As numpy's functions take them."""
        return {name: photo.astype(np.float32) / 255 for name, photo in self.photos.items()}

    def batch(self, slots: int | None = None) -> FrameBatch:
        """As the batched ones do."""
        numbers = {name: number for number, name in enumerate(self.photos)}
        pictures = torch.from_numpy(np.stack(list(self.photos.values())))
        batch = frame_batch(self.frames, numbers, pictures, slots)
        if self.reliefs is None:
            return batch
        found = {view.sha256: relief for view, relief in self.reliefs.items()}
        none = Relief(*(np.full(pictures.shape[1:3], fill) for fill in (-1, np.inf, np.inf, -1)))
        chosen = [found.get(name, none) for name in self.photos]
        parts = [
            torch.from_numpy(np.stack([getattr(relief, part) for relief in chosen]))
            for part in ("owner", "depth", "far", "cover")
        ]
        return replace(batch, reliefs=pack(*parts))


def with_reliefs(stage: Stage, seed: int) -> Stage:
    """Give a stage's photos reliefs: in each box an ellipse, uneven, and a wider one that it may cover."""
    rng = np.random.default_rng(seed)
    reliefs = {}
    for view in photo_views(stage.frames[0]):
        height, width = stage.photos[view.sha256].shape[:2]
        hits = box_map(view.camera, [box.world_from_box for box in view.boxes], width, height)
        owner, cover = np.full((height, width), -1, np.int32), np.full((height, width), -1, np.int32)
        depth = np.full((height, width), np.inf, np.float32)
        far = depth.copy()
        for index, local in ((hits.second_index, hits.second_local), (hits.index, hits.local)):
            radius = (local**2).sum(-1) / rng.uniform(1.3, 2.2)
            shows = (index >= 0) & (radius < 1)
            wider = (index >= 0) & (radius < 1.3)
            cover[wider] = index[wider]
            owner[shows] = index[shows]
            for number, box in enumerate(view.boxes):
                chosen = shows & (index == number)
                enter, leave = through_box(view.camera, box.world_from_box, local[chosen])
                share = 0.3 + 0.4 * np.abs(local[chosen]).min(-1, keepdims=True)
                matrix = box.world_from_box
                for plane, way in ((depth, share), (far, 0.4 + 0.6 * share)):
                    inner = enter + way * (leave - enter)
                    world = inner / 2 @ matrix[:3, :3].T + matrix[:3, 3]
                    plane[chosen] = project_points(view.camera, world)[:, 2]
        cover = np.where(owner < 0, cover, owner)
        parts = (torch.from_numpy(part[None]) for part in (owner, depth, far, cover))
        packed = pack(*parts)
        depth, far = (np.where(owner < 0, np.float32(np.inf), of[0]) for of in (packed.depth, packed.far))
        reliefs[view] = Relief(owner, depth, far, cover)
    return replace(stage, reliefs=reliefs)


def smooth_photo(rng: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    """Paint waves of all directions, so that every place has its own colour."""
    y, x = np.mgrid[:height, :width] / max(width, height)
    waves = [np.sin(rng.uniform(-20, 20) * x + rng.uniform(-20, 20) * y + c) for c in range(3)]
    return np.rint(255 * (0.5 + 0.5 * np.stack(waves, -1))).astype(np.uint8)


def placed_on_ground(rng: np.random.Generator) -> Box:
    centre = (rng.uniform(-1.5, 1.5), rng.uniform(2.5, 6), rng.uniform(0.1, 0.6))
    return Box(box_matrix(centre, rng.uniform(0.3, 1.2, 3), rng.uniform(-3, 3)))


def photographed(
    rng: np.random.Generator, name: str, count: int, width: int, height: int, tight: bool = True
) -> tuple[Camera, list[Asset]]:
    """Stand boxes before a camera; 2D boxes are tight around the boxes, or smaller."""
    camera = camera_of_photo(rng.uniform(0.8, 1.6) * width, width, height, 1.5, rng.uniform(0.1, 0.5))
    assets = []
    for number in range(count):
        box = placed_on_ground(rng)
        x0, y0, x1, y1 = bounds_2d(camera, box)
        inset = 0.0 if tight else 0.1
        across, down = inset * (x1 - x0), inset * (y1 - y0)
        rectangle = (x0 + across, y0 + down, x1 - across, y1 - down)
        turns = source_quarter_turns(box, camera)
        assets.append(Asset(f"{name} {number}", Photo(name * 64), box, camera, rectangle, turns))
    return camera, assets


def random_frame(seed: int, width: int = 80, height: int = 64, still: bool = False) -> Stage:
    """Return a frame in which things stand still, move, leave and come from another photo.

    Args:
        seed: of all that is random.
        width, height: of the photos in pixels.
        still: nothing moves, leaves or comes.
    """
    rng = np.random.default_rng(seed)
    camera, assets = photographed(rng, "a", int(rng.integers(0, 5)), width, height, bool(rng.random() < 0.5))
    _, guests = photographed(rng, "b", 2, width, height)
    photos = {name * 64: smooth_photo(rng, width, height) for name in "ab"}
    background = Background(Photo("a" * 64), camera, tuple(asset.source_box for asset in assets))
    placed = [PlacedAsset(asset, asset.source_box) for asset in assets]
    seen_from = camera
    if not still:
        if placed and rng.random() < 0.5:
            del placed[int(rng.integers(len(placed)))]
        placed = [PlacedAsset(p.asset, placed_on_ground(rng)) if rng.random() < 0.6 else p for p in placed]
        if rng.random() < 0.5:
            placed += [PlacedAsset(guest, placed_on_ground(rng)) for guest in guests]
        if rng.random() < 0.5:
            matrix = camera.world_from_camera.copy()
            matrix[:3, 3] += rng.uniform(-0.4, 0.4, 3)
            seen_from = replace(camera, world_from_camera=matrix, fx=camera.fx * rng.uniform(0.8, 1.2))
    return Stage((Frame(seen_from, tuple(placed), background),), photos)


def cameras_of(cameras: Sequence[Camera]) -> Cameras:
    """Write cameras as tensors (B,)."""
    return Cameras(
        torch.from_numpy(np.stack([camera.world_from_camera for camera in cameras])),
        torch.tensor([(c.fx, c.fy, c.cx, c.cy) for c in cameras], dtype=torch.float64),
    )


def boxes_of(boxes: Sequence[Sequence[NDArray[np.float64]]]) -> Tensor:
    """Write boxes as a tensor (B, N, 4, 4)."""
    return torch.from_numpy(np.array(boxes, np.float64).reshape(len(boxes), -1, 4, 4))


@pytest.fixture(scope="session")
def make_frame() -> Callable[..., Stage]:
    return random_frame


@pytest.fixture(scope="session")
def make_relief() -> Callable[..., Stage]:
    return with_reliefs


@pytest.fixture(scope="session")
def to_cameras() -> Callable[..., Cameras]:
    return cameras_of


@pytest.fixture(scope="session")
def to_boxes() -> Callable[..., Tensor]:
    return boxes_of


@pytest.fixture(scope="session")
def several() -> Stage:
    """Return eight frames that share a batch: every kind of change is among them."""
    frames, photos = [], {}
    for seed in range(8):
        stage = random_frame(seed)
        renamed = {name: f"{name[:8]}{seed:056}" for name in stage.photos}
        text = stage.frames[0].to_json()
        for old, new in renamed.items():
            text = text.replace(old, new)
            photos[new] = stage.photos[old]
        frames.append(Frame.from_json(text))
    return Stage(tuple(frames), photos)


@pytest.fixture
def every_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let lists hold all pixels, as on a GPU."""
    from na_core.model.batched import boxmap, pixels, reliefs

    for module in (boxmap, pixels, reliefs):
        monkeypatch.setattr(module, "listing_pays", lambda device: False)
