"""The verb of a checkpoint without a VAE: passes and tokens to pictures, pixel by pixel.

A picture is the proxy and, through a mask, a residual to it; one network says both. Where the mask is zero
the proxy stays as it was. The network sees the proxy, with or without noise upon it. Without noise one step
gives the faithful frame; with noise it makes up detail, and each further step starts from the last one's
picture with less of it.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from torch import Tensor

from na_core.compose.passes import Passes
from na_core.model.box_channels import BOX_CHANNELS
from na_core.model.decoder import Conditions, OnStep, initial_noise, without_objects
from na_core.model.latents import PATCH, latent_channels, to_latents, to_pictures
from na_core.model.switches import seen_passes, seen_spatial
from na_core.model.tokens import Tokens
from na_core.scene import Sampling

MOST_NOISE = 0.3
"""Standard deviation of the noise that several steps begin with, for pictures in [-1, 1]."""

LEVELS = 1000
"""What the network is told of a noise of standard deviation one."""

CELL_CHANNELS = 2 * PATCH**2 + 3
"""Of :func:`pass_channels`."""

FINE = 4
"""Pixels along the side of the patches that the network itself works on. Four learn faster than eight."""

INPUTS = (2 * 3 + 2) * FINE**2 + BOX_CHANNELS + 3
"""Channels that the network sees: noisy proxy, proxy, passes of pixels, boxes and shadow."""

OUTPUTS = 4 * FINE**2
"""Of the network: a patch's residuals and its mask."""


def pass_channels(passes: Passes) -> Tensor:
    """Return what passes say of each pixel of a cell: (B, :data:`CELL_CHANNELS`, H / 8, W / 8) float32.

    Whether the photo showed its point, whether it shows an object, and, on average, its shadow.
    """
    pixels = torch.stack([passes.validity, passes.index >= 0], dim=1).float()
    return torch.cat([F.pixel_unshuffle(pixels, PATCH), 1 - F.avg_pool2d(passes.shadow, PATCH)], dim=1)


def residual_of(
    unet: UNet2DConditionModel,
    noisy: Tensor,
    level: Tensor,
    extra: Tensor,
    tokens: Tensor,
    mask: Tensor | None,
    blend_mask: bool = True,
) -> Tensor:
    """Return the residual to the proxy, times its mask, (B, 192, h, w) float32 in units of [-1, 1].

    Args:
        unet: the network.
        noisy: (B, 192, h, w), the patches of the proxy with noise upon them.
        level: (B,), standard deviations of the noise.
        extra: (B, C, h, w), what it sees beside.
        tokens, mask: see :class:`na_core.model.tokens.Tokens`.
        blend_mask: without it the residual counts as it is.
    """
    cells = latent_channels(None)
    proxy, boxes, pixels, shadow = extra.split([cells, BOX_CHANNELS, CELL_CHANNELS - 3, 3], dim=1)
    fine = [F.pixel_unshuffle(F.pixel_shuffle(each, PATCH), FINE) for each in (noisy, proxy, pixels)]
    coarse = F.interpolate(torch.cat([boxes, shadow], dim=1), scale_factor=PATCH / FINE, mode="nearest")
    inputs = torch.cat([*fine, coarse], dim=1).contiguous(memory_format=torch.channels_last)
    out = unet(
        inputs, level * LEVELS, encoder_hidden_states=tokens, encoder_attention_mask=mask
    ).sample.float()
    residual, gate = F.pixel_shuffle(out, FINE).split([3, 1], dim=1)
    return F.pixel_unshuffle(residual * gate.sigmoid() if blend_mask else residual, PATCH)


@dataclass(frozen=True)
class PixelDecoder:
    """The network that turns passes and tokens into corrections of proxies, and how it does it.

    Attributes:
        unet, config: see :class:`na_core.model.pipeline.NeuralAssetsPipeline`.
    """

    unet: UNet2DConditionModel
    config: Any
    corrects = True

    @property
    def dtype(self) -> torch.dtype:
        """In which the network computes."""
        return self.unet.conv_in.weight.dtype

    def conditions(
        self, passes: Passes, channels: Tensor, tokens: Tokens, noise_ids: Tensor | None
    ) -> Conditions:
        """Return what the network sees of frames; see :meth:`na_core.model.decoder.Decoder.conditions`."""
        proxy = to_latents(None, passes.proxy * 2 - 1).to(self.dtype)
        seen, maps = seen_spatial(self.config, proxy, channels.to(self.dtype))
        pixels = seen_passes(self.config, pass_channels(passes).to(self.dtype))
        extra = torch.cat([seen, maps, pixels], dim=1)
        return Conditions(tokens, tuple(proxy.shape), proxy, None, extra, noise_ids)

    def decode(self, conditions: Conditions, sampling: Sampling, on_step: OnStep) -> Tensor:
        """Decode corrections to proxies; see :meth:`na_core.model.decoder.Decoder.decode`."""
        proxy = conditions.proxy_latents
        assert proxy is not None
        first = latent_channels(None)
        boxes = slice(first, first + BOX_CHANNELS)
        null = without_objects(conditions, boxes) if sampling.guidance != 1 else None
        correction = torch.zeros_like(proxy, dtype=torch.float32)
        levels = torch.linspace(self.noise_level(sampling), 0, sampling.steps).tolist()
        noise = torch.zeros_like(proxy)
        if levels[0]:
            noise = initial_noise(conditions, sampling.seed, PATCH).to(self.dtype)
        for step, level in enumerate(levels, start=1):
            noisy = proxy + correction.to(proxy.dtype) + level * noise
            found = self._correction(noisy, level, conditions)
            if null is not None:
                other = self._correction(noisy, level, null)
                found = other + sampling.guidance * (found - other)
            correction = found
            on_step(step, lambda made=correction: to_pictures(None, made))  # type: ignore[misc]
        return to_pictures(None, correction)

    def noise_level(self, sampling: Sampling) -> float:
        """Return the standard deviation of the noise that a sampling starts from: none for a single step."""
        return 0.0 if sampling.steps == 1 else MOST_NOISE

    def _correction(self, noisy: Tensor, level: float, conditions: Conditions) -> Tensor:
        levels = torch.full((len(noisy),), level, device=noisy.device)
        tokens, extra = conditions.tokens, conditions.unet_extra
        assert extra is not None
        return residual_of(
            self.unet, noisy, levels, extra, tokens.values, tokens.mask, self.config.blend_mask
        )
