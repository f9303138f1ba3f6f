"""The commands about data sets: pack, show, and render in a Python with or without Blender."""

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from na_core.data.labels import LABELS_VERSION
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.scene import Box

ROOT = Path(__file__).resolve().parents[2]
SIDE = 24
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")

# A Python in which Blender is missing, or is a module that does what a test needs.
WITHOUT_BPY = """
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "bpy" else find(name, package)
from server.cli import main
main()
"""
WITH_A_SLOW_MODULE = """
import os, sys
from server import blender
blender.check = lambda: None
sys.exit(blender.run("slow", []))
"""


@pytest.fixture
def run():
    def run_command(*words, code=None):
        start = ["-m", "server"] if code is None else ["-c", code]
        return subprocess.run(
            [sys.executable, *start, *map(str, words)], cwd=ROOT, capture_output=True, text=True, check=False
        )

    return run_command


def write_scene(folder, frames=3):
    """Write a finished scene of one box, seen from one place; the frames differ in brightness."""
    folder.mkdir(parents=True)
    entries = []
    for number in range(frames):
        names = {"picture": f"frame_{number:03}.png", "mask": f"mask_{number:03}.png"}
        Image.fromarray(np.full((SIDE, SIDE, 3), 40 * (number + 1), np.uint8)).save(folder / names["picture"])
        Image.fromarray(np.zeros((SIDE, SIDE), np.uint8)).save(folder / names["mask"])
        camera = camera_of_photo(30, SIDE, SIDE, camera_height=1.5, pitch=0.3)
        box = Box(box_matrix((0.0, 3.0, 0.5), (1.0, 1.0, 1.0), 0.0))
        entries.append(
            names
            | {"depth": None, "far": None, "stage": 0, "camera": camera.to_dict(), "boxes": [box.to_dict()]}
            | {"boxes_2d": [[0, 0, 0, 0]], "visible": [0.0]}
        )
    labels = {"schema_version": LABELS_VERSION, "seed": 0, "split": "train", "clip": "mixed", "edits": []}
    labels |= {"width": SIDE, "height": SIDE, "frames": entries}
    labels["objects"] = [{"name": "block", "family": "block", "symmetry": 4}]
    (folder / "scene.json").write_text(json.dumps(labels))


@pytest.fixture
def split(tmp_path):
    """A split of two finished scenes and a half-written one."""
    folder = tmp_path / "data/train"
    for number in range(2):
        write_scene(folder / f"{number:08}")
    write_scene(folder / ".00000002.host.1.partial")
    return folder


def fails_with(done, *parts):
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    for part in parts:
        assert part in " ".join(done.stderr.split())


def test_pack_writes_the_finished_scenes(run, split, tmp_path):
    shard = tmp_path / "shards/train.tar"
    done = run("dataset", "pack", split, "--out", shard)
    assert done.returncode == 0, done.stderr
    assert "2 scenes packed" in done.stderr
    with tarfile.open(shard) as archive:
        assert {name.split("/")[0] for name in archive.getnames()} == {"00000000", "00000001"}
        assert (
            archive.extractfile("00000001/frame_002.png").read()
            == (split / "00000001/frame_002.png").read_bytes()
        )
    assert [path.name for path in shard.parent.iterdir()] == ["train.tar"]


def test_pack_needs_scenes_of_one_split_and_a_name_that_readers_find(run, split, tmp_path):
    shard = tmp_path / "train.tar"
    (tmp_path / "empty").mkdir()
    fails_with(run("dataset", "pack", tmp_path / "empty", "--out", shard), "no complete scene")
    fails_with(run("dataset", "pack", tmp_path / "none", "--out", shard), "no complete scene")
    write_scene(tmp_path / "data/test/00000000")
    fails_with(run("dataset", "pack", tmp_path / "data", "--out", shard), "several splits")
    fails_with(run("dataset", "pack", split, "--out", tmp_path / "train.zip"), "end with .tar")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "empty"]


def test_show_draws_scenes_or_random_frames_from_a_folder_or_a_shard(run, split, tmp_path):
    shard = tmp_path / "train.tar"
    assert run("dataset", "pack", split, "--out", shard).returncode == 0
    sizes, grids = {}, []
    for name, place, options in (
        ("rows", split, ()),
        ("grid", split, ("--frames", 4, "--seed", 1)),
        ("shard", shard, ("--frames", 4, "--seed", 1)),
    ):
        sheet = tmp_path / f"{name}.png"
        done = run("dataset", "show", place, "--out", sheet, *options)
        assert done.returncode == 0, done.stderr
        with Image.open(sheet) as image:
            sizes[name] = image.size
            grids.append(np.asarray(image.convert("RGB")))
    side = sizes["rows"][0] // 3
    assert sizes["rows"] == (3 * side, 2 * side)
    assert sizes["grid"] == (2 * side, 2 * side)
    np.testing.assert_array_equal(grids[1], grids[2])


def test_render_without_blender_says_how_to_install_it(run, tmp_path):
    words = ("dataset", "render", "--out", tmp_path / "data", "--scenes", 1)
    done = run(*words, code=WITHOUT_BPY)
    fails_with(done, "bpy", f"{sys.executable} -m pip install 'neural-assets[blender]'")
    assert done.stdout == ""
    done = run(*words, "--progress", "json", code=WITHOUT_BPY)
    said = json.loads(done.stdout)
    assert (said["event"], said["code"]) == ("error", "blender_missing")
    assert "neural-assets[blender]" in said["message"]
    assert not (tmp_path / "data").exists()


@pytest.fixture
def slow(tmp_path):
    """Start a module that works for a minute, and tell the process that waits for it and its own."""
    (tmp_path / "slow.py").write_text(
        "import os, time\n"
        "try:\n    print(os.getpid(), flush=True)\n    time.sleep(60)\n"
        "except KeyboardInterrupt:\n    print('stopped by hand', flush=True)\n    os._exit(130)\n"
    )

    def start(**variables):
        environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"} | variables
        process = subprocess.Popen(
            [sys.executable, "-c", WITH_A_SLOW_MODULE],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        return process, int(process.stdout.readline())

    return start


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@POSIX
def test_a_supervised_command_ends_with_its_input(slow):
    process, child = slow(NEURAL_ASSETS_SUPERVISED="1")
    process.stdin.close()
    assert process.wait(10) != 0
    assert not is_alive(child)


@POSIX
def test_any_other_command_outlives_its_input(slow):
    process, child = slow()
    process.stdin.close()
    time.sleep(0.5)
    assert process.poll() is None and is_alive(child)
    os.killpg(process.pid, signal.SIGKILL)


@POSIX
def test_ctrl_c_leaves_the_last_word_to_the_module(slow):
    process, child = slow()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    assert process.stdout.read() == "stopped by hand\n"
    assert process.wait(10) == 130
    assert not is_alive(child)


INTERRUPTED_AS_THE_MODULE_ENDS = """
import os, signal, sys
from server import blender
blender.check = lambda: None
wait = os.waitpid

def waitpid(*arguments):
    found = wait(*arguments)
    os.kill(os.getpid(), signal.SIGINT)
    return found

os.waitpid = waitpid
sys.exit(blender.run("brief", []))
"""


@POSIX
def test_ctrl_c_as_the_module_ends_does_not_hide_its_status(tmp_path):
    (tmp_path / "brief.py").write_text("raise SystemExit(7)")
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    words = [sys.executable, "-c", INTERRUPTED_AS_THE_MODULE_ENDS]
    assert subprocess.run(words, cwd=ROOT, env=environment, check=False).returncode == 7
