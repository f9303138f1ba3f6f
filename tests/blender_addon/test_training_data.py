"""Render Training Data: the installed add-on, a real child process in the worker's Python, real pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import bpy
import pytest

SIDE = 32
GENERATOR = "import bpy, server.blender, blender_addon.dataset.artist_file.collect"
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs a shell or POSIX signals")


@pytest.fixture(scope="module")
def generator_python(worker_python):
    """The worker's Python, if it can render data sets."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [
            worker_python,
            "-c",
            f"import importlib.util as u\n{GENERATOR.replace('import bpy, ', 'import ')}\n"
            "assert u.find_spec('bpy')",
        ],
        env=environment,
        cwd=Path(worker_python).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"the worker's Python renders no data sets: {done.stderr[-300:]}")
    return worker_python


@pytest.fixture
def shelf(scene, monkeypatch):
    """A file, never saved, with two meshes."""
    for name, place in (("Cup", 0), ("Jar", 3)):
        bpy.ops.mesh.primitive_cylinder_add(location=(place, 0, 0))
        bpy.context.object.name = name
    return scene


@pytest.fixture
def worker(generator_python, monkeypatch):
    monkeypatch.setenv("NEURAL_ASSETS_WORKER_PYTHON", generator_python)


def labels(out):
    return {path.parent.name: json.loads(path.read_text()) for path in out.glob("*/*/scene.json")}


def copies():
    import tempfile

    return set(Path(tempfile.gettempdir()).glob("neural-assets-*/objects.blend"))


@pytest.mark.usefixtures("worker")
def test_the_operator_renders_the_files_meshes_and_goes_on_where_it_was(shelf, tmp_path):
    before = copies()
    options = {"folder": str(tmp_path), "frames": 1, "size": SIDE, "jobs": 1, "seed": 3}
    assert bpy.ops.neural_assets.render_dataset(scenes=1, **options) == {"FINISHED"}
    found = labels(tmp_path)
    assert list(found) == ["00000003"]
    scene = found["00000003"]
    assert (scene["width"], scene["height"], len(scene["frames"])) == (SIDE, SIDE, 1)
    assert {item["name"].partition(".")[0] for item in scene["objects"]} <= {"Cup", "Jar"}
    assert (tmp_path / "train/00000003" / scene["frames"][0]["picture"]).is_file()
    assert bpy.data.filepath == "" and "Cup" in bpy.data.objects  # the file itself is left alone
    assert copies() == before

    stamp = (tmp_path / "train/00000003/scene.json").stat().st_mtime_ns
    assert bpy.ops.neural_assets.render_dataset(scenes=2, **options) == {"FINISHED"}
    assert sorted(labels(tmp_path)) == ["00000003", "00000004"]
    assert (tmp_path / "train/00000003/scene.json").stat().st_mtime_ns == stamp


@pytest.mark.usefixtures("worker")
def test_a_script_is_told_how_far_it_is_and_may_stop(api, shelf, tmp_path):
    told = []
    with pytest.raises(api.RenderCancelled):
        api.render_dataset(
            tmp_path,
            scenes=500,
            frames=1,
            size=SIDE,
            jobs=2,
            on_progress=told.append,
            should_stop=lambda: bool(told),
        )
    assert told[0].total == 500 and 1 <= told[0].done < 500 and told[0].scenes_per_hour > 0
    finished = set(labels(tmp_path))
    assert finished
    time.sleep(1.5)  # nobody is left who would finish another
    assert set(labels(tmp_path)) == finished


@pytest.mark.usefixtures("worker")
@POSIX
def test_the_child_and_its_children_end_with_its_input(part, shelf, tmp_path):
    """Closing the pipe, which is what Blender's end does, ends all of them."""
    dataset = part("worker.dataset")
    blend = tmp_path / "copy/objects.blend"
    blend.parent.mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(blend), copy=True)
    order = dataset.DatasetOrder(tmp_path / "out", 500, 1, SIDE, jobs=2)
    process = dataset.DatasetProcess(part("preferences").worker_settings(), order, blend, tmp_path)
    deadline = time.monotonic() + 200
    while not process.progress.done and process.is_running() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert process.progress.done, process.log.read_text()
    process._process.stdin.close()
    process._process.wait(20)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    os.killpg(process.pid, 9)
    raise AssertionError("processes were left behind")


@pytest.mark.usefixtures("worker")
def test_a_file_without_meshes_is_one_sentence_and_writes_nothing(scene, tmp_path):
    with pytest.raises(RuntimeError, match=r"holds no object to render, only an empty scene"):
        bpy.ops.neural_assets.render_dataset(folder=str(tmp_path / "out"), scenes=1, size=SIDE)
    assert labels(tmp_path) == {}


@pytest.mark.usefixtures("no_settings")
def test_without_a_worker_python_nothing_starts(shelf, tmp_path):
    with pytest.raises(RuntimeError, match=r"No worker Python is set\. Choose the Python"):
        bpy.ops.neural_assets.render_dataset(folder=str(tmp_path), scenes=1)
    assert list(tmp_path.iterdir()) == []


@POSIX
def test_a_worker_python_without_blender_says_how_to_install_it(shelf, worker_python, tmp_path, monkeypatch):
    """A Python that has the worker, and in which bpy is blocked."""
    blocked = tmp_path / "python"
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'bpy' else find(name, package)\n"
    )
    blocked.write_text(f'#!/bin/sh\nPYTHONPATH="{site}" exec "{worker_python}" "$@"\n')
    blocked.chmod(0o755)
    monkeypatch.setenv("NEURAL_ASSETS_WORKER_PYTHON", str(blocked))
    before = copies()
    with pytest.raises(RuntimeError, match=r"bpy.*lacks.*pip install 'neural-assets\[blender\]'"):
        bpy.ops.neural_assets.render_dataset(folder=str(tmp_path / "out"), scenes=1)
    assert not (tmp_path / "out").exists()
    assert copies() == before


@POSIX
def test_a_python_without_the_worker_says_how_to_install_it(shelf, tmp_path, monkeypatch):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "/usr/bin/python: No module named server" >&2\nexit 1\n')
    python.chmod(0o755)
    monkeypatch.setenv("NEURAL_ASSETS_WORKER_PYTHON", str(python))
    with pytest.raises(RuntimeError, match=r"has no neural-assets\. Install it with: .*pip install"):
        bpy.ops.neural_assets.render_dataset(folder=str(tmp_path / "out"), scenes=1)


@pytest.mark.usefixtures("worker")
def test_painted_pixels_that_no_copy_would_hold_are_named(shelf, tmp_path):
    image = bpy.data.images.new("Glaze", 4, 4)
    image.use_fake_user = True
    image.pixels[0] = 1.0
    with pytest.raises(RuntimeError, match=r"unsaved changes.*Glaze.*Save or pack"):
        bpy.ops.neural_assets.render_dataset(folder=str(tmp_path), scenes=1)


@pytest.mark.usefixtures("worker")
def test_a_folder_beside_a_file_that_was_never_saved_is_refused(shelf):
    with pytest.raises(RuntimeError, match=r"need a folder\. Choose one, or save the file first"):
        bpy.ops.neural_assets.render_dataset(folder="//data", scenes=1)
