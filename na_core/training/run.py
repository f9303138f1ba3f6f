"""What the tasks of a run share: configuration, device, this process's scenes, and the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from na_core.data.scenes import Scene
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.training.config import TrainingConfig
from na_core.training.initial import starting_pipeline
from na_core.training.labelled import LabelledFrames, labelled_frames
from na_core.training.scene_shards import load_pictures
from na_core.training.tables import Optimisation


@dataclass
class Run:
    """A run in one of its processes. What is large is made when a task first asks for it.

    Attributes:
        config: of the run.
        file: that it was read from, for errors.
        accelerator: device, precision and processes.
        scenes: this process's, with pictures of one size.
    """

    config: TrainingConfig
    file: Path
    accelerator: Accelerator
    scenes: Sequence[Scene]

    @cached_property
    def pipeline(self) -> NeuralAssetsPipeline:
        """The model that learns; see :func:`na_core.training.initial.starting_pipeline`."""
        return starting_pipeline(self.config, self.file)

    @cached_property
    def pictures(self) -> Tensor:
        """All pictures of the scenes in order, (M, H, W, 3) uint8; on the device if they fit there."""
        return load_pictures(self.scenes, self.device)

    @cached_property
    def frames(self) -> LabelledFrames:
        """The pictures with their labels."""
        return labelled_frames(self.scenes, self.pictures)

    @property
    def picture_size(self) -> tuple[int, int]:
        """Width and height of the pictures in pixels."""
        return self.scenes[0].labels.width, self.scenes[0].labels.height

    @property
    def device(self) -> torch.device:
        """Where this process trains."""
        return self.accelerator.device

    def share(self, settings: Optimisation) -> int:
        """Return how many samples this process draws at once."""
        return settings.batch_size // (self.accelerator.num_processes * settings.accumulation)


def mixed_precision(wanted: str) -> str:
    """Return "no" or "bf16" for "no", "bf16" or "auto": bf16 where the device has instructions for it."""
    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        supported = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities = torch.cpu.get_capabilities()
        supported = bool(capabilities.get("amx_bf16") or capabilities.get("avx512_bf16"))
    return "bf16" if supported else "no"
