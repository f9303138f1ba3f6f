"""Passes as multilayer OpenEXR files, with the names, units and signs of Blender's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from na_core.scene import Frame, Picture
from server.exr import write_exr
from server.failures import Failure

if TYPE_CHECKING:
    from na_core.compose.frame_passes import FramePasses

LAYER = "ViewLayer"
"""Name of the view layer that passes are of, as Blender's own default is called."""

Planes = dict[str, NDArray[np.floating]]


@dataclass(frozen=True)
class Shown:
    """A frame, its picture (H, W, 3) and its passes, and the frames before and after it."""

    frame: Frame
    picture: Picture
    passes: FramePasses
    before: Frame | None
    after: Frame | None


def _combined(shown: Shown) -> Planes:
    return _colours("Combined", shown.picture / np.float32(255))


def _colours(name: str, srgb: NDArray[np.floating]) -> Planes:
    """Return sRGB colours (H, W, 3) as three channels of linear light."""
    light = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return _split(name, "RGB", light.astype(np.float32))


def _split(name: str, letters: str, values: NDArray[np.floating]) -> Planes:
    return {f"{name}.{letter}": values[..., number] for number, letter in enumerate(letters)}


def _vector(shown: Shown) -> Planes:
    """Return Blender's vector pass: pixels to the frame before, and from the one after to here, y up."""
    from na_core.compose.frame_passes import motion

    passes = shown.passes
    before, after = (
        motion(shown.frame, passes.index, passes.position, other) * np.array([1, -1], np.float32)
        for other in (shown.before, shown.after)
    )
    return _split("Vector", "XYZW", np.concatenate([before, -after], axis=2))


def _alphas(shown: Shown) -> Planes:
    names = _distinct([placed.asset.name or "Asset" for placed in shown.frame.assets])
    return {f"Alpha {name}.V": alpha for name, alpha in zip(names, shown.passes.alpha, strict=True)}


PASSES: Mapping[str, Callable[[Shown], Planes]] = {
    "depth": lambda shown: {"Depth.Z": shown.passes.depth},
    "index": lambda shown: {"IndexOB.X": shown.passes.index.astype(np.float32)},
    "normal": lambda shown: _split("Normal", "XYZ", shown.passes.normal),
    "position": lambda shown: _split("Position", "XYZ", shown.passes.position),
    "vector": _vector,
    "shadow": lambda shown: _split("Shadow", "RGB", shown.passes.shadow),
    "plate": lambda shown: _colours("Plate", shown.passes.plate),
    "proxy": lambda shown: _colours("Proxy", shown.passes.proxy),
    "validity": lambda shown: {"Validity.V": shown.passes.validity},
    "alpha": _alphas,
}
"""What makes the channels of each pass."""


def chosen_passes(text: str) -> tuple[str, ...]:
    """Return the names of passes in a comma-separated list; "all" stands for every one.

    Raises:
        Failure: ``pass_unknown``.
    """
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if names == ("all",):
        return tuple(PASSES)
    if unknown := [name for name in names if name not in PASSES]:
        raise Failure(
            "pass_unknown",
            f"There is no pass '{unknown[0]}': name some of {', '.join(PASSES)}, or all.",
        )
    return names


def write_passes(file: Path, shown: Shown, names: Sequence[str]) -> Path:
    """Write a frame's picture and passes into one multilayer file and return it.

    Args:
        file: to write.
        shown: the frame.
        names: of :data:`PASSES`.

    Raises:
        OSError: it cannot be written.
    """
    planes = _combined(shown)
    for name in names:
        planes |= PASSES[name](shown)
    return write_exr(file, {f"{LAYER}.{name}": values for name, values in planes.items()})


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names for channels, in which a full stop has a meaning; repeated ones are numbered."""
    plain = [name.replace(".", "_") for name in names]
    return [
        name if plain.index(name) == number else f"{name}_{plain[:number].count(name) + 1}"
        for number, name in enumerate(plain)
    ]
