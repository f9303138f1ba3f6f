"""The command in real processes: killed with SIGKILL and resumed, it is the run that was not killed."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

from na_core.model.checkpoints import load_checkpoint
from na_core.training.errors import DiskFull, TrainingError
from na_core.training.run_log import LOG_FILE, read_log
from na_core.training.train import main
from na_core.training.training_state import saved_steps
from tests.na_core.training.conftest import TrainingProcess, WriteConfig, equal, start_training, weights

TIMES = ("samples_per_second", "data_share", "seconds")
STEPS = 7


def tables(painted_scenes: Path) -> dict[str, Any]:
    return {
        "top": {"save_every": 3, "log_every": 2, "keep_states": 0},
        "vae": {"steps": 5},
        "decoder": {"steps": STEPS, "accumulation": 2},
        "validation": {"scenes": str(painted_scenes), "every": 5, "pairs": 1, "sheet_pairs": 1},
    }


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in line.items() if k not in TIMES} for line in read_log(folder)]


def wait_for_step(process: TrainingProcess, log: Path, step: int) -> None:
    """Wait until a process logs a step."""
    deadline = time.monotonic() + 60
    while not (log.is_file() and f'"step": {step},' in log.read_text()):
        assert process.wait(0) is None, process.said()
        assert time.monotonic() < deadline
        time.sleep(0.002)


def assert_same_run(first: Path, second: Path) -> None:
    for task in ("vae", "decoder"):
        assert log_of(first / task) == log_of(second / task)
        assert saved_steps(first / task) == saved_steps(second / task)
    one, other = (load_checkpoint(folder / "checkpoint") for folder in (first, second))
    for name in ("vae", "unet", "encoder", "tokenizer3d"):
        assert equal(weights(getattr(one, name)), weights(getattr(other, name))), name
    for file in sorted((first / "decoder" / "states").rglob("*.safetensors")):
        assert file.read_bytes() == (second / file.relative_to(first)).read_bytes(), file


def test_killed_runs_go_on_to_the_bit(write_config: WriteConfig, painted_scenes: Path) -> None:
    forkserver.ensure_running()  # it imports meanwhile
    whole = write_config("whole", **tables(painted_scenes))
    main(whole)
    output = whole.parent / "whole"
    assert [line["step"] for line in log_of(output / "vae")] == [2, 4, 5]
    assert log_of(output / "decoder")[-1]["samples"] == 2 * STEPS

    file = write_config("killed", **tables(painted_scenes))
    killed = file.parent / "killed"
    step = random.Random(0).choice(range(2, STEPS - 1, 2))  # any will do: the point is that none matters
    for task, at in (("vae", 4), ("decoder", step)):
        process = start_training(file, "--resume")
        wait_for_step(process, killed / task / LOG_FILE, at)
        process.process.kill()
        assert process.wait(60) == -signal.SIGKILL, "it was done before it was killed"
    main(file, resume=True)
    assert_same_run(output, killed)

    # From an earlier state on, in the same folder: to the same end.
    main(file, step=3)
    assert_same_run(output, killed)
    with pytest.raises(TrainingError, match="no state was saved at step 5; there are: 3, 6, 7"):
        main(file, step=5)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a disk that holds a few states of the tiny decoder."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs rights that this user has not")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_stops_the_run_and_leaves_what_was_saved(
    small_disk: Path, write_config: WriteConfig
) -> None:
    output = small_disk / "run"
    changes: dict[str, Any] = {"vae": {"steps": 1}, "decoder": {"steps": 8}}
    top = {"output": str(output), "save_every": 1, "log_every": 50, "keep_states": 0}
    file = write_config(top=top, **changes)
    with pytest.raises(DiskFull, match=f"the disk at {small_disk} is full"):
        main(file)
    saved = saved_steps(output / "decoder")
    assert saved
    assert saved == list(range(1, len(saved) + 1))
    load_checkpoint(output / "checkpoint")
    assert not list(output.rglob("*.partial"))

    # With room again it goes on from there.
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    file = write_config(top={**top, "save_every": 8, "keep_states": 1}, **changes)
    main(file, resume=True)
    assert saved_steps(output / "decoder") == [8]
