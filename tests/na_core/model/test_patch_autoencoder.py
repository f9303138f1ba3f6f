"""The small models' VAE: what its linear code promises before any training."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from na_core.model.patch_autoencoder import PatchAutoencoder


def smooth_pictures(count: int = 6, side: int = 64, seed: int = 0) -> torch.Tensor:
    """Return pictures (count, 3, side, side) in [-1, 1] of low-frequency noise."""
    coarse = torch.rand(count, 3, side // 16, side // 16, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(0, 1) * 2 - 1


def psnr(first: torch.Tensor, second: torch.Tensor) -> float:
    return float(10 * torch.log10(4 / (first - second).detach().square().mean()))


@pytest.fixture(scope="module")
def fitted() -> PatchAutoencoder:
    torch.manual_seed(0)
    vae = PatchAutoencoder(latent_channels=24, width=16)
    vae.fit(smooth_pictures().split(2))
    return vae.eval()


def test_the_untrained_code_is_the_best_linear_one(fitted):
    held_out = smooth_pictures(seed=1)
    patches = torch.nn.functional.pixel_unshuffle(smooth_pictures(), 8).transpose(0, 1).flatten(1).double()
    mean = patches.mean(dim=1, keepdim=True)
    values = torch.linalg.eigvalsh(torch.cov(patches, correction=0)).flip(0)
    decoded = fitted.decode(fitted.encode(smooth_pictures()).latents).sample
    lost = (decoded.detach() - smooth_pictures()).square().mean()
    assert float(lost) == pytest.approx(float(values[24:].sum() / len(mean)), rel=0.02)
    assert psnr(fitted.decode(fitted.encode(held_out).latents).sample, held_out) > 30


def test_an_error_in_the_latents_is_the_same_error_in_the_picture(fitted):
    latents = fitted.encode(smooth_pictures()).latents
    change = torch.randn(latents.shape, generator=torch.Generator().manual_seed(2)) * 0.1
    moved = fitted.decode(latents + change).sample - fitted.decode(latents).sample
    assert float(moved.square().sum()) == pytest.approx(float(change.square().sum()), rel=1e-4)


def test_the_same_pictures_give_the_same_code(fitted):
    again = PatchAutoencoder(latent_channels=24, width=16)
    again.fit(smooth_pictures().split(3))
    torch.testing.assert_close(again.analysis.weight, fitted.analysis.weight, atol=1e-3, rtol=1e-3)


def test_saved_and_loaded_it_is_the_same(fitted, tmp_path):
    fitted.register_to_config(scaling_factor=0.7)
    fitted.save_pretrained(tmp_path, safe_serialization=True)
    loaded = PatchAutoencoder.from_pretrained(tmp_path, use_safetensors=True)
    assert loaded.config.scaling_factor == 0.7
    picture = smooth_pictures(1, seed=3)
    with torch.no_grad():
        np.testing.assert_array_equal(loaded.encode(picture).latents, fitted.encode(picture).latents)


@pytest.mark.parametrize("size", [(8, 8), (16, 40)])
def test_any_whole_number_of_patches_comes_back(fitted, size):
    picture = torch.zeros(2, 3, *size)
    encoded = fitted.encode(picture).latents
    assert encoded.shape == (2, 24, size[0] // 8, size[1] // 8)
    assert fitted.decode(encoded).sample.shape == picture.shape


def test_training_improves_on_the_linear_code():
    torch.manual_seed(0)
    pictures = smooth_pictures(4, 32)
    vae = PatchAutoencoder(latent_channels=4, width=16)
    vae.fit([pictures])
    optimizer = torch.optim.Adam(vae.parameters(), 2e-3)
    losses = []
    for _ in range(60):
        loss = (vae.decode(vae.encode(pictures).latents).sample - pictures).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert losses[-1] < 0.9 * losses[0]
