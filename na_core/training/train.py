"""The command: the VAE, then the decoder; each stage resumes, and each can be trained alone.

The embedded detector has runs of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor
from transformers.utils.logging import disable_progress_bar

from na_core.data.scenes import Scene, scenes
from na_core.model.batched.reliefs import Reliefs
from na_core.model.patch_autoencoder import PatchAutoencoder
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.training import decoder, detector, relief, vae
from na_core.training.atomic_folder import recover_folder
from na_core.training.checkpoint import save_checkpoint
from na_core.training.config import (
    DecoderConfig,
    DetectorConfig,
    ReliefConfig,
    TrainingConfig,
    VaeConfig,
    load_config,
)
from na_core.training.errors import ConfigError
from na_core.training.frame_labels import labelled_frames
from na_core.training.initial import starting_pipeline
from na_core.training.pair_batches import pair_batches
from na_core.training.precision import mixed_precision
from na_core.training.randomness import DrawKey, seed_torch
from na_core.training.run_folder import claim_folder
from na_core.training.scene_shards import load_pictures, shard_of
from na_core.training.training_state import first_step, saved_steps
from na_core.training.validation import Validation

STAGES = (vae.FOLDER, relief.FOLDER, decoder.FOLDER)
"""Folders of the stages, in their order."""


def main(file: Path, resume: bool = False, step: int | None = None) -> Path:
    """Train what a configuration file describes, in this process or as one of several.

    Args:
        file: the configuration.
        resume: go on from the newest saved state.
        step: of the state to go on from in its stead, of the stage that was under way.

    Returns:
        The folder of the checkpoint; without a decoder to train and a checkpoint to start from, that of the
        part that was trained last.

    Raises:
        TrainingError: the configuration, the data, a saved state or the disk; the text says what to do.
        SceneError, ShardError, OSError: a scene is damaged; the text names it.
    """
    config = load_config(file)
    disable_progress_bar()  # transformers' own, once for each saved file
    torch.set_num_threads(config.threads or torch.get_num_threads())
    names = scene_names(config, file)
    if config.detector is not None:
        return _train_detector(config, config.detector, file, names, resume, step)
    pipeline = starting_pipeline(config, file)
    accelerator = Accelerator(
        mixed_precision=mixed_precision(config.mixed_precision), cpu=not torch.cuda.is_available()
    )
    _check_shares(config, file, accelerator.num_processes)
    done = vae.trained_vae(config.output), relief.trained_relief(config.output)
    if accelerator.is_main_process:
        claim_folder(config, file, names, resume or step is not None)
        for folder in (*done, config.output / decoder.CHECKPOINT):
            recover_folder(folder)
    accelerator.wait_for_everyone()
    begun = [stage for stage in STAGES if saved_steps(config.output / stage)] or _trained(config)
    shard = shard_of(config.scenes, accelerator.process_index, accelerator.num_processes)
    _check_size(pipeline, config, file, shard[0].labels.width, shard[0].labels.height)
    validation = None
    if config.validation is not None and config.decoder is not None and accelerator.is_main_process:
        validation = Validation(config.validation, pipeline, config.output / "samples")
    pictures = load_pictures(shard, accelerator.device, show=accelerator.is_main_process)

    def first(stage: str, settings: VaeConfig | ReliefConfig | DecoderConfig) -> int:
        """Return the step that a stage goes on from; ``step`` is of the last one that was begun."""
        chosen = step if begun[-1] == stage else None
        return first_step(config.output / stage, settings.steps, resume or step is not None, chosen)

    if isinstance(config.vae, VaeConfig):
        assert isinstance(pipeline.vae, PatchAutoencoder)
        vae.train_vae(pipeline.vae, pictures, config.vae, config, accelerator, first(vae.FOLDER, config.vae))
    if isinstance(config.relief, ReliefConfig):
        begin = first(relief.FOLDER, config.relief)
        if begin < config.relief.steps:  # else the truth, which is large, is not needed
            truth = relief.load_truth(shard, show=accelerator.is_main_process)
            labels = labelled_frames(shard, pictures)
            relief.train_relief(pipeline.relief, labels, truth, config.relief, config, accelerator, begin)
        else:
            relief.load_relief(pipeline.relief, config.output)
    if config.decoder is None:
        if config.initial is None:
            return done[1] if isinstance(config.relief, ReliefConfig) else done[0]
        if accelerator.is_main_process:  # the checkpoint that it began with, with its new parts
            save_checkpoint(pipeline, config.output / decoder.CHECKPOINT)
        return config.output / decoder.CHECKPOINT
    pipeline.to(accelerator.device)
    pipeline.vae.to(memory_format=torch.channels_last)
    share = config.decoder.batch_size // (accelerator.num_processes * config.decoder.accumulation)
    batches = pair_batches(
        shard,
        pictures,
        pipeline,
        config.decoder,
        share,
        augmentation=config.augmentation,
        precision=accelerator.mixed_precision,
        reliefs=_reliefs(pipeline, shard, pictures, accelerator),
        show=accelerator.is_main_process,
    )
    start = first(decoder.FOLDER, config.decoder)
    return decoder.train_decoder(pipeline, batches, config.decoder, config, accelerator, start, validation)


def _train_detector(
    config: TrainingConfig,
    settings: DetectorConfig,
    file: Path,
    names: list[str],
    resume: bool,
    step: int | None,
) -> Path:
    """Train the embedded detector; return its folder."""
    accelerator = Accelerator(
        mixed_precision=mixed_precision(config.mixed_precision), cpu=not torch.cuda.is_available()
    )
    _check_shares(config, file, accelerator.num_processes)
    folder = detector.trained_detector(config.output)
    if accelerator.is_main_process:
        claim_folder(config, file, names, resume or step is not None)
        recover_folder(folder)
    accelerator.wait_for_everyone()
    shard = shard_of(config.scenes, accelerator.process_index, accelerator.num_processes)
    seed_torch(DrawKey(config.seed, 0))
    network = detector.starting_detector(settings, config.scenes, file)
    shown = detector.load_shown(shard, network.config.names, accelerator.device, accelerator.is_main_process)
    begin = first_step(config.output / detector.FOLDER, settings.steps, resume or step is not None, step)
    return detector.train_detector(network, shown, settings, config, accelerator, begin)


def _trained(config: TrainingConfig) -> list[str]:
    """Return the folder of the first stage that a run trains, in a list."""
    trains = (
        isinstance(config.vae, VaeConfig),
        isinstance(config.relief, ReliefConfig),
        config.decoder is not None,
    )
    return [stage for stage, here in zip(STAGES, trains, strict=True) if here][:1]


def _reliefs(
    pipeline: NeuralAssetsPipeline, shard: Sequence[Scene], pictures: Tensor, accelerator: Accelerator
) -> Reliefs | None:
    if pipeline.relief is None:
        return None
    title = "reliefs" if accelerator.is_main_process else None
    network, labels = pipeline.relief.eval(), labelled_frames(shard, pictures)
    return relief.all_reliefs(network, labels, title=title, precision=accelerator.mixed_precision)


def scene_names(config: TrainingConfig, file: Path) -> list[str]:
    """Return the names of a configuration's scenes, after checking that its data sets are there.

    Raises:
        ConfigError: one of them holds no scene; the text names file and key, and says how to make some.
        SceneError, ShardError: a scene or a shard is damaged; the text names it.
    """
    places = {"scenes": config.scenes}
    if config.validation is not None:
        places["validation.scenes"] = config.validation.scenes
    found = {key: [scene.name for scene in scenes(place)] for key, place in places.items()}
    for key, names in found.items():
        if not names:
            place = places[key]
            raise ConfigError(
                f"{file}: '{key}' is {place}, which holds no complete scene. Make some with: neural-assets "
                f"dataset render --out {place.parent} --split {place.name} --scenes 300"
            )
    return found["scenes"]


def _check_shares(config: TrainingConfig, file: Path, processes: int) -> None:
    for name in ("vae", "relief", "decoder", "detector"):
        settings = getattr(config, name)
        if not isinstance(settings, VaeConfig | ReliefConfig | DecoderConfig | DetectorConfig):
            continue
        parts = processes * settings.accumulation
        if settings.batch_size % parts:
            raise ConfigError(
                f"{file}: {name}: 'batch_size' is {settings.batch_size}, which {processes} process(es) times "
                f"'accumulation' {settings.accumulation} do not divide evenly"
            )


def _check_size(pipeline: NeuralAssetsPipeline, config: TrainingConfig, file: Path, *size: int) -> None:
    if config.decoder is not None and any(side % pipeline.multiple for side in size):
        raise ConfigError(
            f"{file}: 'scenes' has pictures of {size[0]} x {size[1]} pixels; this model needs multiples of "
            f"{pipeline.multiple}"
        )
