"""Saved states: all that a task goes on from, as safetensors and JSON. No pickle is read or written."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.training_utils import EMAModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from na_core.training.atomic_folder import atomic_folder
from na_core.training.errors import TrainingError

MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What AdamW keeps of each parameter."""


@dataclass(frozen=True)
class Trainees:
    """What changes as a task trains.

    Attributes:
        modules: the weights.
        optimizer: AdamW over all of them.
        schedule: of its learning rates.
        ema: the average of the weights, None where there is none or another process keeps it.
    """

    modules: nn.Module
    optimizer: Optimizer
    schedule: LRScheduler
    ema: EMAModel | None


@dataclass(frozen=True)
class Progress:
    """How far a task is.

    Attributes:
        step: steps done.
        samples: seen so far.
        pending: losses and gradient norms of the steps since the last line of the log.
    """

    step: int = 0
    samples: int = 0
    pending: tuple[tuple[float, float], ...] = ()


def state_folder(folder: Path, step: int) -> Path:
    """Return where the state of a task's step is saved."""
    return folder / "states" / f"step-{step:08}"


def saved_steps(folder: Path) -> list[int]:
    """Return the steps whose states a task's folder holds, ascending; half-written ones do not count."""
    names = [p.name.removeprefix("step-") for p in (folder / "states").glob("step-*") if p.is_dir()]
    return sorted(int(name) for name in names if name.isdecimal())


def first_step(folder: Path, steps: int, resume: bool, from_step: int | None) -> int:
    """Return the step whose state a task of so many steps goes on from; 0 to begin.

    If it is to be resumed, that is ``from_step``, or where that is None the newest one, if there is any.

    Raises:
        TrainingError: there is no state of that step; the text names those that there are.
    """
    saved = [step for step in saved_steps(folder) if step <= steps]
    if not resume:
        return 0
    if from_step is None:
        return saved[-1] if saved else 0
    if from_step not in saved:
        names = ", ".join(map(str, saved)) or "none"
        raise TrainingError(f"{folder}: no state was saved at step {from_step}; there are: {names}")
    return from_step


def save_state(folder: Path, trainees: Trainees, progress: Progress, keep: int) -> None:
    """Save a state, then delete old ones beyond the newest ``keep`` (0 keeps all), and any of later steps.

    Later steps are another run's, or this one's before it was resumed from an earlier state.

    Raises:
        DiskFull: the disk is full; the states that were there are whole.
    """
    with atomic_folder(state_folder(folder, progress.step)) as partial:
        save_file(_contiguous(trainees.modules.state_dict()), partial / "weights.safetensors")
        save_file(dict(_moments(trainees.optimizer)), partial / "optimizer.safetensors")
        if trainees.ema is not None:
            averages = {str(i): value for i, value in enumerate(trainees.ema.shadow_params)}
            save_file(_contiguous(averages), partial / "ema.safetensors")
        record = {
            "step": progress.step,
            "samples": progress.samples,
            "pending": progress.pending,
            "schedule": {k: v for k, v in trainees.schedule.state_dict().items() if k != "lr_lambdas"},
            "ema_step": 0 if trainees.ema is None else trainees.ema.optimization_step,
        }
        (partial / "state.json").write_text(json.dumps(record), encoding="utf-8")
    steps = saved_steps(folder)
    earlier = [step for step in steps if step <= progress.step]
    kept = earlier[-keep:] if keep else earlier
    for step in steps:
        if step not in kept:
            shutil.rmtree(state_folder(folder, step), ignore_errors=True)


def load_state(folder: Path, step: int, trainees: Trainees) -> Progress:
    """Put the state that was saved at a step into ``trainees``.

    Raises:
        TrainingError: it is damaged; the text names it and says what to do.
    """
    place = state_folder(folder, step)
    try:
        record = json.loads((place / "state.json").read_text(encoding="utf-8"))
        trainees.modules.load_state_dict(load_file(place / "weights.safetensors"))
        _load_moments(trainees.optimizer, load_file(place / "optimizer.safetensors"))
        trainees.schedule.load_state_dict(
            {**record["schedule"], "lr_lambdas": trainees.schedule.state_dict()["lr_lambdas"]}
        )
        for group, rate in zip(trainees.optimizer.param_groups, record["schedule"]["_last_lr"], strict=True):
            group["lr"] = rate
        if trainees.ema is not None:
            averages = load_file(place / "ema.safetensors")
            for i, shadow in enumerate(trainees.ema.shadow_params):
                shadow.copy_(averages[str(i)])
            trainees.ema.optimization_step = record["ema_step"]
        pending = tuple((loss, norm) for loss, norm in record["pending"])
        return Progress(record["step"], record["samples"], pending)
    except Exception as error:  # whatever safetensors, json and torch raise on damaged files
        text = str(error).splitlines()[0][:200] if str(error) else ""
        raise TrainingError(
            f"the saved state {place} is damaged ({type(error).__name__}: {text}). Delete that folder to go "
            f"on from the state before it"
        ) from error


def _moments(optimizer: Optimizer) -> Iterator[tuple[str, Tensor]]:
    """Yield AdamW's numbers, named by the parameter's place and what they are."""
    for place, values in optimizer.state_dict()["state"].items():
        for name in MOMENTS:
            yield f"{place}.{name}", torch.as_tensor(values[name]).contiguous()


def _load_moments(optimizer: Optimizer, stored: dict[str, Tensor]) -> None:
    found = optimizer.state_dict()
    places = sorted({int(name.partition(".")[0]) for name in stored})
    found["state"] = {place: {name: stored[f"{place}.{name}"] for name in MOMENTS} for place in places}
    optimizer.load_state_dict(found)
    # Back to the parameters' own strides: fused kernels round differently where strides differ.
    for parameter, values in optimizer.state.items():
        for name in MOMENTS[1:]:
            values[name] = torch.empty_like(parameter).copy_(values[name])


def _contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors as safetensors takes them: it knows neither strides nor sharing."""
    plain = torch.contiguous_format
    return {name: value.detach().clone(memory_format=plain) for name, value in tensors.items()}
