"""Masks and depths are the same pixels in both forms."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from na_core.data.index_pictures import indices_webp, read_indices, read_steps, steps_webp


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def png(pixels: np.ndarray, palette: bool = False) -> bytes:
    image = Image.fromarray(pixels)
    if palette:
        image.putpalette([level for level in range(256) for _ in range(3)])
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def test_every_index_comes_back() -> None:
    indices = np.random.default_rng(0).integers(0, 256, (40, 30)).astype(np.uint8)
    for data in (indices_webp(indices), png(indices, palette=True)):
        np.testing.assert_array_equal(read_indices(opened(data)), indices)


def test_every_step_comes_back() -> None:
    steps = np.arange(65536).reshape(256, 256).astype(np.uint16)
    for data in (steps_webp(steps), png(steps)):
        found = read_steps(opened(data))
        assert found.dtype == np.uint16
        np.testing.assert_array_equal(found, steps)


def test_pictures_of_another_form_are_refused() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (8, 8, 3)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(colours).save(out, "WEBP", lossless=True)
    with pytest.raises(ValueError, match="expected a grey picture"):
        read_indices(opened(out.getvalue()))
    with pytest.raises(ValueError, match="a blue channel as well"):
        read_steps(opened(out.getvalue()))
    with pytest.raises(ValueError, match="expected mode P, got RGB"):
        read_indices(opened(png(colours)))
    with pytest.raises(ValueError, match="expected mode I;16, got RGB"):
        read_steps(opened(png(colours)))
