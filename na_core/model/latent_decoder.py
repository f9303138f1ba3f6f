"""Passes and tokens to pictures by latent diffusion: the decoder of a checkpoint with a VAE.

It diffuses the picture, or, where it starts from the proxy, the residual to it.
"""

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor

from na_core.compose.passes import Passes
from na_core.model.decoder import Conditions, OnStep, initial_noise, without_objects
from na_core.model.latents import Vae, latent_channels, latent_factor, to_latents, to_pictures
from na_core.model.residual import residual_scale
from na_core.model.switches import seen_spatial
from na_core.model.tokens import Tokens
from na_core.scene import Sampling


@dataclass(frozen=True)
class LatentDecoder:
    """The networks that turn passes and tokens into pictures, and how they do it.

    A single step from pure noise makes the mean of what might be. Noise has no part in a mean: what a small
    network lets through of it are speckles. A checkpoint says by ``single_step_noise`` how much it wants.

    Attributes:
        vae, unet, scheduler: see :class:`na_core.model.pipeline.NeuralAssetsPipeline`.
        config: of the pipeline: its switches.
    """

    vae: Vae
    unet: UNet2DConditionModel
    scheduler: DDIMScheduler
    config: Any

    @property
    def dtype(self) -> torch.dtype:
        """In which the UNet computes. Its own ``dtype`` asks all its modules, which takes milliseconds."""
        return self.unet.conv_in.weight.dtype

    def conditions(
        self, passes: Passes, channels: Tensor, tokens: Tokens, noise_ids: Tensor | None
    ) -> Conditions:
        """Return what the UNet sees of frames; see :meth:`na_core.model.decoder.Decoder.conditions`."""
        config, dtype = self.config, self.dtype
        shape = len(channels), latent_channels(self.vae), *channels.shape[-2:]
        latents = std = extra = None
        if config.residual or config.spatial_conditioning:
            proxy = to_latents(self.vae, (passes.proxy * 2 - 1).to(dtype))
            if config.residual:
                latents = proxy
                std = residual_scale(channels, config.residual_scale, config.residual_variance)
            if config.spatial_conditioning:
                extra = torch.cat(seen_spatial(config, proxy, channels.to(dtype)), dim=1)
        return Conditions(tokens, shape, latents, std, extra, noise_ids)

    def decode(self, conditions: Conditions, sampling: Sampling, on_step: OnStep) -> Tensor:
        """Decode pictures, or corrections to proxies; see :meth:`na_core.model.decoder.Decoder.decode`."""
        null = None
        if sampling.guidance != 1:  # it keeps the proxy, which the residual is measured from
            null = without_objects(conditions, slice(latent_channels(self.vae), None))
        level = self.noise_level(sampling) * self.scheduler.init_noise_sigma
        noise = initial_noise(conditions, sampling.seed, latent_factor(self.vae))
        latents = noise.to(self.dtype) * level
        self.scheduler.set_timesteps(sampling.steps, device=latents.device)
        for step, timestep in enumerate(self.scheduler.timesteps, start=1):
            scaled = self.scheduler.scale_model_input(latents, timestep)
            prediction = self.predict(scaled, timestep, conditions)
            if null is not None:
                unconditional = self.predict(scaled, timestep, null)
                prediction = unconditional + sampling.guidance * (prediction - unconditional)
            result = self.scheduler.step(prediction, timestep, latents, eta=0.0)
            latents = result.prev_sample
            estimate = latents if result.pred_original_sample is None else result.pred_original_sample
            on_step(step, lambda estimate=estimate: self.picture(estimate, conditions))  # type: ignore[misc]
        return self.picture(latents, conditions)

    def noise_level(self, sampling: Sampling) -> float:
        """Return the standard deviation of the noise that a sampling starts from, before the scheduler's."""
        return float(self.config.single_step_noise) if sampling.steps == 1 else 1.0

    def predict(self, latents: Tensor, timestep: Tensor, conditions: Conditions) -> Tensor:
        """Run the UNet on noisy latents (B, c, h, w) at a timestep () or (B,): its output (B, c, h, w)."""
        if conditions.unet_extra is not None:
            latents = torch.cat([latents, conditions.unet_extra], dim=1)
        return self.unet(
            latents,
            timestep,
            encoder_hidden_states=conditions.tokens.values,
            encoder_attention_mask=conditions.tokens.mask,
        ).sample

    @property
    def corrects(self) -> bool:
        """Whether what it decodes are corrections to proxies, not pictures."""
        return bool(self.config.residual and self.config.detail_transfer)

    def picture(self, latents: Tensor, conditions: Conditions) -> Tensor:
        """Return what latents, or residual latents, stand for: see :meth:`decode`."""
        anchor, std = conditions.proxy_latents, conditions.residual_std
        if anchor is not None and std is not None:
            latents = anchor + latents * std.to(latents.dtype)
        decoded = to_pictures(self.vae, latents)
        if self.corrects:
            assert anchor is not None
            decoded = decoded - to_pictures(self.vae, anchor)
        return decoded.float()
