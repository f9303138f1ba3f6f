"""The verb: passes and tokens to pictures. What every decoder answers, and what they share.

What a decoder changes of the proxy is its *correction*; that is blended over the proxy elsewhere, at the size
of the output.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from na_core.compose.passes import Passes
from na_core.model.anchored_noise import anchored_noise
from na_core.model.tokens import Tokens
from na_core.scene import Sampling

OnStep = Callable[[int, Callable[[], Tensor]], None]
"""Called after each step with its number, from 1, and a function that decodes the present estimate."""


@dataclass(frozen=True)
class Conditions:
    """What the UNet sees beside the noisy latents.

    Attributes:
        tokens: see :class:`na_core.model.tokens.Tokens`.
        shape: (B, c, h, w) of the latents.
        proxy_latents: (B, c, h, w) that the residual is added to, or None.
        residual_std: (B or 1, 1, h or 1, w or 1), the unit of the residual, or None.
        unet_extra: (B, C, h, w) channels beside the noisy latents, or None (``paper``).
        noise_ids: (B, h', w') what the noise sticks to, see :mod:`na_core.model.anchored_noise`, or None.
    """

    tokens: Tokens
    shape: tuple[int, ...]
    proxy_latents: Tensor | None
    residual_std: Tensor | None
    unet_extra: Tensor | None
    noise_ids: Tensor | None


class Decoder(Protocol):
    """Turns passes and tokens into pictures."""

    @property
    def dtype(self) -> torch.dtype:
        """In which its network computes."""

    @property
    def corrects(self) -> bool:
        """Whether what it decodes are corrections to proxies, not pictures."""

    def conditions(
        self, passes: Passes, channels: Tensor, tokens: Tokens, noise_ids: Tensor | None
    ) -> Conditions:
        """Return what its network sees of frames.

        Args:
            passes: of B frames at the decoder's size.
            channels: of their boxes, see :func:`na_core.model.box_channels.box_channels`.
            tokens: of their objects and backgrounds.
            noise_ids: see :func:`na_core.model.anchored_noise.noise_ids`; None for noise that sticks to the
                screen.
        """

    def decode(self, conditions: Conditions, sampling: Sampling, on_step: OnStep) -> Tensor:
        """Decode pictures, or corrections to proxies where the decoder makes those: (B, 3, H, W) in [-1, 1].

        Args:
            conditions: of B frames.
            sampling: steps, guidance and seed; the size is that of the conditions.
            on_step: told of every step; may raise to end it.
        """

    def noise_level(self, sampling: Sampling) -> float:
        """Return the standard deviation of the noise that a sampling starts from."""


def without_objects(conditions: Conditions, boxes: slice) -> Conditions:
    """Return the other branch of guidance: without object, pose and boxes.

    Args:
        conditions: of frames.
        boxes: the channels beside the noisy latents that tell of boxes.
    """
    tokens, extra = conditions.tokens, conditions.unet_extra
    assert tokens.null is not None
    if extra is not None:
        extra = extra.clone()
        extra[:, boxes] = 0
    return replace(conditions, tokens=replace(tokens, values=tokens.null), unet_extra=extra)


def initial_noise(conditions: Conditions, seed: int, factor: int) -> Tensor:
    """Return the noise (B, c, h, w) that frames start from: that of the seed, anchored if it is to be.

    Args:
        conditions: of B frames.
        seed: of the noise.
        factor: pixels per latent.
    """
    count, *shape = conditions.shape
    device = conditions.tokens.values.device
    noise = torch.randn(1, *shape, generator=torch.Generator("cpu").manual_seed(seed)).to(device)
    noise = noise.repeat(count, 1, 1, 1)
    if conditions.noise_ids is None:
        return noise
    seeds = torch.full((count,), seed, device=device)
    return anchored_noise(conditions.noise_ids, seeds, shape[0], factor, noise)
