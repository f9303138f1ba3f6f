"""The command line: pictures from a file of frames, and sentences instead of tracebacks."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from server import offline
from server.cli import sentence_for
from server.failures import Failure
from tests.server.conftest import environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run():
    def run_command(*words):
        return subprocess.run(
            [sys.executable, "-m", "server", *map(str, words)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    return run_command


@pytest.fixture
def frames_file(tmp_path, picture_file, make_job):
    data = picture_file()
    (tmp_path / "photo.png").write_bytes(data)
    path = tmp_path / "frames.json"
    path.write_text(make_job(hashlib.sha256(data).hexdigest(), frames=2, width=37, height=21).to_json())
    return path


STANDS_FOR_TORCH = """
import os
print("torch finds", os.environ.get("OMP_WAIT_POLICY"), flush=True)
os._exit(0)
"""


@pytest.mark.parametrize("chosen", [None, "ACTIVE"])
@pytest.mark.parametrize("command", ["worker", "render", "detect", "train", "evaluate"])
def test_threads_wait_passively_in_every_command(command, chosen, tmp_path, frames_file):
    (tmp_path / "modules/torch").mkdir(parents=True)
    (tmp_path / "modules/torch/__init__.py").write_text(STANDS_FOR_TORCH)
    (tmp_path / "config.toml").write_text("")
    options = {
        "worker": [],
        "render": [frames_file, "--out", tmp_path / "out"],
        "detect": [tmp_path / "photo.png"],
        "train": ["--config", tmp_path / "config.toml"],
        "evaluate": ["--out", tmp_path / "out"],
    }
    variables = environment(PYTHONPATH=f"{tmp_path / 'modules'}{os.pathsep}{ROOT}")
    variables.pop("OMP_WAIT_POLICY", None)
    done = subprocess.run(
        [sys.executable, "-m", "server", command, *map(str, options[command])],
        cwd=tmp_path,
        env=variables | ({"OMP_WAIT_POLICY": chosen} if chosen else {}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = done.stdout + done.stderr  # the worker keeps its standard output to itself
    assert f"torch finds {chosen or 'PASSIVE'}" in said


def test_render_writes_numbered_pictures(run, frames_file, tiny_checkpoint, tmp_path):
    out = tmp_path / "out"
    words = ("render", frames_file, "--out", out, "--checkpoint", tiny_checkpoint, "--device", "cpu")
    done = run(*words)
    assert done.returncode == 0, done.stderr
    first, second = sorted(out.iterdir())
    assert (first.name, second.name) == ("frame_0001.png", "frame_0002.png")
    assert Image.open(first).size == (37, 21)


class Painter:
    """A renderer that paints grey."""

    fingerprint = "painter"

    def render(self, frame, photos, sampling, on_step, meshes):
        on_step(1, 1, lambda: None)
        return np.full((sampling.height, sampling.width, 3), 128, np.uint8)

    def release_memory(self):
        pass


def test_frames_that_are_there_are_kept_unless_told_otherwise(frames_file, tmp_path):
    job = offline.read_job(frames_file)
    photos = offline.find_files(job, tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    (out / "frame_0001.png").write_bytes(b"kept")

    assert list(offline.render_job(job, photos, out, Painter)) == [(0, False), (1, True)]
    assert (out / "frame_0001.png").read_bytes() == b"kept"
    assert list(offline.render_job(job, photos, out, Painter)) == [(0, False), (1, False)]
    assert list(offline.render_job(job, photos, out, Painter, overwrite=True)) == [(0, True), (1, True)]
    assert Image.open(out / "frame_0001.png").size == (37, 21)
    assert sorted(path.name for path in out.iterdir()) == ["frame_0001.png", "frame_0002.png"]


def test_when_every_frame_is_there_no_checkpoint_is_loaded(frames_file, tmp_path):
    job = offline.read_job(frames_file)
    for index in range(2):
        offline.picture_path(tmp_path, index).write_bytes(b"")

    def load():
        raise AssertionError("nothing is left to render")

    assert list(offline.render_job(job, {}, tmp_path, load)) == [(0, False), (1, False)]


def fails_with(done, *parts):
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in " ".join(done.stderr.split())


def test_a_photo_that_is_not_in_the_folder_is_asked_for(run, frames_file, tmp_path):
    (tmp_path / "photo.png").unlink()
    fails_with(run("render", frames_file, "--out", tmp_path / "out"), "lacks 1 photo", "--photos")


def test_a_broken_file_of_frames_is_named(run, tmp_path):
    path = tmp_path / "frames.json"
    path.write_text('{"frames": [{"camera": 3}]}')
    fails_with(run("render", path, "--out", tmp_path / "out"), "frames.json", "renderjob.frames[0].camera")


def test_a_missing_file_is_named(run, tmp_path):
    fails_with(run("render", tmp_path / "none.json", "--out", tmp_path / "out"), "none.json", "No such file")


class CheckpointError(ValueError):
    __module__ = "na_core.model.checkpoints"
    message = "There is no checkpoint 'x'."


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (Failure("x", "What to do."), "What to do."),
        (CheckpointError("noise"), "There is no checkpoint 'x'."),
        (FileNotFoundError("No scenes: make some."), "No scenes: make some."),
        (PermissionError(13, "Permission denied", "out"), "out: Permission denied"),
        (ModuleNotFoundError("", name="server.demo"), "This installation lacks server.demo"),
        (ModuleNotFoundError("", name="torch"), "pip install 'neural-assets[worker]'"),
    ],
)
def test_what_a_user_can_cause_becomes_a_sentence(error, sentence):
    assert sentence in sentence_for(error)


def test_a_bug_keeps_its_traceback():
    assert sentence_for(ZeroDivisionError("division by zero")) is None


def test_help_lists_the_commands(run):
    done = run("--help")
    assert done.returncode == 0
    for command in ("worker", "render", "steady", "detect", "demo", "dataset", "train", "evaluate"):
        assert command in done.stdout
