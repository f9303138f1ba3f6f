"""The command: trains what a configuration has tables for, one task after the other; each resumes."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from transformers.utils.logging import disable_progress_bar

from na_core.data.scenes import scenes
from na_core.threads import use_threads
from na_core.training.atomic_folder import atomic_folder, recover_folder
from na_core.training.config import TASKS, TrainingConfig, load_config
from na_core.training.decoder import DecoderTask, save_checkpoint
from na_core.training.detector import DetectorTask
from na_core.training.errors import ConfigError, TrainingError
from na_core.training.loop import train_task
from na_core.training.photo_network import PhotoNetworkTask
from na_core.training.refiner import RefinerTask
from na_core.training.run import Run, mixed_precision
from na_core.training.run_folder import claim_folder, export_folder
from na_core.training.scene_shards import shard_of
from na_core.training.task import TrainingTask
from na_core.training.training_state import first_step, saved_steps
from na_core.training.vae import VaeTask

REGISTRY: Mapping[str, Callable[[Run, Any], TrainingTask]] = {
    task.name: task for task in (VaeTask, PhotoNetworkTask, DetectorTask, RefinerTask, DecoderTask)
}
"""The tasks, by their tables in the configuration."""


def launch(file: Path, resume: bool = False, step: int | None = None) -> None:
    """Train in this process, or in several where the configuration or the machine's GPUs ask for them.

    Under ``accelerate launch`` or ``torchrun`` this process is one of those already. The arguments are those
    of :func:`main`.

    Raises:
        TrainingError: as :func:`main`, or one of several processes failed.
    """
    config = load_config(file)
    processes = config.processes or max(1, torch.cuda.device_count())
    if processes == 1 or "LOCAL_RANK" in os.environ:
        main(file, resume, step)
        return
    scene_names(config, file)  # said once, before anything starts
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(processes), "-m", "na_core.training", "--config", str(file)]
    command += ["--resume"] if resume else []
    command += [] if step is None else ["--step", str(step)]
    if subprocess.run(command, check=False).returncode:
        raise TrainingError("one of the processes failed; what it said is above")


def main(file: Path, resume: bool = False, step: int | None = None) -> Path:
    """Train what a configuration file describes, in this process or as one of several.

    Args:
        file: the configuration.
        resume: go on from the newest saved state.
        step: of the state to go on from in its stead, of the task that was under way.

    Returns:
        The folder of the checkpoint; without a decoder to train and a checkpoint to start from, that of the
        part that was trained last.

    Raises:
        TrainingError: the configuration, the data, a saved state or the disk; the text says what to do.
        SceneError, ShardError, OSError: a scene is damaged; the text names it.
    """
    config = load_config(file)
    disable_progress_bar()  # transformers' own, once for each saved file
    use_threads(config.threads or None)
    names = scene_names(config, file)
    accelerator = Accelerator(
        mixed_precision=mixed_precision(config.mixed_precision), cpu=not torch.cuda.is_available()
    )
    _check_shares(config, file, accelerator.num_processes)
    shard = shard_of(config.scenes, accelerator.process_index, accelerator.num_processes)
    run = Run(config, file, accelerator, shard)
    tasks = [REGISTRY[name](run, settings) for name, settings in config.trained.items()]
    resume = resume or step is not None
    if accelerator.is_main_process:
        claim_folder(config, file, names, resume)
        for name in TASKS:
            recover_folder(export_folder(config.output, name))
    accelerator.wait_for_everyone()
    begun = [task for task in tasks if saved_steps(config.output / task.name)] or tasks[:1]
    for task in tasks:
        chosen = step if task is begun[-1] else None
        train_task(task, first_step(config.output / task.name, task.settings.steps, resume, chosen))
    if config.decoder is not None or config.initial is None:
        return tasks[-1].folder
    checkpoint = export_folder(config.output, "decoder")
    if accelerator.is_main_process:  # the checkpoint that it began with, with its new parts
        with atomic_folder(checkpoint) as partial:
            save_checkpoint(run.pipeline, partial)
    return checkpoint


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
    for name, settings in config.trained.items():
        if settings.batch_size % (processes * settings.accumulation):
            raise ConfigError(
                f"{file}: {name}: 'batch_size' is {settings.batch_size}, which {processes} process(es) times "
                f"'accumulation' {settings.accumulation} do not divide evenly"
            )
