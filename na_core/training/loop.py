"""The loop of both stages: steps, averaged weights, log, progress bar and saved states."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from accelerate import Accelerator
from diffusers.optimization import get_constant_schedule_with_warmup, get_cosine_schedule_with_warmup
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler
from tqdm import tqdm

from na_core.training.config import TrainingConfig
from na_core.training.errors import TrainingError
from na_core.training.randomness import DrawKey, seed_torch
from na_core.training.run_log import RunLog
from na_core.training.stopwatch import Stopwatch
from na_core.training.training_state import Progress, Trainees, load_state, save_state

Draw = Callable[[DrawKey], Any]
"""Draws a process's part of a step's batch."""

Save = Callable[[int], None]
"""Saves what a stage is for, at a step, while the modules hold the averaged weights."""

Validate = Callable[[int, RunLog], Mapping[str, Any]]
"""Measures the averaged weights at a step; what it returns becomes a line of the log."""


@dataclass(frozen=True)
class Stage:
    """One training: what learns, from what, and how.

    Attributes:
        name: of the stage; of its progress bar and of its folder in the run's.
        objective: a module whose call with what ``draw`` returns gives the loss, and whose parameters learn.
        groups: AdamW's parameter groups, each with a "name".
        draw: a process's part of a batch, a pure function of its key.
        save: what the stage is for.
        validate: measures the averaged weights; the main process's.
        validate_every: steps between that; None for never.
        steps, warmup_steps, schedule, clip_norm, ema_decay, batch_size, accumulation: see the configuration.
    """

    name: str
    objective: nn.Module
    groups: Sequence[dict[str, Any]]
    draw: Draw
    save: Save
    steps: int
    warmup_steps: int
    schedule: str
    clip_norm: float
    ema_decay: float
    batch_size: int
    accumulation: int
    validate: Validate | None = None
    validate_every: int | None = None


def run_stage(stage: Stage, config: TrainingConfig, accelerator: Accelerator, first: int) -> None:
    """Train a stage to its end, and leave the averaged weights in its modules.

    The random numbers of a step depend on the seed, the step and the process alone, so that a resumed run
    repeats what an uninterrupted one does. States, log, averages and validation are the main process's.

    Args:
        stage: what to train.
        config: of the run.
        accelerator: device, precision and processes.
        first: the step whose saved state the stage goes on from; 0 to begin.

    Raises:
        TrainingError: a saved state is damaged, or the loss is no longer finite.
        DiskFull: the disk is full.
    """
    folder = config.output / stage.name
    folder.mkdir(parents=True, exist_ok=True)
    main = accelerator.is_main_process
    fused = accelerator.device.type == "cuda"
    optimizer = torch.optim.AdamW([dict(group) for group in stage.groups], betas=(0.9, 0.99), fused=fused)
    schedule = _schedule(stage, optimizer)
    trained = list(stage.objective.parameters())
    ema = None
    if main and stage.ema_decay:
        ema = EMAModel(trained, decay=stage.ema_decay, use_ema_warmup=True, inv_gamma=1.0, power=0.75)
    trainees = Trainees(stage.objective, optimizer, schedule, ema)
    progress = load_state(folder, first, trainees) if first else Progress()
    objective = accelerator.prepare_model(stage.objective)
    log = RunLog(folder, first) if main else None
    recorder = _Recorder(stage, accelerator, progress)
    with tqdm(
        total=stage.steps, initial=first, desc=stage.name, unit="step", smoothing=0.05, disable=not main
    ) as bar:
        for step in range(first, stage.steps):
            rates = {group["name"]: group["lr"] for group in optimizer.param_groups}
            with recorder.clock.time("step"):
                loss = _losses(stage, config.seed, step, objective, accelerator, recorder.clock)
                norm = accelerator.clip_grad_norm_(trained, stage.clip_norm or math.inf)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad(set_to_none=True)
                if ema is not None:
                    ema.step(trained)
            recorder.add(loss, norm)
            bar.update()
            done, last = step + 1, step + 1 == stage.steps
            if done % config.log_every == 0 or last:
                record = recorder.line(done, rates)
                bar.set_postfix(loss=f"{record['loss']:.4f}", samples_s=f"{record['samples_per_second']:.1f}")
                if log is not None:
                    log.add(record)
            save = done % config.save_every == 0 or last
            validate = stage.validate_every is not None and (done % stage.validate_every == 0 or last)
            if save or validate:
                recorder.settle()
                if log is not None:
                    _write(stage, trainees, recorder.progress(done), log, config, save, validate)
                accelerator.wait_for_everyone()
                recorder.restart()
    if ema is not None:
        ema.copy_to(trained)
    if log is not None:
        log.close()
    accelerator.wait_for_everyone()


def _write(
    stage: Stage,
    trainees: Trainees,
    progress: Progress,
    log: RunLog,
    config: TrainingConfig,
    save: bool,
    validate: bool,
) -> None:
    """Measure the averaged weights, save what the stage is for, and save the state.

    The state comes last: it says that everything else of its step is written.
    """
    with _averaged(trainees.ema, list(trainees.modules.parameters())):
        if validate and stage.validate is not None:
            measured = stage.validate(progress.step, log)
            log.add({"step": progress.step, "samples": progress.samples, **measured})
        if save:
            stage.save(progress.step)
    if save:
        save_state(config.output / stage.name, trainees, progress, config.keep_states)


def _losses(
    stage: Stage,
    seed: int,
    step: int,
    objective: nn.Module,
    accelerator: Accelerator,
    clock: Stopwatch,
) -> Tensor:
    """Compute the gradients of a step; return this process's loss, detached."""
    total = torch.zeros((), device=accelerator.device)
    for part in range(stage.accumulation):
        key = DrawKey(seed, step, accelerator.process_index, part)
        with clock.time("data"):
            batch = stage.draw(key)
        seed_torch(key)
        last = part + 1 == stage.accumulation
        with nullcontext() if last else accelerator.no_sync(objective):
            loss = objective(batch) / stage.accumulation  # prepared: computes in the run's precision
            accelerator.backward(loss)
        total += loss.detach().float()
    return total


def _schedule(stage: Stage, optimizer: torch.optim.Optimizer) -> LRScheduler:
    if stage.schedule == "constant":
        return get_constant_schedule_with_warmup(optimizer, stage.warmup_steps)
    return get_cosine_schedule_with_warmup(optimizer, stage.warmup_steps, stage.steps)


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


class _Recorder:
    """Losses, gradient norms and times since the last line of the log."""

    def __init__(self, stage: Stage, accelerator: Accelerator, progress: Progress) -> None:
        self.clock = Stopwatch(accelerator.device)
        self.samples = progress.samples
        self._stage = stage
        self._accelerator = accelerator
        self._settled = [*progress.pending]
        self._waiting: list[tuple[Tensor, Tensor]] = []
        self.restart()

    def restart(self) -> None:
        """Begin to count time anew: what was just done is no part of a step."""
        self.clock.take()
        self._since, self._counted = time.monotonic(), self.samples

    def add(self, loss: Tensor, norm: Tensor) -> None:
        """Note a step, without waiting for its numbers."""
        self._waiting.append((loss, torch.as_tensor(norm, device=loss.device).detach().float()))
        self.samples += self._stage.batch_size

    def settle(self) -> None:
        """Wait for the numbers of all steps, averaged over processes.

        Raises:
            TrainingError: one of them is not finite.
        """
        if not self._waiting:
            return
        numbers = torch.stack([torch.stack(pair) for pair in self._waiting])
        numbers = self._accelerator.reduce(numbers, "mean").cpu()
        self._waiting.clear()
        if not torch.isfinite(numbers).all():
            raise TrainingError(
                f"{self._stage.name}: the loss or its gradient is no longer finite. Go on from an earlier "
                f"saved state with a smaller learning rate, or without bf16"
            )
        self._settled += [(float(loss), float(norm)) for loss, norm in numbers]

    def progress(self, step: int) -> Progress:
        """Return how far the stage is, for its saved state."""
        return Progress(step, self.samples, tuple(self._settled))

    def line(self, step: int, rates: Mapping[str, float]) -> dict[str, Any]:
        """Return the log's line of the steps since the last one."""
        self.settle()
        seconds = time.monotonic() - self._since
        spent = self.clock.take()
        losses, norms = zip(*self._settled, strict=True)
        record = {
            "step": step,
            "samples": self.samples,
            "loss": math.fsum(losses) / len(losses),
            "gradient_norm": math.fsum(norms) / len(norms),
            "learning_rate": dict(rates),
            "samples_per_second": (self.samples - self._counted) / max(seconds, 1e-9),
            "data_share": spent.get("data", 0.0) / max(spent.get("step", 0.0), 1e-9),
            "seconds": seconds,
        }
        self._settled.clear()
        self._since, self._counted = time.monotonic(), self.samples
        return record
