"""Cryptomatte: masks of named objects, as compositors read them (Psyop's specification, version 1.2.0).

Of every pixel it holds which objects it shows most of, by a number that their name hashes to, and how much.
Standard library and numpy only: the add-on writes the same names into its files.
"""

import json
import struct
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

LEVELS = 3
"""Passes of two ranks each: six objects of a pixel at most, as Blender's own default."""

OBJECTS = "CryptoObject"
"""What the passes are called before their number."""


def murmur3(data: bytes, seed: int = 0) -> int:
    """Return the 32-bit MurmurHash3 (Appleby) of bytes."""
    value, whole = seed, len(data) // 4 * 4
    for (word,) in struct.iter_unpack("<I", data[:whole]):
        value ^= _mixed(word)
        value = (value << 13 | value >> 19) & 0xFFFFFFFF
        value = (value * 5 + 0xE6546B64) & 0xFFFFFFFF
    if tail := data[whole:]:
        value ^= _mixed(int.from_bytes(tail, "little"))
    value ^= len(data)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        value ^= value >> shift
        value = value * factor & 0xFFFFFFFF
    return value ^ value >> 16


def identifier(name: str) -> int:
    """Return the bits of the float that stands for a name: its hash, but never zero, endless or no number."""
    bits = murmur3(name.encode())
    exponent = bits >> 23 & 255
    return bits ^ (1 << 23) if exponent in (0, 255) else bits


def metadata(layer: str, names: Iterable[str]) -> dict[str, str]:
    """Return what a file's header says, so that readers know the objects by their names.

    Args:
        layer: name of the view layer, such as ``ViewLayer``.
        names: of the objects.
    """
    of = f"{layer}.{OBJECTS}"
    key = f"cryptomatte/{murmur3(of.encode()):08x}"[: len("cryptomatte/") + 7]
    manifest = {name: f"{identifier(name):08x}" for name in sorted(set(names))}
    return {
        f"{key}/name": of,
        f"{key}/hash": "MurmurHash3_32",
        f"{key}/conversion": "uint32_to_float32",
        f"{key}/manifest": json.dumps(manifest, ensure_ascii=False),
    }


def ranked(coverage: Mapping[str, NDArray[np.floating]], shape: Sequence[int]) -> NDArray[np.float32]:
    """Return the passes (:data:`LEVELS`, H, W, 4): number and coverage of two objects each, the most first.

    Args:
        coverage: how much of each pixel (H, W) shows the objects of each name.
        shape: height and width.
    """
    ranks = np.zeros((2 * LEVELS, *shape, 2), np.float32)
    if coverage:
        bits = np.array([identifier(name) for name in coverage], np.uint32)
        shares = np.stack([np.asarray(each, np.float32) for each in coverage.values()])
        order = np.argsort(-shares, axis=0, kind="stable")[: 2 * LEVELS]
        found = np.take_along_axis(shares, order, axis=0)
        ranks[: len(order), ..., 0] = np.where(found > 0, bits.view(np.float32)[order], 0)
        ranks[: len(order), ..., 1] = found
    return np.ascontiguousarray(
        ranks.reshape(LEVELS, 2, *shape, 2).transpose(0, 2, 3, 1, 4).reshape(LEVELS, *shape, 4)
    )


def _mixed(word: int) -> int:
    word = word * 0xCC9E2D51 & 0xFFFFFFFF
    word = (word << 15 | word >> 17) & 0xFFFFFFFF
    return word * 0x1B873593 & 0xFFFFFFFF
