"""One frame through a refiner: what it shows becomes what the refiner is asked, its noise included."""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from na_core.compose.frame_passes import depths
from na_core.compose.passes import Passes
from na_core.model.anchored_noise import anchored_noise, noise_ids
from na_core.model.refiners.need import needed
from na_core.model.refiners.refiner import Refiner, Request
from na_core.raster.boxmap import box_map
from na_core.raster.canvas import Canvas
from na_core.scene import Frame, Sampling
from na_core.tensors.frames import FrameBatch

STILL = 0.1
"""Pixels of motion up to which a pixel shows the photo as it is."""

Report = Callable[[int, Callable[[], NDArray[np.uint8]]], None]


def refined_frame(
    refiner: Refiner,
    frame: Frame,
    batch: FrameBatch,
    passes: Passes,
    proxy: NDArray[np.uint8],
    canvas: Canvas,
    sampling: Sampling,
    report: Report,
    photo: NDArray[np.uint8],
) -> NDArray[np.uint8]:
    """Return a frame (H, W, 3) whose proxy a refiner has finished.

    Args:
        refiner: that does it.
        frame, batch: one frame, as a message and as tensors.
        passes: of it, at the size of the output.
        proxy: (H, W, 3) sRGB, that of the passes.
        canvas: on which its photos lie at the refiner's size, see :meth:`Refiner.size_for`.
        sampling: prompt, steps, guidance, strength, reach and seed.
        report: told of the sampling's steps, with a function that returns the proxy.
        photo: (H', W', 3) uint8 sRGB, the background's.
    """
    index = passes.index[0].cpu().numpy()
    still = (passes.shift[0] <= STILL).cpu().numpy()
    if frame.background.plate is not None:  # painted by hand
        still |= index < 0
    validity, shadow = passes.validity[0].cpu().numpy(), passes.shadow[0].permute(1, 2, 0).cpu().numpy()
    need = needed(validity, still, index, shadow, sampling.reach)
    nearness = (1 / np.maximum(depths(passes, frame, batch), 1e-6)).astype(np.float32)
    request = Request(
        sampling.prompt, sampling.steps, sampling.guidance, sampling.strength or None, sampling.seed
    )
    width, height = refiner.size_for(index.shape[1], index.shape[0])
    noise = sticking_noise(refiner, batch, canvas, width, height, sampling.seed)

    def stepped(step: int, of: int) -> None:
        report(math.ceil(step * sampling.steps / of), lambda: proxy)

    return refiner.refine(proxy, need, nearness, request, noise, stepped, photo)


def sticking_noise(
    refiner: Refiner, batch: FrameBatch, canvas: Canvas, width: int, height: int, seed: int
) -> Tensor:
    """Return latents of noise (1, c, h, w) that stick to what a frame shows at a size in pixels."""
    boxes = box_map(batch.camera, batch.boxes, batch.present, width, height)
    ids = noise_ids(batch, boxes, canvas)
    shape, factor = refiner.latent_shape(width, height), refiner.native.factor
    fresh = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(ids.device)
    seeds = torch.full((1,), seed, device=ids.device)
    return anchored_noise(ids, seeds, shape[1], factor, fresh)
