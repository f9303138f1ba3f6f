"""A photographed scene of two blocks, and tiny pipelines with random weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from na_core.geometry.boxes import box_matrix
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.model.presets import Preset, build_pipeline
from na_core.scene import Frame
from tests.na_core.studio import LEFT, RIGHT, Studio, build_studio, decided


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
        preset: Preset = "guided",
        trained: bool = True,
        seed: int = 0,
        photo_network: bool = False,
        pixels: bool = False,
    ) -> NeuralAssetsPipeline:
        pipeline = build_pipeline(preset, "tiny", seed, photo_network, pixels=pixels)
        if trained:
            generator = torch.Generator().manual_seed(seed)
            for tensor in (pipeline.unet.conv_out.weight, pipeline.unet.conv_out.bias):
                tensor.data.copy_(0.3 * torch.randn(tensor.shape, generator=generator))
        if pipeline.photo_network is not None:
            decided(pipeline.photo_network)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    return make


@pytest.fixture(scope="session")
def guided(tiny: Callable[..., NeuralAssetsPipeline]) -> NeuralAssetsPipeline:
    return tiny("guided")


@pytest.fixture(scope="session")
def paper(tiny: Callable[..., NeuralAssetsPipeline]) -> NeuralAssetsPipeline:
    return tiny("paper")
