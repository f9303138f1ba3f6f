"""The loop of every task: steps, averaged weights, log, progress bar, saved states and exports."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from accelerate.utils import tqdm
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from na_core.training.atomic_folder import atomic_folder
from na_core.training.randomness import DrawKey, seed_torch
from na_core.training.recorder import Recorder, Stopwatch
from na_core.training.run_log import RunLog
from na_core.training.tables import Optimisation
from na_core.training.task import ParameterGroup, TrainingTask
from na_core.training.training_state import Progress, Trainees, load_state, save_state


def train_task(task: TrainingTask, first: int = 0) -> None:
    """Train a task to its end, and leave the weights that it exported in its modules, in every process.

    The random numbers of a step depend on the seed, the step and the process alone, so that a resumed run
    repeats what an uninterrupted one does. States, log, averages and validation are the main process's.

    Args:
        task: what to train.
        first: the step whose saved state the task goes on from; 0 to begin.

    Raises:
        TrainingError: a saved state is damaged, or the loss is no longer finite.
        DiskFull: the disk is full.
    """
    if first < task.settings.steps:
        _train(task, first)
    task.load(task.folder)
    for group in task.groups:
        group.module.eval()


def _train(task: TrainingTask, first: int) -> None:
    config, settings, accelerator = task.run.config, task.settings, task.run.accelerator
    folder, main = config.output / task.name, accelerator.is_main_process
    folder.mkdir(parents=True, exist_ok=True)
    for group in task.groups:
        module: Any = group.module.train()  # torch's stubs know no memory format
        module.to(accelerator.device, memory_format=torch.channels_last)
    task.prepare(begins=first == 0)
    if config.compile:
        for module in task.compiled:
            module.compile()
    trained = list(task.objective.parameters())
    optimizer = _optimizer(task.groups, settings, fused=accelerator.device.type == "cuda")
    name = "constant_with_warmup" if settings.schedule == "constant" else settings.schedule
    schedule = get_scheduler(
        name, optimizer, num_warmup_steps=settings.warmup_steps, num_training_steps=settings.steps
    )
    ema = None
    if main and settings.ema_decay:
        ema = EMAModel(trained, decay=settings.ema_decay, use_ema_warmup=True, inv_gamma=1.0, power=0.75)
    trainees = Trainees(task.objective, optimizer, schedule, ema)
    progress = load_state(folder, first, trainees) if first else Progress()
    objective = accelerator.prepare_model(task.objective)
    log = RunLog(folder, first) if main else None
    recorder = Recorder(task, progress)
    with tqdm(total=settings.steps, initial=first, desc=task.name, unit="step", smoothing=0.05) as bar:
        for step in range(first, settings.steps):
            rates = {group["name"]: group["lr"] for group in optimizer.param_groups}
            with recorder.clock.time("step"):
                loss = _backward(task, step, objective, recorder.clock)
                norm = accelerator.clip_grad_norm_(trained, settings.clip_norm or math.inf)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad(set_to_none=True)
                if ema is not None:
                    ema.step(trained)
            recorder.add(loss, norm)
            bar.update()
            done, last = step + 1, step + 1 == settings.steps
            if done % config.log_every == 0 or last:
                record = recorder.line(done, rates)
                bar.set_postfix(loss=f"{record['loss']:.4f}", samples_s=f"{record['samples_per_second']:.1f}")
                if log is not None:
                    log.add(record)
            save = done % config.save_every == 0 or last
            validate = task.validate_every is not None and (done % task.validate_every == 0 or last)
            if save or validate:
                recorder.settle()
                if log is not None:
                    _write(task, trainees, recorder.progress(done), log, save, validate)
                accelerator.wait_for_everyone()
                recorder.restart()
    if log is not None:
        log.close()
    accelerator.wait_for_everyone()


def _write(
    task: TrainingTask, trainees: Trainees, progress: Progress, log: RunLog, save: bool, validate: bool
) -> None:
    """Measure the averaged weights, export them, and save the state.

    The state comes last: it says that everything else of its step is written.
    """
    with _averaged(trainees.ema, list(trainees.modules.parameters())):
        if validate:
            measured = task.validate(progress.step, log)
            log.add({"step": progress.step, "samples": progress.samples, **measured})
        if save:
            with atomic_folder(task.folder) as partial:
                task.export(partial)
    if save:
        config = task.run.config
        save_state(config.output / task.name, trainees, progress, config.keep_states)


def _backward(task: TrainingTask, step: int, objective: nn.Module, clock: Stopwatch) -> Tensor:
    """Compute the gradients of a step; return this process's loss, detached.

    ``objective`` is the task's, prepared: it computes in the run's precision. ``clock`` counts the time that
    drawing takes.
    """
    accelerator, parts = task.run.accelerator, task.settings.accumulation
    total = torch.zeros((), device=accelerator.device)
    for part in range(parts):
        key = DrawKey(task.run.config.seed, step, accelerator.process_index, part)
        with clock.time("data"):
            batch = task.draw(key)
        seed_torch(key)
        with nullcontext() if part + 1 == parts else accelerator.no_sync(objective):
            loss = objective(batch) / parts
            accelerator.backward(loss)
        total += loss.detach().float()
    return total


def _optimizer(groups: Sequence[ParameterGroup], settings: Optimisation, fused: bool) -> Optimizer:
    parameters: list[dict[str, Any]] = [
        {
            "name": group.name,
            "params": list(group.module.parameters()),
            "lr": settings.group_rates.get(group.name, settings.learning_rate),
            "weight_decay": settings.weight_decay if group.decays else 0.0,
        }
        for group in groups
    ]
    return AdamW(parameters, betas=(0.9, 0.99), fused=fused)


@contextmanager
def _averaged(ema: EMAModel | None, trained: Sequence[nn.Parameter]) -> Iterator[None]:
    """Put the averaged weights in the modules' place for a while."""
    if ema is None:
        yield
        return
    ema.store(trained)
    ema.copy_to(trained)
    try:
        yield
    finally:
        ema.restore(trained)
