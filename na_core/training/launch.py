"""Starting a run: its checks, then one process for each GPU."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch

from na_core.training.config import load_config
from na_core.training.errors import TrainingError
from na_core.training.train import main, scene_names


def launch(file: Path, resume: bool = False, step: int | None = None) -> None:
    """Train in this process, or in several where the configuration or the machine's GPUs ask for them.

    Under ``accelerate launch`` or ``torchrun`` this process is one of those already.

    Args:
        file: the configuration.
        resume, step: see :func:`na_core.training.train.main`.

    Raises:
        TrainingError: as :func:`na_core.training.train.main`, or one of several processes failed.
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
