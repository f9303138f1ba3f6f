"""Files are whole or not there, and an error names the one that could not be written."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from server.cli import sentence_for
from server.exr import write_exr
from server.offline import write_png
from server.whole_files import written_whole


@pytest.fixture
def small_disk(tmp_path: Path):
    """A mounted file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if not sys.platform.startswith("linux") or os.geteuid() or subprocess.run(command).returncode:
        pytest.skip("cannot mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_file_has_its_name_once_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    file.write_text("before")
    with written_whole(file) as partial:
        partial.write_text("after")
        assert file.read_text() == "before"
    assert file.read_text() == "after"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_is_interrupted_leaves_nothing_by_half(tmp_path: Path, error: type[BaseException]) -> None:
    file = tmp_path / "picture.png"
    file.write_text("before")
    with pytest.raises(error), written_whole(file) as partial:
        partial.write_text("half")
        raise error
    assert file.read_text() == "before"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    file = tmp_path / "gone" / "picture.png"
    with pytest.raises(FileNotFoundError) as caught:
        write_png(file, np.zeros((4, 4, 3), np.uint8))
    assert caught.value.filename == str(file)


def test_on_a_full_disk_the_file_is_named_and_nothing_is_left(small_disk: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8)
    png, exr = small_disk / "picture.png", small_disk / "depth.exr"
    for write in (
        lambda: write_png(png, noise),
        lambda: write_exr(exr, {"RGB": noise.astype(np.float32) / 255}),
    ):
        with pytest.raises(OSError) as caught:
            write()
        assert caught.value.errno == errno.ENOSPC
        assert caught.value.filename in (str(png), str(exr))
        assert "Free some space and run the command again" in str(sentence_for(caught.value))
        assert list(small_disk.iterdir()) == []
