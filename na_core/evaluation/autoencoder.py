"""The ``vae`` suite: what a checkpoint's autoencoder keeps of scenes and of photographs."""

from collections.abc import Iterable
from functools import lru_cache
from statistics import fmean

import numpy as np
import torch
from PIL import Image

from na_core.evaluation.metrics import psnr
from na_core.model.latents import to_latents, to_pictures
from na_core.model.pipeline import NeuralAssetsPipeline, to_bytes
from na_core.scene import Picture

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")
"""Real photos that come inside scikit-image's wheel."""

PHOTOGRAPH_SIDE = 256
"""Pixels of the square that photographs are cut and resized to."""


def mean_psnr(pipeline: NeuralAssetsPipeline, pictures: Iterable[Picture]) -> float:
    """Return the mean PSNR in decibels of pictures (H, W, 3) through the pipeline's VAE and back."""
    return fmean(psnr(reconstruct(pipeline, picture), picture) for picture in pictures)


@lru_cache(maxsize=len(PHOTOGRAPHS))
def photograph(name: str) -> Picture:
    """Return one of scikit-image's photos: the central square, at 256 x 256 pixels."""
    from skimage import data

    image = Image.fromarray(getattr(data, name)())
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side))
    return np.asarray(square.resize((PHOTOGRAPH_SIDE, PHOTOGRAPH_SIDE), Image.Resampling.LANCZOS))


@torch.no_grad()
def reconstruct(pipeline: NeuralAssetsPipeline, picture: Picture) -> Picture:
    """Return a picture (H, W, 3) encoded and decoded by a pipeline's VAE.

    Sides that are no multiple of a latent's pixels are padded with their edges for it.
    """
    rows, columns = picture.shape[:2]
    pad = [(0, -side % pipeline.factor) for side in (rows, columns)]
    padded = np.pad(picture, (*pad, (0, 0)), mode="edge")
    tensor = torch.as_tensor(padded, device=pipeline.device).permute(2, 0, 1)[None]
    tensor = (tensor.float() / 127.5 - 1).to(pipeline.unet.dtype)
    decoded = to_pictures(pipeline.vae, to_latents(pipeline.vae, tensor)).float()
    result = to_bytes(decoded / 2 + 0.5)[0]
    return result[:rows, :columns]
