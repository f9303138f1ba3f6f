"""Tiny configurations, as files and as objects, and real processes that train them."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.model.presets import build_pipeline
from na_core.training.config import TrainingConfig, load_config
from na_core.training.decoder import save_checkpoint
from na_core.training.pair_batches import PairBatches
from na_core.training.run import Run
from na_core.training.scene_shards import shard_of

ROOT = Path(__file__).resolve().parents[3]

TINY: dict[str, dict[str, Any]] = {
    "": {
        "seed": 0,
        "preset": "guided",
        "size": "tiny",
        "threads": 1,
        "mixed_precision": "no",
        "save_every": 2,
        "log_every": 1,
    },
    "vae": {
        "steps": 4,
        "batch_size": 4,
        "crop": 32,
        "learning_rate": 3e-3,
        "warmup_steps": 1,
        "latent_noise": 0.05,
    },
    "decoder": {
        "start": "residual",
        "steps": 4,
        "batch_size": 2,
        "learning_rate": 1e-3,
        "warmup_steps": 1,
        "null_probability": 0.2,
        "first_step_share": 0.3,
        "ema_decay": 0.9,
    },
}

WriteConfig = Callable[..., Path]
Configure = Callable[..., TrainingConfig]
MakeRun = Callable[..., Run]
MakeBatches = Callable[[NeuralAssetsPipeline, TrainingConfig], PairBatches]


def to_toml(tables: dict[str, dict[str, Any]]) -> str:
    """Return tables of plain values as TOML; the one without a name comes first."""

    def text(value: Any) -> str:
        if isinstance(value, dict):
            return "{ " + ", ".join(f"{key} = {text(each)}" for key, each in value.items()) + " }"
        return str(value).lower() if isinstance(value, bool) else repr(value)

    blocks = []
    for name, values in tables.items():
        lines = [f"[{name}]"] if name else []
        blocks.append("\n".join([*lines, *(f"{key} = {text(value)}" for key, value in values.items())]))
    return "\n\n".join(blocks) + "\n"


@pytest.fixture
def write_config(painted_scenes: Path, tmp_path: Path) -> WriteConfig:
    """Return a writer of tiny configurations: tables as keyword arguments, None leaves a table or key out."""

    def write(name: str = "run", top: dict[str, Any] | None = None, **tables: dict[str, Any] | None) -> Path:
        places = {"scenes": str(painted_scenes), "output": str(tmp_path / name)}
        merged = {table: dict(values) for table, values in TINY.items()}
        merged[""] |= places | (top or {})
        for table, values in tables.items():
            if values is None:
                merged.pop(table)
            else:
                merged[table] = merged.get(table, {}) | values
        kept = {t: {k: v for k, v in values.items() if v is not None} for t, values in merged.items()}
        file = tmp_path / f"{name}.toml"
        file.write_text(to_toml(kept))
        return file

    return write


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny checkpoint with random weights, to be read only."""
    folder = tmp_path_factory.mktemp("checkpoints") / "guided"
    save_checkpoint(build_pipeline("guided", "tiny", seed=3), folder)
    return folder


@pytest.fixture
def configure(write_config: WriteConfig) -> Configure:
    """Return :func:`write_config`'s configuration, read."""
    return lambda *args, **changes: load_config(write_config(*args, **changes))


@pytest.fixture(autouse=True)
def one_thread_and_no_left_over_state() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    AcceleratorState._reset_state(reset_partial_state=True)  # the next test may train in another precision


FORKS = multiprocessing.get_context("forkserver")  # imports torch once, in a process that does nothing else
FORKS.set_forkserver_preload(["na_core.training.__main__", __name__])


@dataclass(frozen=True)
class TrainingProcess:
    """The command in a process of its own.

    Attributes:
        process: that runs it.
        output: file of what it says.
    """

    process: BaseProcess
    output: Path

    def wait(self, timeout: float) -> int | None:
        """Wait for the end; return the exit status, a signal's number negative."""
        self.process.join(timeout)
        return self.process.exitcode

    def said(self) -> str:
        return self.output.read_text()


def start_training(file: Path, *options: str) -> TrainingProcess:
    """Start ``python -m na_core.training`` in a process of its own."""
    output = file.with_suffix(".out")
    process = FORKS.Process(target=_command, args=(["--config", str(file), *options], output))
    process.start()
    return TrainingProcess(process, output)


def _command(options: list[str], output: Path) -> None:
    with output.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.chdir(ROOT)
    sys.argv[1:] = options
    runpy.run_module("na_core.training", run_name="__main__", alter_sys=True)


def weights(*modules: nn.Module) -> list[Tensor]:
    return [value.clone() for module in modules for value in module.state_dict().values()]


def equal(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.fixture
def make_run() -> MakeRun:
    """Return a maker of runs: of a configuration, and of a pipeline where it is not the configuration's."""

    def make(config: TrainingConfig, pipeline: NeuralAssetsPipeline | None = None) -> Run:
        accelerator = Accelerator(cpu=True, mixed_precision=config.mixed_precision)
        run = Run(config, Path("a.toml"), accelerator, shard_of(config.scenes))
        if pipeline is not None:
            run.pipeline = pipeline
        return run

    return make


@pytest.fixture
def make_batches(make_run: MakeRun) -> MakeBatches:
    """Return a maker of the batches that a configuration's decoder trains on."""

    def make(pipeline: NeuralAssetsPipeline, config: TrainingConfig) -> PairBatches:
        assert config.decoder is not None
        run = make_run(config, pipeline)
        return PairBatches(run, config.decoder, run.share(config.decoder))

    return make
