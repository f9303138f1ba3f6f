"""A refiner at work: it starts from the proxy, writes where that is needed, and keeps colours."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from na_core.model.refiners.families import Family, Plane, Tile
from na_core.model.refiners.tiles import tiles, window

COLOUR_SIGMA = 1 / 24
"""Over how much of the network's own size colours are means, which the proxy's replace."""

OnStep = Callable[[int, int], None]
"""Told after each step its number, from 1, and how many there are in all; may raise to end the work."""


@dataclass(frozen=True)
class Request:
    """How a frame is to be refined.

    Attributes:
        prompt: what it shows, in words; may be empty.
        steps: denoising steps of each tile.
        guidance: classifier-free guidance scale; 1 for none.
        strength: how far the refiner leaves the proxy, in ]0, 1]; None for what suits its family.
        seed: of its random numbers.
    """

    prompt: str = ""
    steps: int = 8
    guidance: float = 1.0
    strength: float | None = None
    seed: int = 0


class Refiner:
    """A pipeline of diffusers that finishes proxies.

    Args:
        pipeline: of a class of the family's.
        family: how it is asked.

    Attributes:
        native: the pictures that it makes.
    """

    def __init__(self, pipeline: Any, family: Family) -> None:
        self.family, self.native = family, family.native(pipeline)
        self._pipeline = pipeline

    def size_for(self, width: int, height: int) -> tuple[int, int]:
        """Return the width and height at which a frame is refined: its own, enlarged to what it knows."""
        multiple = self.native.multiple
        scale = max(1.0, self.native.side / max(width, height))
        wide, high = (
            max(1, math.ceil(side * scale / multiple - 1e-6)) * multiple for side in (width, height)
        )
        return wide, high

    def latent_shape(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return the shape of the latents (1, c, h, w) of a picture of a size in pixels."""
        native = self.native
        return 1, native.channels, height // native.factor, width // native.factor

    @torch.no_grad()
    def refine(
        self,
        proxy: NDArray[np.uint8],
        need: Plane,
        nearness: Plane,
        request: Request,
        noise: Tensor | None = None,
        on_step: OnStep | None = None,
        photo: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Return a frame refined (H, W, 3). Where there is no need it is the proxy, to the bit.

        Args:
            proxy: (H, W, 3) uint8 sRGB.
            need: (H, W) in [0, 1], how far each pixel is to be refined.
            nearness: (H, W), inverse depths.
            request: how.
            noise: (1, c, h, w) float32 latents to start from at :meth:`size_for` the frame, which stick to
                what it shows; None for those of the seed.
            on_step: told of every step.
            photo: (H', W', 3) uint8 sRGB, the background's, for refiners that look at references.
        """
        height, width = need.shape
        size = self.size_for(width, height)
        seen = Tile(_resized(proxy, size), _resized(need, size), _resized(nearness, size), photo)
        made = self._tiled(seen, request, noise, on_step)
        made = made + _blurred(seen.proxy - made, self.native.side * COLOUR_SIGMA)
        made = _resized(made, (width, height))
        blended = proxy + need[..., None] * (made - proxy)
        return np.where(need[..., None] > 0, np.rint(blended.clip(0, 255)), proxy).astype(np.uint8)

    def _tiled(
        self, seen: Tile, request: Request, noise: Tensor | None, on_step: OnStep | None
    ) -> NDArray[np.float32]:
        """Return what the pipeline makes of a picture, (H, W, 3) levels; the proxy where there is no need."""
        height, width = seen.need.shape
        if noise is None:
            shape = self.latent_shape(width, height)
            noise = torch.randn(shape, generator=torch.Generator().manual_seed(request.seed))
        multiple, factor = self.native.multiple, self.native.factor
        side = max(self.native.side // multiple, 1) * multiple
        parts = [part for part in tiles(height, width, side, multiple) if (seen.need[part] > 0).any()]
        total, weights = np.zeros((height, width, 3), np.float32), np.zeros((height, width, 1), np.float32)
        for number, (rows, columns) in enumerate(parts):
            part = rows, columns
            tile = Tile(seen.proxy[part], seen.need[part], seen.nearness[part], seen.photo)
            at = [slice(of.start // factor, of.stop // factor) for of in part]
            made = self._run(tile, request, noise[..., at[0], at[1]], number, len(parts), on_step)
            share = window(rows, columns, height, width)[..., None]
            total[rows, columns] += share * made
            weights[rows, columns] += share
        return np.where(weights > 0, total / np.maximum(weights, 1e-9), seen.proxy).astype(np.float32)

    def _run(
        self,
        tile: Tile,
        request: Request,
        noise: Tensor,
        number: int,
        count: int,
        on_step: OnStep | None,
    ) -> NDArray[np.float32]:
        asked = self.family.ask(tile)
        strength = self.family.strength
        if strength is None:
            asked["num_inference_steps"] = request.steps
        else:
            asked["strength"] = strength = request.strength or strength
            asked["num_inference_steps"] = math.ceil(request.steps / strength - 1e-9)

        def stepped(pipeline: Any, step: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
            if on_step is not None:
                on_step(number * request.steps + min(step + 1, request.steps), count * request.steps)
            return values

        with starting_from(self._pipeline, noise):
            answer = self._pipeline(
                prompt=request.prompt,
                guidance_scale=request.guidance,
                generator=torch.Generator().manual_seed(request.seed),
                callback_on_step_end=stepped,
                output_type="np",
                **asked,
            )
        made = np.asarray(getattr(answer, self.family.answer)[0], np.float32) * 255
        return made[-1] if made.ndim == 4 else made


@contextmanager
def starting_from(pipeline: Any, noise: Tensor) -> Iterator[None]:
    """Let a pipeline take given noise where it would draw its own of that shape.

    Pipelines draw it by a function of their module, and most have no argument for it that means the same.
    """
    module: Any = sys.modules[type(pipeline).__module__]
    drawn = module.randn_tensor

    def given(shape: Any, *args: Any, **settings: Any) -> Tensor:
        other: Tensor = drawn(shape, *args, **settings)
        if tuple(shape) == tuple(noise.shape):
            return noise.to(other)
        if len(shape) == 5 and (shape[0], shape[1], *shape[3:]) == tuple(noise.shape):
            other[:, :, -1] = noise.to(other)  # of a clip, whose references come before its one frame
        return other

    module.randn_tensor = given
    try:
        yield
    finally:
        module.randn_tensor = drawn


def _resized(plane: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Return a plane or picture resized to a width and height."""
    if plane.shape[1::-1] == size:
        return plane
    smaller = size[0] < plane.shape[1]
    found: NDArray[Any] = cv2.resize(
        plane, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    )
    return found


def _blurred(picture: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Return a picture's smooth part."""
    return np.asarray(cv2.GaussianBlur(np.float32(picture), (0, 0), sigma, borderType=cv2.BORDER_REFLECT))
