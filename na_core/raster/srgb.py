"""sRGB colours as amounts of light, and back: by the exact curve (IEC 61966-2-1)."""

import torch
from torch import Tensor


def to_linear(colours: Tensor) -> Tensor:
    """Return sRGB colours (...,) in [0, 1] as linear light in [0, 1]."""
    return torch.where(colours <= 0.04045, colours / 12.92, _power((colours + 0.055) / 1.055, 2.4))


def to_srgb(light: Tensor) -> Tensor:
    """Return linear light (...,), clipped to [0, 1], as sRGB colours."""
    light = light.clamp(0, 1)
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * _power(light, 1 / 2.4) - 0.055)


def _power(values: Tensor, exponent: float) -> Tensor:
    """Return powers of numbers from 0: the same whatever lies beside a number, as torch's own are not."""
    return values.clamp_min(1e-12).log_().mul_(exponent).exp_()
