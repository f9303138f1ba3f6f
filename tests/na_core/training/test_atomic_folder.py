"""A folder is replaced whole or not at all: processes killed at every moment, and a disk that is full."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from na_core.training.atomic_folder import atomic_folder, recover_folder
from na_core.training.errors import DiskFull
from tests.na_core.training.conftest import ROOT

DIES = """
import os, signal, sys
from pathlib import Path
from na_core.training.atomic_folder import atomic_folder

folder, last = Path(sys.argv[1]), int(sys.argv[2])
calls = 0

def counted(call):
    def wrapper(*arguments, **names):
        global calls
        calls += 1
        if calls == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments, **names)
    return wrapper

for name in ("fsync", "rename", "rmdir", "unlink", "mkdir"):
    setattr(os, name, counted(getattr(os, name)))
with atomic_folder(folder) as partial:
    for name in ("a", "b"):
        (partial / name).write_text("new")
print(calls)
"""


def contents(folder: Path) -> set[str]:
    return {file.read_text() for file in folder.iterdir()} | {str(len(list(folder.iterdir())))}


def write(folder: Path, text: str) -> None:
    with atomic_folder(folder) as partial:
        for name in ("a", "b"):
            (partial / name).write_text(text)


def test_it_holds_what_was_written_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "x"
    write(folder, "old")
    assert contents(folder) == {"old", "2"}
    write(folder, "new")
    assert contents(folder) == {"new", "2"}
    assert [p.name for p in folder.parent.iterdir()] == ["x"]


def test_an_error_inside_leaves_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    write(folder, "old")
    with pytest.raises(RuntimeError), atomic_folder(folder) as partial:
        (partial / "a").write_text("new")
        raise RuntimeError
    assert contents(folder) == {"old", "2"}
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_a_kill_at_any_moment_leaves_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    found = set()
    for last in range(1, 60):
        folder = tmp_path / str(last) / "x"
        write(folder, "old")
        command = [sys.executable, "-c", DIES, str(folder), str(last)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        recover_folder(folder)
        found.add(frozenset(contents(folder)))
        write(folder, "next")  # what was left is no obstacle
        assert contents(folder) == {"next", "2"}
        assert [p.name for p in folder.parent.iterdir()] == ["x"]
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
    assert done.returncode == 0
    assert last > 8
    assert found == {frozenset({"old", "2"}), frozenset({"new", "2"})}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a disk of one mebibyte."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs rights that this user has not")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("library", ["safetensors", "python"])
def test_a_full_disk_is_named_and_the_old_one_stays(library: str, small_disk: Path) -> None:
    folder = small_disk / "x"
    write(folder, "old")
    with pytest.raises(DiskFull) as caught, atomic_folder(folder) as partial:
        if library == "safetensors":
            save_file({"a": torch.zeros(500_000)}, partial / "a")
        else:
            (partial / "a").write_bytes(bytes(2_000_000))
    assert f"the disk at {small_disk} is full" in str(caught.value)
    assert str(folder) in str(caught.value)
    assert contents(folder) == {"old", "2"}
    assert [p.name for p in small_disk.iterdir()] == ["x"]
    write(folder, "new")
