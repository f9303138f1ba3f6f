"""What a step of the decoder's training sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from na_core.training.randomness import DrawKey


@dataclass(frozen=True)
class TrainingBatch:
    """B pairs as tensors on the device that trains; S slots for objects, E encoder pictures.

    Attributes:
        target: (B, c, h, w) scaled latents of the targets, float32.
        proxy: (B, c, h, w) scaled latents of the proxies, float32; zero where the decoder sees none.
        maps: (B, 11, h, w) box maps, float32; of no channels where the decoder sees none.
        object_pictures: (E, 3, H, W) in [0, 1], photos with all but their objects painted grey.
        views: (B, S) which of them shows each object; any for empty slots.
        background_pictures: (B, 3, H, W) in [0, 1], photos with all objects' 2D boxes painted grey.
        rectangles: (B, S, 4) source 2D boxes. poses: (B, S, 12 or 24). background_poses: (B, 12).
        filled: (B, S) bool, slots that hold an object; the others are zero.
        noise: (B, c, h, w) float32, to diffuse with; None for noise that knows nothing of the pairs.
    """

    target: Tensor
    proxy: Tensor
    maps: Tensor
    object_pictures: Tensor
    views: Tensor
    background_pictures: Tensor
    rectangles: Tensor
    poses: Tensor
    background_poses: Tensor
    filled: Tensor
    noise: Tensor | None = None


class Batches(Protocol):
    """Where batches come from."""

    def batch(self, key: DrawKey) -> TrainingBatch:
        """Return a process's part of a step's batch: a pure function of its key."""
        ...
