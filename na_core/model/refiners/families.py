"""Families of diffusers' pipelines that can refine a proxy, and how each is asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Tile:
    """What a refiner sees of a frame.

    Attributes:
        proxy: (h, w, 3) uint8 sRGB.
        need: (h, w) in [0, 1], where the frame needs it.
        nearness: (h, w), the inverse of depths, 0 for what is infinitely far.
    """

    proxy: NDArray[np.uint8]
    need: Plane
    nearness: Plane


@dataclass(frozen=True)
class Family:
    """Pipelines that are asked alike.

    Attributes:
        name: in words.
        pipeline: diffusers' class that a folder is loaded as.
        ask: returns the pipeline's arguments for a tile.
        strength: how far, in [0, 1], it leaves the proxy unless it is told: the share of the schedule's noise
            that it starts from.
    """

    name: str
    pipeline: str
    ask: Callable[[Tile], dict[str, Any]]
    strength: float


def _image(tile: Tile) -> dict[str, Any]:
    return {"image": Image.fromarray(tile.proxy)}


def _image_and_depth(tile: Tile) -> dict[str, Any]:
    return {**_image(tile), "depth_map": torch.from_numpy(_stretched(tile.nearness))[None]}


def _image_and_control(tile: Tile) -> dict[str, Any]:
    height, width = tile.need.shape
    grey = np.rint(255 * _stretched(tile.nearness)).astype(np.uint8)
    control = Image.fromarray(grey).convert("RGB")
    return {**_image(tile), "control_image": control, "width": width, "height": height}


def _image_and_hole(tile: Tile) -> dict[str, Any]:
    height, width = tile.need.shape
    hole = Image.fromarray(np.where(tile.need > 0, 255, 0).astype(np.uint8))
    return {**_image(tile), "mask_image": hole, "width": width, "height": height}


def _stretched(nearness: Plane) -> Plane:
    """Return nearness with the nearest at 1 and the farthest at 0, as depth networks' outputs are shown."""
    low, high = float(nearness.min()), float(nearness.max())
    return ((nearness - low) / max(high - low, 1e-9)).astype(np.float32)


def _families() -> Mapping[str, Family]:
    changing, filling = 0.25, 0.75
    found: dict[str, Family] = {}
    for prefix in ("StableDiffusion", "StableDiffusionXL"):
        image = Family("image to image", f"{prefix}Img2ImgPipeline", _image, changing)
        depth = Family(
            "image to image with depth", f"{prefix}ControlNetImg2ImgPipeline", _image_and_control, changing
        )
        hole = Family("inpainting", f"{prefix}InpaintPipeline", _image_and_hole, filling)
        for family, names in (
            (image, ("Pipeline", "Img2ImgPipeline")),
            (depth, ("ControlNetPipeline", "ControlNetImg2ImgPipeline")),
            (hole, ("InpaintPipeline",)),
        ):
            found |= {f"{prefix}{name}": family for name in names}
    found["StableDiffusionDepth2ImgPipeline"] = Family(
        "depth to image", "StableDiffusionDepth2ImgPipeline", _image_and_depth, changing
    )
    return found


FAMILIES: Mapping[str, Family] = _families()
"""By what a folder's ``model_index.json`` calls its pipeline."""
