"""sRGB values and the linear light that they stand for (IEC 61966-2-1)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def srgb_from_linear(light: NDArray[np.floating[Any]]) -> NDArray[Any]:
    """Return the sRGB values of linear light in [0, 1], of any shape."""
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.power(light, 1 / 2.4) - 0.055)


def linear_from_srgb(values: NDArray[np.floating[Any]]) -> NDArray[Any]:
    """Return the linear light of sRGB values in [0, 1], of any shape."""
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
