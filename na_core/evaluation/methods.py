"""What is measured: two references that need no network, and checkpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image

from na_core.evaluation.metrics import Picture
from na_core.geometry.proxy import proxy_picture
from na_core.model.checkpoints import fingerprint, load_checkpoint
from na_core.model.pipeline import NeuralAssetsPipeline, to_bytes
from na_core.scene import Frame, Sampling


class Method(Protocol):
    """Anything that renders frames.

    Attributes:
        name: the method's key in ``results.json``.
        identity: changes with everything that changes its pictures, but for the code.
    """

    name: str
    identity: str

    def render(
        self, frames: Sequence[Frame], photos: Mapping[str, Picture], width: int, height: int
    ) -> list[Picture]:
        """Return one picture (height, width, 3) for each frame; ``photos`` by SHA-256."""
        ...


class Copy:
    """The source photo, resized: what doing nothing scores."""

    name = "copy"
    identity = "copy"

    def render(
        self, frames: Sequence[Frame], photos: Mapping[str, Picture], width: int, height: int
    ) -> list[Picture]:
        """Return each frame's background photo."""
        return [_resized(photos[frame.background.photo.sha256], width, height) for frame in frames]


class ProxyOnly:
    """The textured boxes over the warped photo, without any network."""

    name = "proxy"
    identity = "proxy"

    def render(
        self, frames: Sequence[Frame], photos: Mapping[str, Picture], width: int, height: int
    ) -> list[Picture]:
        """Return each frame's proxy picture."""
        floats = {
            sha256: _resized(photo, width, height).astype(np.float32) / 255
            for sha256, photo in photos.items()
        }
        return [to_bytes(proxy_picture(frame, floats, width, height).picture) for frame in frames]


class Checkpoint:
    """A checkpoint with one sampling.

    Args:
        checkpoint: its folder, or the name of an embedded one; the folder's name is the method's.
        preset: of the sampling, a key of ``na_core.scene.SAMPLING_PRESETS``.
        seed: of the sampling.
        device, dtype: where and how it computes.
        batch_size: frames denoised at once.

    Raises:
        CheckpointError: it is missing or damaged.
        SceneError: there is no such preset.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        *,
        preset: str = "standard",
        seed: int = 0,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        batch_size: int = 1,
    ) -> None:
        self.name = Path(checkpoint).name
        self.identity = f"{fingerprint(checkpoint)} {preset} {seed} {dtype}"
        self._sampling = Sampling.from_preset(preset, seed=seed)
        self._batch_size = batch_size
        self.pipeline: NeuralAssetsPipeline = load_checkpoint(checkpoint, device, dtype)

    def render(
        self, frames: Sequence[Frame], photos: Mapping[str, Picture], width: int, height: int
    ) -> list[Picture]:
        """Return the pipeline's pictures."""
        sampling = replace(self._sampling, width=width, height=height)
        return list(self.pipeline(frames, photos, sampling, batch_size=self._batch_size).images)


def _resized(photo: Picture, width: int, height: int) -> Picture:
    if photo.shape[:2] == (height, width):
        return photo
    return np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.LANCZOS))
