"""What a dead run left behind is swept away; what may still be written is not."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time

import pytest

from blender_addon.dataset.folders import sweep
from tests.blender_addon.dataset.conftest import ROOT, environment

HOST = platform.node().partition(".")[0] or "host"
DAY = 24 * 3600


def partial(out, process, host=HOST, split="train", seed="00000007"):
    folder = out / split / f".{seed}.{host}.{process}.partial"
    folder.mkdir(parents=True)
    (folder / "frame_000.jpg").write_bytes(b"half")
    return folder


@pytest.fixture
def ended():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_folders_of_processes_that_are_gone_are_removed_in_every_split(tmp_path, ended):
    folders = [partial(tmp_path, ended, split=split) for split in ("train", "validation", "test")]
    sweep(tmp_path)
    assert not any(folder.exists() for folder in folders)


def test_folders_that_may_still_be_written_stay(tmp_path, ended):
    finished = tmp_path / "train" / "00000001"
    finished.mkdir(parents=True)
    folders = [
        partial(tmp_path, os.getpid()),
        partial(tmp_path, ended, host="elsewhere"),
        partial(tmp_path, "unknown"),
        finished,
    ]
    sweep(tmp_path)
    assert all(folder.exists() for folder in folders)


@pytest.mark.skipif(sys.platform != "linux", reason="only there a process's start is known")
def test_a_process_that_started_later_is_not_the_owner(tmp_path):
    folder = partial(tmp_path, os.getpid())
    os.utime(folder, (time.time() - DAY, time.time() - DAY))
    sweep(tmp_path)
    assert not folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only there a process's state is known")
def test_a_process_that_has_ended_and_whose_parent_has_not_looked_is_gone(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    folder = partial(tmp_path, process.pid)
    sweep(tmp_path)
    process.wait()
    assert not folder.exists()


@pytest.mark.skipif(os.name != "posix", reason="kills a process group")
def test_a_render_that_was_killed_leaves_nothing_once_the_next_has_run(tmp_path):
    numbers = {"scenes": 1, "frames": 1, "size": 32, "samples": 1, "objects": 2, "jobs": 1}
    command = [sys.executable, "-m", "server", "dataset", "render", "--out", str(tmp_path)]
    command += [word for name, value in numbers.items() for word in (f"--{name}", str(value))]
    first = subprocess.Popen(command, cwd=ROOT, env=environment(), start_new_session=True)
    deadline = time.monotonic() + 120
    while not (left_behind := list(tmp_path.glob("train/.*.partial"))):
        assert first.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert left_behind[0].exists()
    subprocess.run(command, cwd=ROOT, env=environment(), check=True, timeout=120)
    assert [path.name for path in (tmp_path / "train").iterdir()] == ["00000000"]
