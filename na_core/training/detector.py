"""The stage that trains the embedded detector: objects' 3D boxes and the camera, from photos alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from torch import Tensor, nn

from na_core.data.scenes import Scene, scenes
from na_core.detection.network import BoxDetector
from na_core.detection.targets import LabelledPhotos, focal_lengths, losses, targets
from na_core.model.batched.labelled import LabelledFrames
from na_core.training.atomic_folder import atomic_folder
from na_core.training.config import DetectorConfig, TrainingConfig
from na_core.training.errors import ConfigError, TrainingError
from na_core.training.frame_labels import labelled_frames
from na_core.training.loop import Stage, run_stage
from na_core.training.photo_augmentation import Photos, mirror, recolour, turn
from na_core.training.randomness import DrawKey, generator
from na_core.training.relief import photo_views
from na_core.training.scene_shards import load_images, load_pictures

FOLDER = "detector"
"""Of the stage in the run's; the finished detector is in ``trained`` below it."""


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


def starting_detector(settings: DetectorConfig, place: Path, file: Path) -> BoxDetector:
    """Return the detector that a run starts from, in float32.

    Args:
        settings: of the stage.
        place: of the scenes; with random weights, their families are what it tells apart.
        file: of the configuration, for errors.

    Raises:
        ConfigError: the folder to start from holds no detector.
    """
    if settings.initial is None:
        found = families(list(scenes(place)))
        return BoxDetector(names=found, channels=CHANNELS[settings.size])  # by name: diffusers saves those
    try:
        return BoxDetector.from_pretrained(settings.initial).float()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file}: detector: 'initial' is {settings.initial}: no detector there") from error


def families(chosen: Sequence[Scene]) -> tuple[str, ...]:
    """Return the names of all families of objects in scenes, sorted."""
    return tuple(sorted({thing.family for scene in chosen for thing in scene.labels.objects}))


def load_shown(
    chosen: Sequence[Scene], names: Sequence[str], device: torch.device, show: bool = False
) -> Shown:
    """Return what all frames of scenes show, in order; pictures on the device if they fit there.

    Args:
        chosen: scenes with pictures of one size.
        names: of families, by their numbers.
        device: that trains.
        show: progress bars.

    Raises:
        TrainingError: a scene holds a family that ``names`` lack.
        OSError: a file cannot be read; the text names it.
    """
    missing = sorted(set(families(chosen)) - set(names))
    if missing:
        raise TrainingError(
            f"the detector knows no '{missing[0]}', which scenes hold. Train one with random weights"
        )
    frames = labelled_frames(chosen, load_pictures(chosen, device, show))
    shape = frames.there.shape
    visible = np.zeros(shape, np.float32)
    numbers, symmetry = np.zeros(shape, np.int64), np.ones(shape, np.int64)
    row = 0
    for scene in chosen:
        things = scene.labels.objects
        for frame in scene.labels.frames:
            there = [box is not None for box in frame.boxes]
            visible[row, : len(things)] = np.where(there, frame.visible, 0)
            numbers[row, : len(things)] = [names.index(thing.family) for thing in things]
            symmetry[row, : len(things)] = [thing.symmetry for thing in things]
            row += 1
    masks = load_images(chosen, Scene.mask, torch.uint8, "masks" if show else None)
    return Shown(frames, masks, *(torch.from_numpy(of) for of in (visible, numbers, symmetry)))


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


def train_detector(
    network: BoxDetector,
    shown: Shown,
    settings: DetectorConfig,
    config: TrainingConfig,
    accelerator: Accelerator,
    first: int = 0,
) -> Path:
    """Train a detector in place and save it, averaged weights in float16; return its folder.

    Args:
        network: to train.
        shown: this process's photos.
        settings: of the stage.
        config: of the run.
        accelerator: device, precision and processes.
        first: the step to go on from.

    Raises:
        TrainingError, DiskFull: see :func:`na_core.training.loop.run_stage`.
    """
    network.to(accelerator.device, memory_format=torch.channels_last).train()
    count = settings.batch_size // (accelerator.num_processes * settings.accumulation)
    if config.compile:
        network.compile()

    def save(step: int) -> None:
        with atomic_folder(trained_detector(config.output)) as folder:
            half = BoxDetector.from_config(network.config)
            half.load_state_dict(network.state_dict())
            half.register_to_config(_name_or_path="")  # not where the run began, on whosever machine
            half.half().save_pretrained(folder, safe_serialization=True)

    run_stage(
        Stage(
            name=FOLDER,
            objective=DetectorObjective(network),
            groups=[
                {
                    "name": "detector",
                    "params": list(network.parameters()),
                    "lr": settings.learning_rate,
                    "weight_decay": settings.weight_decay,
                }
            ],
            draw=lambda key: draw_labelled(shown, count, settings, key, accelerator.device),
            save=save,
            steps=settings.steps,
            warmup_steps=settings.warmup_steps,
            schedule="cosine",
            clip_norm=settings.clip_norm,
            ema_decay=settings.ema_decay,
            batch_size=settings.batch_size,
            accumulation=settings.accumulation,
        ),
        config,
        accelerator,
        first,
    )
    return trained_detector(config.output)


def trained_detector(output: Path) -> Path:
    """Return the folder of a run's trained detector."""
    return output / FOLDER / "trained"
