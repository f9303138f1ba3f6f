"""The task that trains the embedded detector: objects' 3D boxes and the camera, from photos alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from na_core.data.scenes import Scene, scenes
from na_core.detection.network import BoxDetector
from na_core.detection.targets import LabelledPhotos, focal_lengths, losses, targets
from na_core.training.config import DetectorConfig
from na_core.training.errors import TrainingError
from na_core.training.initial import load_part
from na_core.training.labelled import LabelledFrames, photo_views
from na_core.training.photo_augmentation import Photos, mirror, recolour, turn
from na_core.training.randomness import DrawKey, generator, seed_torch
from na_core.training.run import Run
from na_core.training.scene_shards import load_images
from na_core.training.task import ParameterGroup, TrainingTask

CHANNELS = {"tiny": (8, 16), "mini": (32, 48, 64, 80)}
"""Of the networks with random weights, by size."""


@dataclass(frozen=True)
class Shown:
    """What M labelled frames show of their objects, N slots each.

    Attributes:
        frames: pictures, cameras and boxes.
        masks: (M, H, W) uint8, 0 the background, n object n - 1.
        visible: (M, N) float32, the share of each silhouette that shows; 0 where there is none.
        names: (M, N) int64, numbers of families.
        symmetry: (M, N) int64, turns after which shapes look the same; 0 any.
    """

    frames: LabelledFrames
    masks: Tensor
    visible: Tensor
    names: Tensor
    symmetry: Tensor


class DetectorObjective(nn.Module):
    """The loss of a detector."""

    def __init__(self, network: BoxDetector) -> None:
        super().__init__()
        self.network = network

    def forward(self, photos: LabelledPhotos) -> Tensor:
        """Return the loss of photos."""
        pictures = photos.pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
        parts = losses(self.network(pictures, photos.told_focal), targets(photos))
        return torch.stack(list(parts.values())).sum()


class DetectorTask(TrainingTask[DetectorConfig]):
    """Trains a detector: an existing one, or random weights that tell the data set's families apart.

    Raises:
        ConfigError: the folder to start from holds no detector.
        TrainingError: a scene holds a family that the detector does not know.
    """

    name = "detector"

    def __init__(self, run: Run, settings: DetectorConfig) -> None:
        if settings.initial is None:
            seed_torch(DrawKey(run.config.seed, 0))
            names = families(scenes(run.config.scenes))  # of all processes' scenes
            network = BoxDetector(names=names, channels=CHANNELS[settings.size])  # by name: they are saved
        else:
            network = load_part("detector", str(settings.initial), f"{run.file}: detector: 'initial'")
        super().__init__(run, settings, DetectorObjective(network), [ParameterGroup("detector", network)])
        check_families(run.scenes, network.config.names)

    def prepare(self, begins: bool) -> None:
        """Load what the pictures show."""
        self._shown = load_shown(self.run, self.network.config.names)

    def draw(self, key: DrawKey) -> LabelledPhotos:
        """Return photos; see :func:`draw_labelled`."""
        count = self.run.share(self.settings)
        return draw_labelled(self._shown, count, self.settings, key, self.run.device)

    def export(self, folder: Path) -> None:
        """Save the detector in float16."""
        half = BoxDetector.from_config(self.network.config)
        half.load_state_dict(self.network.state_dict())
        half.register_to_config(_name_or_path="")  # not where the run began, on whosever machine
        half.half().save_pretrained(folder, safe_serialization=True)


def families(chosen: Iterable[Scene]) -> tuple[str, ...]:
    """Return the names of all families of objects in scenes, sorted."""
    return tuple(sorted({thing.family for scene in chosen for thing in scene.labels.objects}))


def check_families(chosen: Sequence[Scene], names: Sequence[str]) -> None:
    """Refuse scenes whose families are not all among ``names``.

    Raises:
        TrainingError: a scene holds another family.
    """
    missing = sorted(set(families(chosen)) - set(names))
    if missing:
        raise TrainingError(
            f"the detector knows no '{missing[0]}', which scenes hold. Train one with random weights"
        )


def load_shown(run: Run, names: Sequence[str]) -> Shown:
    """Return what all frames of a run's scenes show, in order; families by their places in ``names``.

    Raises:
        OSError: a file cannot be read; the text names it.
    """
    shape = run.frames.there.shape
    visible = np.zeros(shape, np.float32)
    numbers, symmetry = np.zeros(shape, np.int64), np.ones(shape, np.int64)
    row = 0
    for scene in run.scenes:
        things = scene.labels.objects
        for frame in scene.labels.frames:
            present = [box is not None for box in frame.boxes]
            visible[row, : len(things)] = np.where(present, frame.visible, 0)
            numbers[row, : len(things)] = [names.index(thing.family) for thing in things]
            symmetry[row, : len(things)] = [thing.symmetry for thing in things]
            row += 1
    masks = load_images(run.scenes, Scene.mask, torch.uint8, "masks")
    return Shown(run.frames, masks, *(torch.from_numpy(each) for each in (visible, numbers, symmetry)))


def draw_labelled(
    shown: Shown, count: int, settings: DetectorConfig, key: DrawKey, device: torch.device
) -> LabelledPhotos:
    """Draw photos: mirrored, recoloured, and as other cameras would have taken them."""
    random = generator(key)
    rows = torch.from_numpy(random.integers(len(shown.masks), size=count))
    owner = shown.masks[rows].long() - 1
    views = photo_views(shown.frames, rows).to(device)
    pictures, owner = _made_small(views.pictures, owner.to(device), settings.side)
    photos = Photos(replace(views, pictures=pictures), owner)
    photos = mirror(photos, random, settings.mirror)
    if settings.turn or settings.zoom > 1:
        photos = turn(photos, random, settings.turn, settings.zoom)
    photos = recolour(photos, random, settings.recolour)
    height, width = photos.owner.shape[1:]
    told = torch.from_numpy(random.random(count) < settings.tell_focal).to(device)
    return LabelledPhotos(
        pictures=photos.views.pictures,
        camera=photos.views.camera,
        told_focal=focal_lengths(photos.views.camera, width, height) * told,
        boxes=photos.views.boxes,
        visible=shown.visible[rows].to(device),
        owner=photos.owner,
        names=shown.names[rows].to(device),
        symmetry=shown.symmetry[rows].to(device),
    )


def _made_small(pictures: Tensor, owner: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Make pictures (B, H, W, 3), and what they show (B, H, W), so small; smaller ones stay as they are."""
    scale = side / max(owner.shape[1:])
    if scale >= 1:
        return pictures, owner
    size = tuple(max(1, round(side * scale)) for side in owner.shape[1:])
    colours = F.interpolate(pictures.permute(0, 3, 1, 2).float(), size, mode="area")
    numbers = F.interpolate(owner[:, None].float(), size, mode="nearest-exact")
    return colours.round().to(torch.uint8).permute(0, 2, 3, 1), numbers[:, 0].long()
