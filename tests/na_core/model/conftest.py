"""A photographed scene of two blocks, and tiny pipelines with random weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike, NDArray

from na_core.geometry.boxes import bounds_2d, box_matrix, source_quarter_turns
from na_core.geometry.camera import camera_of_photo
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.model.presets import Preset, build_pipeline
from na_core.scene import Asset, Background, Box, Camera, Frame, Photo, PlacedAsset


@dataclass(frozen=True)
class Studio:
    """A photo (H, W, 3) uint8 and what stands in it."""

    photo: NDArray[np.uint8]
    name: Photo
    camera: Camera
    assets: tuple[Asset, ...]

    @property
    def photos(self) -> dict[str, NDArray[np.uint8]]:
        return {self.name.sha256: self.photo}

    @property
    def pictures(self) -> dict[str, NDArray[np.float32]]:
        return {self.name.sha256: self.photo.astype(np.float32) / 255}

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


def build_studio(
    boxes: Sequence[NDArray[np.float64]], width: int = 64, height: int = 64, seed: int = 1
) -> Studio:
    """Photograph boxes (world_from_box) from 1.5 m up, a little down, facing +Y."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3))
    photo = np.repeat(np.repeat(coarse, 4, axis=0), 4, axis=1)[:height, :width].astype(np.uint8)
    camera = camera_of_photo(1.2 * width, width, height, camera_height=1.5, pitch=0.3)
    name = Photo(f"{seed:064x}")
    assets = []
    for number, matrix in enumerate(boxes):
        box = Box(matrix)
        turns = source_quarter_turns(box, camera)
        assets.append(Asset(f"object {number}", name, box, camera, bounds_2d(camera, box), turns))
    return Studio(photo, name, camera, tuple(assets))


LEFT = box_matrix((-0.7, 4.0, 0.4), (0.7, 0.5, 0.8), yaw=0.5)
RIGHT = box_matrix((0.7, 4.5, 0.3), (0.6, 0.8, 0.6), yaw=2.0)


@pytest.fixture(scope="session")
def make_studio() -> Callable[..., Studio]:
    return build_studio


@pytest.fixture(scope="session")
def studio() -> Studio:
    """Two blocks side by side."""
    return build_studio([LEFT, RIGHT])


@pytest.fixture(scope="session")
def moved_frame(studio: Studio) -> Frame:
    """The left block further right and turned, seen from a camera a little higher."""
    matrix = studio.camera.world_from_camera.copy()
    matrix[2, 3] += 0.2
    camera = replace(studio.camera, world_from_camera=matrix)
    return studio.frame({0: box_matrix((-0.3, 4.2, 0.4), (0.7, 0.5, 0.8), yaw=1.4)}, camera)


@pytest.fixture(scope="session")
def tiny() -> Callable[..., NeuralAssetsPipeline]:
    """Return a maker of tiny pipelines; ``trained`` ones have a last layer that is not zero."""

    def make(
        preset: Preset = "guided", trained: bool = True, seed: int = 0, relief: bool = False
    ) -> NeuralAssetsPipeline:
        pipeline = build_pipeline(preset, "tiny", seed, relief)
        if trained:
            generator = torch.Generator().manual_seed(seed)
            for tensor in (pipeline.unet.conv_out.weight, pipeline.unet.conv_out.bias):
                tensor.data.copy_(0.3 * torch.randn(tensor.shape, generator=generator))
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    return make


@pytest.fixture(scope="session")
def guided(tiny: Callable[..., NeuralAssetsPipeline]) -> NeuralAssetsPipeline:
    return tiny("guided")


@pytest.fixture(scope="session")
def paper(tiny: Callable[..., NeuralAssetsPipeline]) -> NeuralAssetsPipeline:
    return tiny("paper")
