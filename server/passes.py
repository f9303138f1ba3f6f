"""Passes with the names, units and signs of Blender's own: over the wire, and as multilayer OpenEXR files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from na_core.cryptomatte import OBJECTS, metadata, ranked
from na_core.scene import Frame, Picture
from server.exr import write_exr
from server.failures import Failure

if TYPE_CHECKING:
    from na_core.compose.frame_passes import FramePasses
    from na_core.meshes.mesh_arrays import MeshArrays

LAYER = "ViewLayer"
"""Name of the view layer that passes are of, as Blender's own default is called."""


@dataclass(frozen=True)
class Shown:
    """A frame, its passes, the frames before and after it, and what the files of meshes hold by SHA-256."""

    frame: Frame
    passes: FramePasses
    before: Frame | None
    after: Frame | None
    meshes: Mapping[str, MeshArrays] = field(default_factory=dict)


@dataclass(frozen=True)
class Pass:
    """A pass as Blender knows it: its name, the letters of its C channels, and values (H, W, C) float32."""

    name: str
    letters: str
    values: NDArray[np.float32]


def _one(name: str, letter: str, values: NDArray[Any]) -> list[Pass]:
    return [Pass(name, letter, values[..., None].astype(np.float32))]


def _colours(name: str, srgb: NDArray[np.floating]) -> list[Pass]:
    """Return sRGB colours (H, W, 3) as linear light."""
    light = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return [Pass(name, "RGB", light.astype(np.float32))]


def _vector(shown: Shown) -> list[Pass]:
    """Return Blender's vector pass: pixels to the frame before, and from the one after to here, y up."""
    from na_core.compose.frame_passes import motion

    passes = shown.passes
    before, after = (
        motion(shown.frame, passes, other, shown.meshes) * np.array([1, -1], np.float32)
        for other in (shown.before, shown.after)
    )
    return [Pass("Vector", "XYZW", np.concatenate([before, -after], axis=2))]


def _coverage(shown: Shown) -> dict[str, NDArray[np.float32]]:
    """Return how much of each pixel (H, W) shows the assets of each name."""
    sums: dict[str, NDArray[np.float32]] = {}
    for placed, alpha in zip(shown.frame.assets, shown.passes.alpha, strict=True):
        name = placed.asset.name
        sums[name] = sums[name] + alpha if name in sums else alpha
    return sums


def _alphas(shown: Shown) -> list[Pass]:
    coverage = _coverage(shown)
    return [each for name, alpha in coverage.items() for each in _one(f"Alpha {name}", "V", alpha)]


def _cryptomatte(shown: Shown) -> list[Pass]:
    levels = ranked(_coverage(shown), shown.passes.index.shape)
    return [Pass(f"{OBJECTS}{number:02d}", "RGBA", values) for number, values in enumerate(levels)]


PASSES: Mapping[str, Callable[[Shown], list[Pass]]] = {
    "depth": lambda shown: _one("Depth", "Z", shown.passes.depth),
    "index": lambda shown: _one("IndexOB", "X", shown.passes.index),
    "normal": lambda shown: [Pass("Normal", "XYZ", shown.passes.normal)],
    "position": lambda shown: [Pass("Position", "XYZ", shown.passes.position)],
    "vector": _vector,
    "shadow": lambda shown: [Pass("Shadow", "RGB", shown.passes.shadow)],
    "plate": lambda shown: _colours("Plate", shown.passes.plate),
    "proxy": lambda shown: _colours("Proxy", shown.passes.proxy),
    "validity": lambda shown: _one("Validity", "V", shown.passes.validity),
    "alpha": _alphas,
    "cryptomatte": _cryptomatte,
}
"""What makes each pass of :data:`na_core.scene.PASS_NAMES`."""


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


def made_passes(shown: Shown, names: Sequence[str]) -> list[Pass]:
    """Return the passes of a frame that were asked for by :data:`na_core.scene.PASS_NAMES`."""
    return [each for name in names for each in PASSES[name](shown)]


def write_passes(file: Path, picture: Picture, passes: Sequence[Pass], names: Iterable[str] = ()) -> Path:
    """Write a frame's picture (H, W, 3) and passes into one multilayer file and return it.

    Args:
        file: to write.
        picture, passes: of the frame.
        names: of its assets, by which readers of Cryptomatte know them.

    Raises:
        OSError: it cannot be written.
    """
    channels = {}
    for each in (*_colours("Combined", picture / np.float32(255)), *passes):
        layer = each.name.replace(".", "_")  # a full stop has a meaning there
        for number, letter in enumerate(each.letters):
            channels[f"{LAYER}.{layer}.{letter}"] = each.values[..., number]
    matte = any(each.name.startswith(OBJECTS) for each in passes)
    return write_exr(file, channels, metadata(LAYER, names) if matte else {})
