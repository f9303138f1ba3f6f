"""Colours: sRGB values and the linear light that they stand for (IEC 61966-2-1)."""

import torch
from torch import Tensor

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""Weights of red, green and blue in luminance, in linear light (ITU-R BT.709)."""


def linear_from_srgb(values: Tensor) -> Tensor:
    """Return the linear light of sRGB values in [0, 1], of any shape."""
    return torch.where(values <= 0.04045, values / 12.92, _power((values + 0.055) / 1.055, 2.4))


def srgb_from_linear(light: Tensor) -> Tensor:
    """Return the sRGB values of linear light, clipped to [0, 1], of any shape."""
    light = light.clamp(0, 1)
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * _power(light, 1 / 2.4) - 0.055)


def _power(values: Tensor, exponent: float) -> Tensor:
    """Return powers of numbers from 0: the same whatever lies beside a number, as torch's own are not."""
    return values.clamp_min(1e-12).log().mul_(exponent).exp_()
