"""VAEs alike: the small models' own, Stable Diffusion's, or none, between pictures and scaled latents.

Without a VAE the latents are the pictures' own pixels: a cell's channels are a patch of them.
"""

from typing import TypeAlias

import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor

from na_core.model.patch_autoencoder import PatchAutoencoder

Vae: TypeAlias = PatchAutoencoder | AutoencoderKL | None
"""The small models' own, Stable Diffusion's, or none."""

PATCH = 8
"""Pixels along a cell's side, where there is no VAE."""


def latent_factor(vae: Vae) -> int:
    """Return the pixels per latent of a VAE."""
    if vae is None:
        return PATCH
    if isinstance(vae, PatchAutoencoder):
        return vae.patch_size
    return 2 ** (len(vae.config.block_out_channels) - 1)


def latent_channels(vae: Vae) -> int:
    """Return the channels of a VAE's latents."""
    if vae is None:
        return 3 * PATCH**2
    return int(vae.config.latent_channels)


def to_latents(vae: Vae, pictures: Tensor) -> Tensor:
    """Encode pictures (B, 3, H, W) in [-1, 1] to scaled latents (B, c, h, w), without sampling."""
    if vae is None:
        return F.pixel_unshuffle(pictures, PATCH)
    if not isinstance(vae, AutoencoderKL):
        return vae.encode(pictures).latents * vae.config.scaling_factor
    return vae.encode(pictures).latent_dist.mode() * vae.config.scaling_factor


def to_pictures(vae: Vae, latents: Tensor) -> Tensor:
    """Decode scaled latents (B, c, h, w) to pictures (B, 3, H, W) in about [-1, 1]."""
    if vae is None:
        return F.pixel_shuffle(latents, PATCH)
    return vae.decode(latents / vae.config.scaling_factor).sample
