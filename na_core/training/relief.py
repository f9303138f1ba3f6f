"""The task that trains the relief network: objects' outlines, depths and far sides inside given boxes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import UNet2DModel
from numpy.typing import NDArray
from torch import Tensor, nn

from na_core.data.scenes import DEPTH_UNIT, Scene
from na_core.layers.relief_network import BoxLayers, owner_logits, relief_inputs, run_network, shares
from na_core.training.config import ReliefConfig
from na_core.training.errors import TrainingError
from na_core.training.frame_augmentation import wrong_boxes
from na_core.training.labelled import LabelledFrames, photo_views
from na_core.training.photo_augmentation import Photos, crop, mirror, recolour
from na_core.training.randomness import DrawKey, generator
from na_core.training.run import Run
from na_core.training.scene_shards import load_images
from na_core.training.task import ParameterGroup, TrainingTask

SHARE_WEIGHT = 2.0
"""Of the error of the share of the way through the box, beside the owner's cross-entropy."""

DEPTH_ZERO = 32768
"""Depths are held as signed 16-bit numbers: of steps less this."""


@dataclass(frozen=True)
class Truth:
    """What pictures really show.

    Attributes:
        masks: (M, H, W) uint8, as :meth:`na_core.data.scenes.Scene.mask` has them.
        depths, fars: (M, H, W) int16, steps of :data:`na_core.data.scenes.DEPTH_UNIT` less
            :data:`DEPTH_ZERO`.
    """

    masks: Tensor
    depths: Tensor
    fars: Tensor

    def __getitem__(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the owners (B, H, W) int64, -1 for none, and depths and far sides (B, H, W) in metres."""
        rows = rows.to(self.masks.device)
        depth, far = ((of[rows].float() + DEPTH_ZERO) * DEPTH_UNIT for of in (self.depths, self.fars))
        return self.masks[rows].long() - 1, depth, far


@dataclass(frozen=True)
class ReliefBatch:
    """What a step sees of B photos.

    Attributes:
        inputs, layers: see :func:`na_core.layers.relief_network.relief_inputs`.
        kind: (B, H, W) int64: 1 where the nearest box's object shows, 2 where the second's, else 0.
        met, left: (B, 2, H, W), shares of the way through each box at which its object is met and left.
    """

    inputs: Tensor
    layers: BoxLayers
    kind: Tensor
    met: Tensor
    left: Tensor


class ReliefObjective(nn.Module):
    """The loss of a relief network: cross-entropy of owners, and L1 of where they are met and left."""

    def __init__(self, network: UNet2DModel) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: ReliefBatch) -> Tensor:
        """Return the loss of a batch."""
        output = run_network(self.network, batch.inputs)
        matters = (batch.layers.index[:, 0] >= 0).float()
        owner = F.cross_entropy(owner_logits(output, batch.layers), batch.kind, reduction="none")
        loss = (owner * matters).sum() / matters.sum().clamp_min(1)
        owned = torch.stack([batch.kind == 1, batch.kind == 2], dim=1).float()
        # Errors count as errors of depth relative to the distance do: a short way through a corner is little.
        way = owned * (1 - batch.layers.enter / batch.layers.leave.clamp_min(1e-6))
        met, left = shares(output)
        error = (met - batch.met).abs() + (left - batch.left).abs()
        return loss + SHARE_WEIGHT * (error * way).sum() / way.sum().clamp_min(1e-6)


def check_depths(chosen: Sequence[Scene]) -> None:
    """Refuse scenes that cannot teach reliefs.

    Raises:
        TrainingError: a picture has no depth or no far side.
    """
    for scene in chosen:
        if any(frame.depth is None or frame.far is None for frame in scene.labels.frames):
            raise TrainingError(
                f"{scene.storage}: its pictures have no depth, which [relief] learns from. Render the data "
                f"set without --no-depth"
            )


def load_truth(chosen: Sequence[Scene]) -> Truth:
    """Return the masks, depths and far sides of all pictures of scenes in order, in the CPU's memory.

    They have depths, see :func:`check_depths`.

    Raises:
        OSError: a file cannot be read; the text names it.
    """

    def steps(metres: NDArray[np.float32] | None) -> NDArray[np.int16]:
        assert metres is not None
        whole = np.minimum(np.rint(metres / DEPTH_UNIT), 65535)
        return (whole.astype(np.int32) - DEPTH_ZERO).astype(np.int16)

    return Truth(
        load_images(chosen, Scene.mask, torch.uint8, "masks"),
        load_images(chosen, lambda scene, frame: steps(scene.depth(frame)), torch.int16, "depths"),
        load_images(chosen, lambda scene, frame: steps(scene.far(frame)), torch.int16, "far sides"),
    )


class ReliefTask(TrainingTask[ReliefConfig]):
    """Trains the pipeline's relief network on photos with boxes.

    Raises:
        TrainingError: a picture has no depth or no far side.
    """

    name = "relief"

    def __init__(self, run: Run, settings: ReliefConfig) -> None:
        network: Any = run.pipeline.relief
        super().__init__(run, settings, ReliefObjective(network), [ParameterGroup("relief", network)])
        check_depths(run.scenes)

    def prepare(self, begins: bool) -> None:
        """Load what the pictures show, which is large."""
        self._truth = load_truth(self.run.scenes)

    def draw(self, key: DrawKey) -> ReliefBatch:
        """Return photos; see :func:`draw_photos`."""
        count = self.run.share(self.settings)
        return draw_photos(self.run.frames, self._truth, count, self.settings, key, self.run.device)


def draw_photos(
    labels: LabelledFrames,
    truth: Truth,
    count: int,
    settings: ReliefConfig,
    key: DrawKey,
    device: torch.device,
) -> ReliefBatch:
    """Draw photos with boxes as use will have them: some wrong, some missing, some without a 2D box."""
    random = generator(key)
    rows = torch.from_numpy(random.integers(len(labels.pictures), size=count))
    owner, *depths = (of.to(device) for of in truth[rows])
    photos = Photos(photo_views(labels, rows).to(device), owner, tuple(depths))
    photos = mirror(photos, random, settings.mirror)
    photos = crop(photos, random, settings.smallest_crop)
    photos = recolour(photos, random, settings.recolour)
    views, owner = photos.views, photos.owner
    shape = views.filled.shape

    def drawn(*more: int) -> Tensor:
        return torch.from_numpy(random.random((*shape, *more))).to(device)

    wrong = wrong_boxes(views.boxes, views.camera, 2 * drawn(7) - 1)
    jittered = (drawn() < settings.jitter_boxes)[..., None, None]
    views = replace(
        views,
        boxes=torch.where(jittered, wrong, views.boxes),
        known=views.known & (drawn() >= settings.forget_rectangles),
        filled=views.filled & (drawn() >= settings.drop_boxes),
    )
    inputs, layers = relief_inputs(views)
    shown = (layers.index == owner[:, None]) & (layers.index >= 0)
    kind = shown[:, 0].long() + 2 * shown[:, 1].long()
    way = (layers.leave - layers.enter).clamp_min(1e-6)
    met, left = (((of[:, None] - layers.enter) / way).clamp(0, 1) for of in photos.depths)
    return ReliefBatch(inputs, layers, kind, met, left)
