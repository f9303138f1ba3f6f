"""What a photo was taken apart into, as the worker sends it. No bpy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from na_core.scene import Box


@dataclass(frozen=True)
class PhotoLayers:
    """The layers of one photo, (H, W) or (H, W, C), the top row first.

    Attributes:
        photo: its SHA-256.
        boxes: of its K objects, where the photo shows them.
        outlines: for each object (H, W) uint8, how much of each pixel it covers; 255 all of it.
        shadows: for each object (H, W, 3) float32, what its shadow multiplies the plate by, in linear light;
            1 where there is none.
        plate: (H, W, 3) uint8 sRGB, the photo without its objects and their shadows.
        depth: (H, W) float32, metres along the viewing direction: objects, and the ground or dome behind.
        normals: (H, W, 3) float32, unit vectors in the world.
    """

    photo: str
    boxes: tuple[Box, ...]
    outlines: tuple[NDArray[np.uint8], ...]
    shadows: tuple[NDArray[np.float32], ...]
    plate: NDArray[np.uint8]
    depth: NDArray[np.float32]
    normals: NDArray[np.float32]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.plate.shape[1], self.plate.shape[0]
