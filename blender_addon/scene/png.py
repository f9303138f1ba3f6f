"""PNG files of pixels: the same bytes for the same pixels, by which painted layers are named."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"

COLOUR_TYPES = {1: 0, 3: 2}
"""Channels to the standard's number for grey and RGB."""

LEVEL = 1
"""Of compression: painted layers are flat."""


def png_bytes(pixels: NDArray[np.uint8]) -> bytes:
    """Return the file of a picture (H, W) or (H, W, 3), the top row first (W3C PNG, filter 0)."""
    rows = pixels.reshape(pixels.shape[0], -1)
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, COLOUR_TYPES[channels], 0, 0, 0)
    unfiltered = np.zeros((rows.shape[0], 1), np.uint8)
    data = zlib.compress(np.concatenate([unfiltered, rows], axis=1).tobytes(), LEVEL)
    return SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", data) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
