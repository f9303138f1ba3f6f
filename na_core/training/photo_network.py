"""The task that trains the photo network: outlines, depths, normals, plates and shadows, given boxes."""

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from na_core.layers.photo_network import Inputs, PhotoNetwork, network_inputs
from na_core.training.frame_augmentation import wrong_boxes
from na_core.training.labelled import LabelledFrames, photo_views
from na_core.training.photo_augmentation import Photos, crop, degrade, mirror, recolour
from na_core.training.photo_truth import Truth, check_truth, load_truth, log_ratio, normals
from na_core.training.randomness import DrawKey, generator
from na_core.training.run import Run
from na_core.training.tables import PhotoNetworkConfig
from na_core.training.task import ParameterGroup, TrainingTask

WAY_WEIGHT, NORMAL_WEIGHT, PLATE_WEIGHT, SHADOW_WEIGHT = 2.0, 0.2, 2.0, 1.0
"""Of the errors of the ways through boxes, normals, plates and shadows, beside the owner's cross-entropy."""

SHADOW = 0.05
RARE = 4.0
"""Logarithm from which a shadow counts as one, and how much it weighs: it fills little of a picture."""


@dataclass(frozen=True)
class PhotoBatch:
    """What a step sees of B photos.

    Attributes:
        inputs: see :func:`na_core.layers.photo_network.network_inputs`.
        kind: (B, H, W) int64: 1 where the nearest box's object shows, 2 where the second's, else 0.
        met, left: (B, 2, H, W), shares of the way through each box at which its object is met and left.
        normal: (B, 3, H, W), and normal_known: (B, H, W) bool.
        plate: (B, 3, H, W) sRGB in [0, 1].
        shadow: (B, 3, H, W), logarithm of the photo over its plate.
        plate_known, shadow_known: (B, H, W) bool.
    """

    inputs: Inputs
    kind: Tensor
    met: Tensor
    left: Tensor
    normal: Tensor
    normal_known: Tensor
    plate: Tensor
    shadow: Tensor
    plate_known: Tensor
    shadow_known: Tensor


class PhotoObjective(nn.Module):
    """The loss of a photo network: the sum of what each of its outputs is wrong by."""

    def __init__(self, network: PhotoNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: PhotoBatch) -> Tensor:
        """Return the loss of a batch."""
        out, layers = self.network(batch.inputs), batch.inputs.layers
        matters = (layers.index[:, 0] >= 0).float()
        loss = _mean(F.cross_entropy(out.owner, batch.kind, reduction="none"), matters)
        owned = torch.stack([batch.kind == 1, batch.kind == 2], dim=1).float()
        # Errors count as errors of depth relative to the distance do: a short way through a corner is little.
        way = owned * (1 - layers.enter / layers.leave.clamp_min(1e-6))
        loss = loss + WAY_WEIGHT * _mean((out.met - batch.met).abs() + (out.left - batch.left).abs(), way)
        turned = 1 - (out.normal * batch.normal).sum(dim=1)
        loss = loss + NORMAL_WEIGHT * _mean(turned, batch.normal_known.float())
        plate = (out.plate - batch.plate).square().sum(dim=1).add(1e-4).sqrt()
        loss = loss + PLATE_WEIGHT * _mean(plate, batch.plate_known.float())
        shadow = (out.shadow - batch.shadow).abs().mean(dim=1)
        weight = torch.where(batch.shadow.abs().amax(dim=1) > SHADOW, RARE, 1.0) * batch.shadow_known
        return loss + SHADOW_WEIGHT * _mean(shadow, weight)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp_min(1e-6)


class PhotoNetworkTask(TrainingTask[PhotoNetworkConfig]):
    """Trains the pipeline's photo network on photos with boxes.

    Raises:
        TrainingError: a picture has no depth, far side or plate.
    """

    name = "photo_network"

    def __init__(self, run: Run, settings: PhotoNetworkConfig) -> None:
        network: Any = run.pipeline.photo_network
        backbone, heads = network.backbone, network.heads
        backbone.freeze(settings.frozen_blocks)
        groups = [ParameterGroup("heads", heads), ParameterGroup("backbone", backbone)]
        super().__init__(run, settings, PhotoObjective(network), groups)
        check_truth(run.scenes)

    @property
    def network(self) -> PhotoNetwork:
        """The photo network."""
        return self.objective.network  # type: ignore[return-value]

    def prepare(self, begins: bool) -> None:
        """Load what the pictures show, which is large."""
        self._truth = load_truth(self.run.scenes)

    def draw(self, key: DrawKey) -> PhotoBatch:
        """Return photos; see :func:`draw_photos`."""
        count = self.run.share(self.settings)
        return draw_photos(self.run.frames, self._truth, count, self.settings, key, self.run.device)


def draw_photos(
    labels: LabelledFrames,
    truth: Truth,
    count: int,
    settings: PhotoNetworkConfig,
    key: DrawKey,
    device: torch.device,
) -> PhotoBatch:
    """Draw photos with boxes as use will have them: some wrong, some missing, some without a 2D box."""
    random = generator(key)
    rows = torch.from_numpy(random.integers(len(labels.pictures), size=count))
    owner, *depths, plate = (of.to(device) for of in truth[rows])
    photos = Photos(photo_views(labels, rows).to(device), owner, tuple(depths), plate)
    photos = mirror(photos, random, settings.mirror)
    photos = crop(photos, random, settings.smallest_crop)
    photos = recolour(photos, random, settings.recolour)
    clean = photos.views.pictures
    photos = degrade(photos, random, settings.degrade)
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
    inputs = network_inputs(views)
    layers = inputs.layers
    shown = (layers.index == owner[:, None]) & (layers.index >= 0)
    kind = shown[:, 0].long() + 2 * shown[:, 1].long()
    way = (layers.leave - layers.enter).clamp_min(1e-6)
    met, left = (((of[:, None] - layers.enter) / way).clamp(0, 1) for of in photos.depths)
    normal, normal_known = normals(photos.depths[0], owner, views.camera)
    assert photos.plate is not None
    before, behind = (of.permute(0, 3, 1, 2).float() / 255 for of in (clean, photos.plate))
    # A plate lacks the objects whose boxes are missing, too; the network cannot know of them.
    every = ~(photos.views.filled & ~views.filled).any(dim=1)[:, None, None]
    known = every & (inputs.hole[:, 0] > 0)
    return PhotoBatch(
        inputs,
        kind,
        met,
        left,
        normal,
        normal_known,
        behind,
        log_ratio(before, behind),
        known,
        every & (owner < 0),
    )
