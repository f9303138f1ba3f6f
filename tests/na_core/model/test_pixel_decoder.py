"""A decoder without a VAE: what it does not change is the proxy, to the bit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from na_core.model.box_channels import BOX_CHANNELS
from na_core.model.checkpoints import load_checkpoint
from na_core.model.latents import PATCH, latent_channels, latent_factor, to_latents, to_pictures
from na_core.model.pipeline import NeuralAssetsPipeline, RenderCancelled
from na_core.model.pixel_decoder import CELL_CHANNELS, FINE, OUTPUTS, pass_channels, residual_of
from na_core.model.presets import build_pipeline
from na_core.scene import Frame, Sampling
from tests.na_core.studio import Studio, passes_of

Make = Callable[..., NeuralAssetsPipeline]
Render = Callable[..., NDArray[np.uint8]]


@pytest.fixture
def render(studio: Studio, moved_frame: Frame) -> Render:
    """Return a renderer of the moved frame."""

    def render(pipeline: NeuralAssetsPipeline, steps: int = 1, **changes: object) -> NDArray[np.uint8]:
        sampling = Sampling(steps, 1.0, 0, "custom", 64, 64)
        return pipeline([moved_frame], studio.photos, replace(sampling, **changes)).images[0]  # type: ignore[arg-type]

    return render


@pytest.fixture
def pixels(tiny: Make) -> NeuralAssetsPipeline:
    pipeline = tiny(pixels=True)
    pipeline.register_to_config(keep_unmoved=False)
    return pipeline


def test_without_a_vae_latents_are_patches_of_pixels() -> None:
    pictures = torch.rand(2, 3, 16, 24)
    latents = to_latents(None, pictures)
    assert latents.shape == (2, latent_channels(None), 16 // latent_factor(None), 24 // PATCH)
    assert torch.equal(to_pictures(None, latents), pictures)


def test_untrained_it_returns_the_proxy(tiny: Make, render: Render) -> None:
    pipeline = tiny(pixels=True, trained=False)
    np.testing.assert_array_equal(render(pipeline), render(pipeline, steps=0))


def test_trained_it_changes_it(pixels: NeuralAssetsPipeline, render: Render) -> None:
    assert (render(pixels) != render(pixels, steps=0)).mean() > 0.5


def test_where_the_mask_is_shut_the_proxy_stays_to_the_bit(
    pixels: NeuralAssetsPipeline, render: Render
) -> None:
    """The mask is shut on the lower half of every patch, whatever the residual."""
    gates = pixels.unet.conv_out
    shut = slice(3 * FINE**2 + FINE**2 // 2, OUTPUTS)
    with torch.no_grad():
        gates.weight[shut] = 0
        assert gates.bias is not None
        gates.bias[shut] = -1e4
    changed = (render(pixels) != render(pixels, steps=0)).any(axis=-1)
    lower = np.arange(64) % FINE >= FINE // 2
    assert not changed[lower].any()
    assert changed[~lower].mean() > 0.5


def test_one_step_knows_no_noise_and_several_do(pixels: NeuralAssetsPipeline, render: Render) -> None:
    np.testing.assert_array_equal(render(pixels, seed=1), render(pixels, seed=2))
    np.testing.assert_array_equal(render(pixels, steps=3, seed=1), render(pixels, steps=3, seed=1))
    assert (render(pixels, steps=3, seed=1) != render(pixels, steps=3, seed=2)).any()


def test_guidance_leads_away_from_a_frame_without_objects(
    pixels: NeuralAssetsPipeline, render: Render
) -> None:
    assert (render(pixels, guidance=3.0) != render(pixels)).any()


def test_it_is_told_of_every_step_and_can_be_ended(
    pixels: NeuralAssetsPipeline, studio: Studio, moved_frame: Frame
) -> None:
    sampling, told = Sampling(3, 1.0, 0, "custom", 64, 64), []

    def stop_at_two(step: int, total: int, preview: Callable[[], NDArray[np.uint8]]) -> None:
        told.append((step, total, preview().shape))
        if step == 2:
            raise RenderCancelled

    with pytest.raises(RenderCancelled):
        pixels([moved_frame], studio.photos, sampling, stop_at_two)
    assert told == [(1, 3, (64, 64, 3)), (2, 3, (64, 64, 3))]


def test_an_unmoved_frame_is_the_photo(tiny: Make, studio: Studio) -> None:
    pipeline, frame = tiny(pixels=True), studio.frame()
    sampling = Sampling(1, 1.0, 0, "custom", 64, 64)
    (photo,) = studio.photos.values()
    np.testing.assert_array_equal(pipeline([frame], studio.photos, sampling).images[0], photo)


def test_its_checkpoint_has_no_vae_and_renders_alike(
    pixels: NeuralAssetsPipeline, render: Render, tmp_path: Path
) -> None:
    pixels.save_pretrained(tmp_path, safe_serialization=True)
    assert not (tmp_path / "vae").exists()
    loaded = load_checkpoint(tmp_path)
    assert loaded.vae is None
    np.testing.assert_array_equal(render(loaded, steps=2), render(pixels, steps=2))


def test_it_sees_of_each_pixel_whether_it_is_real_and_whether_an_object(
    studio: Studio, moved_frame: Frame
) -> None:
    passes = passes_of(moved_frame, studio.photos)
    channels = pass_channels(passes)
    assert channels.shape == (1, CELL_CHANNELS, 8, 8)
    real, objects = F.pixel_shuffle(channels[:, : 2 * PATCH**2], PATCH)[0]
    assert torch.equal(real > 0, passes.validity[0])
    assert torch.equal(objects > 0, passes.index[0] >= 0)


def test_the_network_works_on_patches_that_lie_where_the_pixels_lie(tiny: Make) -> None:
    """A network that passes its proxy through as the residual doubles it, pixel by pixel."""

    class Through(torch.nn.Module):
        def forward(self, inputs: Tensor, *args: object, **settings: object) -> SimpleNamespace:
            proxy = inputs[:, 3 * FINE**2 : 6 * FINE**2]
            return SimpleNamespace(sample=torch.cat([proxy, proxy[:, : FINE**2] * 0 + 1e4], dim=1))

    pictures = torch.rand(2, 3, 32, 64)
    extra = torch.cat([to_latents(None, pictures), torch.rand(2, BOX_CHANNELS + CELL_CHANNELS, 4, 8)], dim=1)
    network: Any = Through()
    tokens = torch.zeros(2, 1, 8)
    residual = residual_of(network, torch.zeros(2, 192, 4, 8), torch.zeros(2), extra, tokens, None)
    assert torch.equal(to_pictures(None, residual), pictures)


@pytest.mark.parametrize(("preset", "size"), [("paper", "tiny"), ("guided", "sd21")])
def test_other_presets_have_none(preset: str, size: str) -> None:
    with pytest.raises(ValueError, match="no decoder of pixels"):
        build_pipeline(preset, size, pixels=True)  # type: ignore[arg-type]
