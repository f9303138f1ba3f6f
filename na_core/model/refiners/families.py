"""Families of diffusers' pipelines that can refine a proxy, and how each is asked."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

Plane = NDArray[np.float32]

WAN_SIDE = 832
"""Pixels of the longer side of Wan's smaller clips; larger frames are made in tiles of it."""

SMALLEST_REFERENCE = 64
"""Pixels of a shorter side that pictures have at least, which a model looks at."""


@dataclass(frozen=True)
class Tile:
    """What a refiner sees of a frame.

    Attributes:
        proxy: (h, w, 3) uint8 sRGB.
        need: (h, w) in [0, 1], where the frame needs it.
        nearness: (h, w), the inverse of depths, 0 for what is infinitely far.
        photo: (H, W, 3) uint8 sRGB, all of the background's photo; None where nobody gave it.
    """

    proxy: NDArray[np.uint8]
    need: Plane
    nearness: Plane
    photo: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Native:
    """The pictures that a pipeline makes.

    Attributes:
        side: pixels of the longer side of those that it knows.
        multiple: their sides are multiples of so many pixels.
        factor: pixels along the side of a latent.
        channels: of the latents.
    """

    side: int
    multiple: int
    factor: int
    channels: int


@dataclass(frozen=True)
class Family:
    """Pipelines that are asked alike.

    Attributes:
        name: in words.
        pipeline: diffusers' class that a folder is loaded as.
        ask: returns the pipeline's arguments for a tile.
        native: returns what pictures a pipeline makes.
        strength: how far, in [0, 1], it leaves the proxy unless it is told: the share of the schedule's noise
            that it starts from. None where it always begins with noise, and is shown the proxy beside.
        answer: what a pipeline's answer calls its pictures.
        package: that diffusers needs for it and does not ask for.
    """

    name: str
    pipeline: str
    ask: Callable[[Tile], dict[str, Any]]
    native: Callable[[Any], Native]
    strength: float | None
    answer: str = "images"
    package: str | None = None


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


def _references(tile: Tile) -> dict[str, Any]:
    height, width = tile.need.shape
    shown = [Image.fromarray(each) for each in (tile.proxy, tile.photo) if each is not None]
    scales = [max(1.0, SMALLEST_REFERENCE / min(each.size)) for each in shown]
    images = [
        each.resize((math.ceil(each.width * scale), math.ceil(each.height * scale)))
        for each, scale in zip(shown, scales, strict=True)
    ]
    return {"image": images, "width": width, "height": height}


def _clip(tile: Tile) -> dict[str, Any]:
    """Return a clip of one frame, with what is to be filled and the photo as its reference."""
    asked = _image_and_hole(tile)
    clip = {"video": [asked.pop("image")], "mask": [asked.pop("mask_image")], "num_frames": 1, **asked}
    return clip if tile.photo is None else {**clip, "reference_images": [Image.fromarray(tile.photo)]}


def _of_unet(pipeline: Any) -> Native:
    factor, config = int(pipeline.vae_scale_factor), pipeline.unet.config
    size = config.sample_size
    return Native(
        side=int(max(size) if isinstance(size, list | tuple) else size) * factor,
        multiple=factor * 2 ** (len(config.block_out_channels) - 1),
        factor=factor,
        channels=int(pipeline.vae.config.latent_channels),
    )


def _of_flux(pipeline: Any) -> Native:
    """Its latents are patches of 2 x 2 of the autoencoder's."""
    factor = 2 * int(pipeline.vae_scale_factor)
    side = int(pipeline.default_sample_size) * int(pipeline.vae_scale_factor)
    return Native(side, factor, factor, int(pipeline.transformer.config.in_channels))


def _of_wan(pipeline: Any) -> Native:
    """Its transformer takes patches of latents; published ones know clips of 832 x 480 and of 1280 x 720."""
    network = pipeline.transformer if pipeline.transformer is not None else pipeline.transformer_2
    factor, config = int(pipeline.vae_scale_factor_spatial), network.config
    multiple = factor * int(config.patch_size[1])
    return Native(WAN_SIDE, multiple, factor, int(config.in_channels))


def _stretched(nearness: Plane) -> Plane:
    """Return nearness with the nearest at 1 and the farthest at 0, as depth networks' outputs are shown."""
    low, high = float(nearness.min()), float(nearness.max())
    return ((nearness - low) / max(high - low, 1e-9)).astype(np.float32)


def _families() -> Mapping[str, Family]:
    changing, filling = 0.25, 0.75
    found: dict[str, Family] = {}
    for prefix in ("StableDiffusion", "StableDiffusionXL"):
        image = Family("image to image", f"{prefix}Img2ImgPipeline", _image, _of_unet, changing)
        depth = Family(
            "image to image with depth",
            f"{prefix}ControlNetImg2ImgPipeline",
            _image_and_control,
            _of_unet,
            changing,
        )
        hole = Family("inpainting", f"{prefix}InpaintPipeline", _image_and_hole, _of_unet, filling)
        for family, names in (
            (image, ("Pipeline", "Img2ImgPipeline")),
            (depth, ("ControlNetPipeline", "ControlNetImg2ImgPipeline")),
            (hole, ("InpaintPipeline",)),
        ):
            found |= {f"{prefix}{name}": family for name in names}
    found["StableDiffusionDepth2ImgPipeline"] = Family(
        "depth to image", "StableDiffusionDepth2ImgPipeline", _image_and_depth, _of_unet, changing
    )
    found["Flux2KleinPipeline"] = Family("editing", "Flux2KleinPipeline", _references, _of_flux, None)
    found["WanVACEPipeline"] = Family(
        "filling clips", "WanVACEPipeline", _clip, _of_wan, None, answer="frames", package="ftfy"
    )
    return found


FAMILIES: Mapping[str, Family] = _families()
"""By what a folder's ``model_index.json`` calls its pipeline."""
