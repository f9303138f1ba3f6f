"""What labelled pictures really show, as the photo network has to say it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from na_core.data.scenes import DEPTH_UNIT, Scene
from na_core.layers.photo_network import BRIGHTEST, DARKEST
from na_core.raster.colour import linear_from_srgb
from na_core.tensors.cameras import Cameras, camera_from_pixel
from na_core.training.errors import TrainingError
from na_core.training.scene_shards import load_images

DEPTH_ZERO = 32768
"""Depths are held as signed 16-bit numbers: of steps less this."""

REACH = 2
"""Pixels between the points on either side that a normal is measured from."""

DARK = 4 / 255
"""Linear light below which a ratio says nothing; it is added on both sides."""


@dataclass(frozen=True)
class Truth:
    """What pictures really show.

    Attributes:
        masks: (M, H, W) uint8, as :meth:`na_core.data.scenes.Scene.mask` has them.
        depths, fars: (M, H, W) int16, steps of :data:`na_core.data.scenes.DEPTH_UNIT` less
            :data:`DEPTH_ZERO`.
        plates: (M, H, W, 3) uint8 sRGB, the stages without objects.
    """

    masks: Tensor
    depths: Tensor
    fars: Tensor
    plates: Tensor

    def __getitem__(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the owners (B, H, W) int64, -1 for none, depths and far sides in metres, and plates."""
        rows = rows.to(self.masks.device)
        depth, far = ((of[rows].float() + DEPTH_ZERO) * DEPTH_UNIT for of in (self.depths, self.fars))
        return self.masks[rows].long() - 1, depth, far, self.plates[rows]


def check_truth(chosen: Sequence[Scene]) -> None:
    """Refuse scenes that cannot teach the photo network.

    Raises:
        TrainingError: a picture has no depth, far side or plate.
    """
    for scene in chosen:
        for name, option in (("depth", "--no-depth"), ("far", "--no-depth"), ("plate", "--no-plates")):
            if any(getattr(frame, name) is None for frame in scene.labels.frames):
                raise TrainingError(
                    f"{scene.storage}: its pictures have no {name}, which [photo_network] learns from. "
                    f"Render the data set again, without {option}"
                )


def load_truth(chosen: Sequence[Scene]) -> Truth:
    """Return what all pictures of scenes show, in order, in the CPU's memory; see :func:`check_truth`.

    Raises:
        OSError: a file cannot be read; the text names it.
    """

    def steps(metres: NDArray[np.float32] | None) -> NDArray[np.int16]:
        assert metres is not None
        whole = np.minimum(np.rint(metres / DEPTH_UNIT), 65535)
        return (whole.astype(np.int32) - DEPTH_ZERO).astype(np.int16)

    def plate(scene: Scene, frame: int) -> NDArray[np.uint8]:
        found = scene.plate(frame)
        assert found is not None
        return found

    return Truth(
        load_images(chosen, Scene.mask, torch.uint8, "masks"),
        load_images(chosen, lambda scene, frame: steps(scene.depth(frame)), torch.int16, "depths"),
        load_images(chosen, lambda scene, frame: steps(scene.far(frame)), torch.int16, "far sides"),
        load_images(chosen, plate, torch.uint8, "plates"),
    )


def log_ratio(picture: Tensor, plate: Tensor) -> Tensor:
    """Return the logarithm of pictures over plates in linear light; both are (B, 3, H, W) sRGB in [0, 1]."""
    ratio = (linear_from_srgb(picture) + DARK) / (linear_from_srgb(plate) + DARK)
    return ratio.log().clamp(DARKEST, BRIGHTEST)


def normals(depth: Tensor, owner: Tensor, camera: Cameras) -> tuple[Tensor, Tensor]:
    """Return the normals of what pictures show, in the cameras' frames, and where they are known.

    Args:
        depth: (B, H, W) metres.
        owner: (B, H, W), -1 for none: a normal is known where the same object is on all sides.
        camera: (B,).

    Returns:
        Unit vectors (B, 3, H, W), and (B, H, W) bool.
    """
    height, width = depth.shape[1:]
    matrix = camera_from_pixel(camera, width, height).float()
    columns = torch.arange(width, device=depth.device).float().expand(height, -1)
    rows = torch.arange(height, device=depth.device).float()[:, None].expand(-1, width)
    pixels = torch.stack([columns, rows, torch.ones_like(rows)])
    rays = torch.einsum("bij,jhw->bihw", matrix, pixels)
    points = rays / rays[:, 2:].abs().clamp_min(1e-9) * torch.where(owner < 0, 0.0, depth)[:, None]
    around = F.pad(points, (REACH,) * 4, mode="replicate")
    owners = F.pad(owner, (REACH,) * 4, value=-1)

    def shifted(values: Tensor, down: int, across: int) -> Tensor:
        top, left = REACH + down, REACH + across
        return values[..., top : top + height, left : left + width]

    sides = [(0, REACH), (0, -REACH), (-REACH, 0), (REACH, 0)]
    right, left, above, below = (shifted(around, *side) for side in sides)
    known = owner >= 0
    for side in sides:
        known = known & (shifted(owners, *side) == owner)
    return F.normalize(torch.linalg.cross(right - left, above - below, dim=1), dim=1), known
