"""VAEs alike: the small models' own and Stable Diffusion's, between pictures and scaled latents."""

from typing import TypeAlias

from diffusers import AutoencoderKL
from torch import Tensor

from na_core.model.patch_autoencoder import PatchAutoencoder

Vae: TypeAlias = PatchAutoencoder | AutoencoderKL
"""The small models' own, or Stable Diffusion's."""


def latent_factor(vae: Vae) -> int:
    """Return the pixels per latent of a VAE."""
    if isinstance(vae, PatchAutoencoder):
        return vae.patch_size
    return 2 ** (len(vae.config.block_out_channels) - 1)


def latent_channels(vae: Vae) -> int:
    """Return the channels of a VAE's latents."""
    return int(vae.config.latent_channels)


def to_latents(vae: Vae, pictures: Tensor) -> Tensor:
    """Encode pictures (B, 3, H, W) in [-1, 1] to scaled latents (B, c, h, w), without sampling."""
    if not isinstance(vae, AutoencoderKL):
        return vae.encode(pictures).latents * vae.config.scaling_factor
    return vae.encode(pictures).latent_dist.mode() * vae.config.scaling_factor


def to_pictures(vae: Vae, latents: Tensor) -> Tensor:
    """Decode scaled latents (B, c, h, w) to pictures (B, 3, H, W) in about [-1, 1]."""
    return vae.decode(latents / vae.config.scaling_factor).sample
