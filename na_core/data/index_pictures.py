"""Index pictures: masks and depths as files, and their pixels.

Each has two forms. The generator writes PNG: a palette's indices, or 16 bits a pixel. Lossless WebP is a
quarter to a half smaller, and has 8-bit channels only: a mask is grey, its level the index; of a depth, red
is the high byte, green the low one, and blue is 0.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image


def read_indices(image: Image.Image) -> NDArray[np.uint8]:
    """Return the indices (H, W) of an opened mask.

    Raises:
        ValueError: it is neither a palette PNG nor a grey WebP.
        OSError: it is damaged.
    """
    if image.format == "WEBP":
        pixels = np.asarray(image.convert("RGB"))
        if (pixels != pixels[..., :1]).any():
            raise ValueError("expected a grey picture, got a coloured one")
        return pixels[..., 0]
    return _in_mode(image, "P")


def read_steps(image: Image.Image) -> NDArray[np.uint16]:
    """Return the 16-bit steps (H, W) of an opened depth picture.

    Raises:
        ValueError: it is neither a 16-bit PNG nor a WebP of two bytes a pixel.
        OSError: it is damaged.
    """
    if image.format == "WEBP":
        pixels = np.asarray(image.convert("RGB")).astype(np.uint16)
        if pixels[..., 2].any():
            raise ValueError("expected two bytes in red and green, got a blue channel as well")
        return pixels[..., 0] * np.uint16(256) + pixels[..., 1]
    return _in_mode(image, "I;16")


def indices_webp(indices: NDArray[np.uint8]) -> bytes:
    """Return a mask (H, W) as lossless WebP."""
    return _webp(np.stack([indices] * 3, axis=-1))


def steps_webp(steps: NDArray[np.uint16]) -> bytes:
    """Return a depth picture (H, W) as lossless WebP."""
    high, low = (steps >> 8).astype(np.uint8), (steps & 255).astype(np.uint8)
    return _webp(np.stack([high, low, np.zeros_like(low)], axis=-1))


def _in_mode(image: Image.Image, mode: str) -> NDArray:
    if image.mode != mode:
        raise ValueError(f"expected mode {mode}, got {image.mode}")
    return np.asarray(image)


def _webp(pixels: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", lossless=True, quality=100, method=6, exact=True)
    return out.getvalue()
