"""What both trainings share: the Accelerate loop with EMA, resume, a log and a progress bar."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from diffusers.optimization import get_cosine_schedule_with_warmup
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from tqdm import tqdm


class Trainables(nn.Module):
    """The modules that a stage trains, as one module for Accelerate."""

    def __init__(self, **modules: nn.Module) -> None:
        super().__init__()
        for name, module in modules.items():
            self.add_module(name, module)


def run_loop(
    *,
    accelerator: Accelerator,
    modules: Trainables,
    groups: Sequence[dict],
    loss_of_step: Callable[[int, np.random.Generator], Tensor],
    steps: int,
    warmup_steps: int,
    clip_norm: float,
    ema_decay: float,
    folder: Path,
    resume: bool,
    save_every: int,
    seed: int,
    title: str,
    after_save: Callable[[int], None] | None = None,
) -> None:
    """Train, and leave the averaged (EMA) weights in ``modules``.

    The random numbers of a step depend on the seed and the step alone, so that a resumed run repeats what an
    uninterrupted one does.

    Args:
        accelerator: device and precision.
        modules: what is trained.
        groups: AdamW parameter groups.
        loss_of_step: computes a step's loss from the step's number and its own generator.
        steps, warmup_steps: cosine schedule to zero after a linear warm-up.
        clip_norm: gradient clipping.
        ema_decay: of the weight average.
        folder: where the state and ``log.jsonl`` go.
        resume: continue from the saved state, if there is one.
        save_every: steps between saved states.
        seed: of the run.
        title: of the progress bar.
        after_save: called with the step once a state is saved.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "state"
    optimizer = torch.optim.AdamW(list(groups), betas=(0.9, 0.99))
    schedule = get_cosine_schedule_with_warmup(optimizer, warmup_steps, steps)
    ema = EMAModel(modules.parameters(), decay=ema_decay, use_ema_warmup=True, inv_gamma=1.0, power=0.75)
    ema.to(accelerator.device)
    modules, optimizer, schedule = accelerator.prepare(modules, optimizer, schedule)
    accelerator.register_for_checkpointing(ema)
    first = 0
    if resume and not state.is_dir() and state.with_name("state.old").is_dir():
        state.with_name("state.old").rename(state)
    if resume and (state / "step.json").is_file():
        accelerator.load_state(str(state))
        first = json.loads((state / "step.json").read_text())["step"]
    trained = list(modules.parameters())
    started, losses = time.monotonic(), []
    with tqdm(total=steps, initial=first, desc=title, unit="step", smoothing=0.05) as bar:
        for step in range(first, steps):
            torch.manual_seed(seed * 1_000_003 + step)
            with accelerator.autocast():
                loss = loss_of_step(step, np.random.default_rng((seed, step)))
            accelerator.backward(loss)
            accelerator.clip_grad_norm_(trained, clip_norm)
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
            ema.step(trained)
            losses.append(float(loss.detach()))
            bar.update()
            if (step + 1) % 25 == 0:
                mean = float(np.mean(losses[-25:]))
                bar.set_postfix(loss=f"{mean:.4f}")
                record = {"step": step + 1, "loss": mean, "seconds": time.monotonic() - started}
                with (folder / "log.jsonl").open("a") as log:
                    log.write(json.dumps(record) + "\n")
            if (step + 1) % save_every == 0 or step + 1 == steps:
                _save_state(accelerator, state, step + 1)
                if after_save is not None:
                    ema.store(trained)
                    ema.copy_to(trained)
                    after_save(step + 1)
                    ema.restore(trained)
    ema.copy_to(trained)


def _save_state(accelerator: Accelerator, state: Path, step: int) -> None:
    """Replace the saved state; killed at any moment, a whole one is left: the new one, or ``state.old``."""
    partial, old = state.with_name("state.partial"), state.with_name("state.old")
    shutil.rmtree(partial, ignore_errors=True)
    accelerator.save_state(str(partial))
    (partial / "step.json").write_text(json.dumps({"step": step}))
    if state.is_dir():
        shutil.rmtree(old, ignore_errors=True)
        state.rename(old)
    partial.rename(state)
    shutil.rmtree(old, ignore_errors=True)
