"""The task that trains the embedded detector: objects' 3D boxes and the camera, from photos alone."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from na_core.detection.network import BoxDetector
from na_core.detection.targets import LabelledPhotos, focal_lengths, losses, shown_bounds, targets
from na_core.tensors.cameras import Cameras
from na_core.training.initial import give_published, load_part
from na_core.training.labelled import photo_views
from na_core.training.photo_augmentation import Photos, degrade, mirror, recolour, turn
from na_core.training.randomness import DrawKey, generator, seed_torch
from na_core.training.run import Run
from na_core.training.shown import Shown, load_shown
from na_core.training.tables import DetectorConfig
from na_core.training.task import ParameterGroup, TrainingTask, save_half

WIDTHS = {"tiny": (8, 8, 8, 8), "mini": (64, 80, 112, 160)}
"""Of the heads of new networks, by size."""


NARROWEST = 0.55
"""Shorter over longer side of the narrowest photos."""


class DetectorObjective(nn.Module):
    """The loss of a detector."""

    def __init__(self, network: BoxDetector) -> None:
        super().__init__()
        self.network = network

    def forward(self, photos: LabelledPhotos) -> Tensor:
        """Return the loss of photos."""
        pictures = photos.pictures.permute(0, 3, 1, 2).float() / 255
        parts = losses(self.network(pictures, photos.told_focal), targets(photos))
        return torch.stack(list(parts.values())).sum()


class DetectorTask(TrainingTask[DetectorConfig]):
    """Trains a detector: an existing one, or a new one whose backbone has seen photographs.

    Raises:
        ConfigError: the folder to start from holds no detector, or the backbone's weights are not installed.
    """

    name = "detector"

    def __init__(self, run: Run, settings: DetectorConfig) -> None:
        if settings.initial is None:
            seed_torch(DrawKey(run.config.seed, 0))
            network = BoxDetector(widths=WIDTHS[settings.size])  # by name: they are saved
            if settings.backbone == "imagenet":
                give_published(network.backbone, f"{run.file}: detector")
        else:
            network = load_part("detector", str(settings.initial), f"{run.file}: detector: 'initial'")
        backbone = network.backbone
        backbone.freeze(settings.frozen_blocks)
        groups = [ParameterGroup("heads", network.heads), ParameterGroup("backbone", backbone)]
        super().__init__(run, settings, DetectorObjective(network), groups)

    @property
    def network(self) -> BoxDetector:
        """The detector."""
        return self.objective.network  # type: ignore[return-value]

    def prepare(self, begins: bool) -> None:
        """Load what the pictures show."""
        self._shown = load_shown(self.run)

    def draw(self, key: DrawKey) -> LabelledPhotos:
        """Return photos; see :func:`draw_labelled`."""
        count = self.run.share(self.settings)
        return draw_labelled(self._shown, count, self.settings, key, self.run.device)

    def export(self, folder: Path) -> None:
        """Save the detector in float16."""
        save_half(self.network, folder)


def draw_labelled(
    shown: Shown, count: int, settings: DetectorConfig, key: DrawKey, device: torch.device
) -> LabelledPhotos:
    """Draw photos: some empty, mirrored, recoloured, worse, and as other cameras would have taken them.

    They are square or not, all alike: what is above and below, or left and right, is cut off.
    """
    random = generator(key)
    rows = torch.from_numpy(random.integers(len(shown.masks), size=count))
    empty = torch.from_numpy(random.random(count) < (settings.empty if len(shown.plates) else 0))
    chosen = torch.from_numpy(random.integers(max(1, len(shown.plates)), size=count))[empty]
    rows[empty] = shown.plate_rows[chosen]
    owner = shown.masks[rows].long() - 1
    owner[empty] = -1
    views = photo_views(shown.frames, rows)
    views.pictures[empty.to(views.pictures.device)] = shown.plates[chosen].to(views.pictures.device)
    views = views.to(device)
    pictures, owner = _made_small(views.pictures, owner.to(device), settings.side)
    photos = Photos(replace(views, pictures=pictures), owner)
    before = _sizes(photos, shown.visible.shape[1])
    photos = mirror(photos, random, settings.mirror)
    if settings.turn or settings.zoom > 1:
        photos = turn(photos, random, settings.turn, settings.zoom)
    photos = _trimmed(photos, random, settings.trim)
    photos = degrade(recolour(photos, random, settings.recolour), random, settings.degrade)
    height, width = photos.owner.shape[1:]
    kept = (_sizes(photos, shown.visible.shape[1]) / before.clamp_min(1e-12)).clamp(max=1).float()
    told = torch.from_numpy(random.random(count) < settings.tell_focal).to(device)
    return LabelledPhotos(
        pictures=photos.views.pictures,
        camera=photos.views.camera,
        told_focal=focal_lengths(photos.views.camera, width, height) * told,
        boxes=photos.views.boxes,
        visible=(shown.visible[rows] * ~empty[:, None]).to(device) * kept,
        owner=photos.owner,
        symmetry=shown.symmetry[rows].to(device),
    )


def _sizes(photos: Photos, count: int) -> Tensor:
    """Return what is seen of each object (B, N), as large as another lens and another cut would show it."""
    numbers = shown_bounds(photos.owner, count)[1]
    fx, fy, *_ = photos.views.camera.intrinsics.unbind(-1)
    return numbers / (photos.owner[0].numel() * fx * fy)[:, None]


def _trimmed(photos: Photos, random: np.random.Generator, probability: float) -> Photos:
    """Cut off as much above as below, or left as right, with a probability: an upright or a wide photo."""
    chosen, upright, share = random.random(3)
    if chosen >= probability:
        return photos
    views = photos.views
    height, width = views.pictures.shape[1:3]
    ratio = NARROWEST + (1 - NARROWEST) * share
    rows, columns = (height, round(width * ratio)) if upright < 0.5 else (round(height * ratio), width)
    top, left = (height - rows) // 2, (width - columns) // 2
    rows, columns = height - 2 * top, width - 2 * left  # what is in the middle stays there
    window = slice(None), slice(top, top + rows), slice(left, left + columns)
    stretch = torch.tensor([width / columns, height / rows, 1, 1], dtype=torch.float64)
    camera = Cameras(views.camera.world_from_camera, views.camera.intrinsics * stretch.to(views.boxes.device))
    return Photos(replace(views, pictures=views.pictures[window], camera=camera), photos.owner[window])


def _made_small(pictures: Tensor, owner: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Make pictures (B, H, W, 3), and what they show (B, H, W), so small; smaller ones stay as they are."""
    scale = side / max(owner.shape[1:])
    if scale >= 1:
        return pictures, owner
    size = tuple(max(1, round(side * scale)) for side in owner.shape[1:])
    colours = F.interpolate(pictures.permute(0, 3, 1, 2).float(), size, mode="area")
    numbers = F.interpolate(owner[:, None].float(), size, mode="nearest-exact")
    return colours.round().to(torch.uint8).permute(0, 2, 3, 1), numbers[:, 0].long()
