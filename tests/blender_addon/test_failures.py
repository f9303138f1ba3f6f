"""Every failure that a user can cause: the exact sentence, and no picture file."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import bpy
import pytest


@pytest.fixture
def output(table, tmp_path):
    """A scene that writes quick PNG files into an own folder."""
    table.neural_assets.preset = "draft"
    table.render.image_settings.file_format = "PNG"
    table.render.filepath = str(tmp_path / "pictures" / "still")
    table.frame_start, table.frame_end = 1, 3
    return table


STILL, ANIMATION = {"write_still": True}, {"animation": True}


@pytest.fixture
def fails(output, tmp_path):
    """A function that renders a still and an animation and expects one sentence of both, and no file."""

    def render_and_fail(sentence, ways=(STILL, ANIMATION)):
        for arguments in ways:
            with pytest.raises(RuntimeError) as caught:
                bpy.ops.render.render(**arguments)
            assert sentence in str(caught.value)
            assert [path for path in (tmp_path / "pictures").rglob("*") if path.is_file()] == []

    return render_and_fail


def fake_python(folder, text):
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


POSIX = pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")


@pytest.mark.usefixtures("no_settings")
def test_no_worker_python(fails):
    fails(
        "No worker Python is set. Choose the Python that has neural-assets installed under Edit > Preferences"
    )


@pytest.mark.usefixtures("no_settings")
def test_worker_python_missing(fails, monkeypatch):
    monkeypatch.setenv("NEURAL_ASSETS_WORKER_PYTHON", "/no/such/python")
    fails("The worker's Python '/no/such/python' does not exist. Choose another under Edit > Preferences")


@POSIX
@pytest.mark.usefixtures("no_settings")
def test_worker_python_that_is_no_program(fails, monkeypatch, tmp_path):
    path = tmp_path / "python"
    path.write_text("nothing")
    monkeypatch.setenv("NEURAL_ASSETS_WORKER_PYTHON", str(path))
    fails(f"The worker's Python '{path}' could not be started (Permission denied). Choose another")


@POSIX
@pytest.mark.usefixtures("no_settings")
def test_worker_python_without_neural_assets(fails, monkeypatch, tmp_path):
    python = fake_python(tmp_path, f"exec '{os.path.realpath(sys.executable)}' -S -I \"$@\"")
    monkeypatch.setenv("NEURAL_ASSETS_WORKER_PYTHON", python)
    fails(
        f"The worker's Python '{python}' has no neural-assets. Install it with: {python} -m pip install "
        "'neural-assets[worker]'"
    )


@POSIX
@pytest.mark.usefixtures("no_settings")
def test_worker_python_without_torch(fails, worker_python, monkeypatch, tmp_path):
    where = "import pathlib, server; print(pathlib.Path(server.__file__).parent.parent)"
    asked = subprocess.run([worker_python, "-c", where], cwd="/", capture_output=True, text=True, check=True)
    base = os.path.realpath(sys.executable)
    python = fake_python(tmp_path, f"PYTHONPATH='{asked.stdout.strip()}' exec '{base}' -S \"$@\"")
    monkeypatch.setenv("NEURAL_ASSETS_WORKER_PYTHON", python)
    fails("has no torch. Install it with: ")


@POSIX
@pytest.mark.usefixtures("no_settings")
def test_worker_python_that_says_something_else(fails, monkeypatch, tmp_path):
    monkeypatch.setenv("NEURAL_ASSETS_WORKER_PYTHON", fake_python(tmp_path, "echo hello"))
    fails("answered with something that is no worker's. Choose another under Edit > Preferences")


@POSIX
@pytest.mark.usefixtures("no_settings")
def test_worker_that_ends_early(fails, monkeypatch, tmp_path):
    python = fake_python(tmp_path, "echo the reason >&2; exit 3")
    monkeypatch.setenv("NEURAL_ASSETS_WORKER_PYTHON", python)
    fails("The worker ended before it was ready (exit code 3): the reason Its log is ")


@POSIX
@pytest.mark.usefixtures("no_settings")
def test_worker_of_another_protocol(fails, monkeypatch, tmp_path):
    python = fake_python(
        tmp_path, """echo '{"event":"ready","port":1,"pid":1,"protocol":99}'; cat > /dev/null"""
    )
    monkeypatch.setenv("NEURAL_ASSETS_WORKER_PYTHON", python)
    fails("The worker speaks protocol 99, this add-on speaks 1. Install the same version on both sides: ")


@pytest.mark.usefixtures("settings")
def test_checkpoint_missing(fails, monkeypatch):
    monkeypatch.setenv("NEURAL_ASSETS_CHECKPOINT", "/no/such/checkpoint")
    fails("The checkpoint '/no/such/checkpoint' does not exist. Choose another under Edit > Preferences")


@pytest.mark.usefixtures("settings")
def test_checkpoint_corrupt(fails, checkpoint, monkeypatch, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(checkpoint, broken)
    for weights in broken.rglob("*.safetensors"):
        weights.write_bytes(weights.read_bytes()[: weights.stat().st_size // 2])
    monkeypatch.setenv("NEURAL_ASSETS_CHECKPOINT", str(broken))
    # One way, as each starts a worker; that a worker which ends early is said both ways is shown above.
    fails("checkpoint", [STILL])


@pytest.mark.usefixtures("settings")
def test_no_camera(output, tmp_path):
    output.camera = None
    with pytest.raises(RuntimeError, match="no camera"):
        bpy.ops.render.render(write_still=True)
    assert not (tmp_path / "pictures").exists()


@pytest.mark.usefixtures("settings")
def test_no_photo(fails, output):
    output.neural_assets.photo = None
    fails(
        "No photo has been imported into this scene. Use File > Import > Photo (Neural Assets), or drop a "
        "photo onto the viewport."
    )


@pytest.mark.usefixtures("settings")
def test_no_asset(api, fails, output, make_photo):
    for asset in api.assets():
        bpy.data.objects.remove(asset)
    output.neural_assets.hidden_boxes.clear()
    fails(
        "There is no asset in the scene. Add one with the + under View3D > Sidebar > Neural Assets > Assets."
    )


@pytest.mark.usefixtures("settings")
def test_hidden_assets_count_as_present(api, output):
    for asset in api.assets():
        asset.hide_render = True
    output.neural_assets.hidden_boxes.clear()
    assert bpy.ops.render.render(write_still=True) == {"FINISHED"}


@pytest.mark.usefixtures("settings")
def test_asset_behind_the_camera(output, tmp_path):
    cup = output.objects["Cup"]
    cup.keyframe_insert("location", frame=1)
    cup.location.y = -5
    cup.keyframe_insert("location", frame=2)
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.render.render(animation=True)
    assert (
        "The asset 'Cup' is behind the camera in frame 2. Move it in front of the camera, or disable it for "
        "renders in this frame."
    ) in str(caught.value)
    assert [path.name for path in (tmp_path / "pictures").iterdir()] == ["still0001.png"]


@pytest.mark.usefixtures("settings")
def test_photo_unreadable(fails, output):
    output.neural_assets.photo.pack(data=b"no picture at all", data_len=17)
    output.neural_assets.photo.reload()
    fails("cannot be read")


@pytest.mark.usefixtures("settings")
def test_photo_gone(fails, output, tmp_path):
    path = tmp_path / "unpacked.png"
    path.write_bytes(output.neural_assets.photo.packed_file.data)
    image = bpy.data.images.load(str(path))
    output.neural_assets.photo = image
    path.unlink()
    fails(
        f"The photo '{image.name}' cannot be read: it is not packed, and its file '{path}' is missing. Put "
        "the file back, or import the photo again."
    )


@pytest.mark.usefixtures("settings")
def test_picture_too_large(fails, output):
    output.render.resolution_x = 5000
    fails("A picture of 5000 x 64 pixels is larger than 4096 pixels on a side. Lower the resolution")


@pytest.mark.usefixtures("settings")
def test_a_bug_is_an_error_too(fails, part, monkeypatch, capfd):
    def broken(*_, **__):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(part("render.final"), "job_message", broken)
    fails("Something went wrong inside the add-on (ZeroDivisionError: oops). Please report it")
    assert "Traceback" in capfd.readouterr().err


@pytest.mark.usefixtures("settings")
def test_keyboard_interrupt_is_no_finished_frame(fails, part, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(part("render.final"), "job_message", interrupted)
    fails("KeyboardInterrupt")


@pytest.fixture
def small_disk(tmp_path):
    """A mounted file system of 16 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(folder)]
    if (
        sys.platform != "linux"
        or os.geteuid() != 0
        or subprocess.run(command, capture_output=True).returncode
    ):
        pytest.skip("cannot mount a small file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize("form", ["PNG", "JPEG", "OPEN_EXR"])
def test_disk_full(fails, output, small_disk, form):
    output.render.image_settings.file_format = form
    output.render.filepath = str(small_disk / "new" / "picture_####")
    fails(f"The disk of the output folder '{small_disk}' is full: 16 KiB free, and the picture may need ")
    assert list(small_disk.iterdir()) == []


@pytest.mark.usefixtures("settings")
def test_what_fits_is_written(api, output, part, tmp_path):
    disk_space = part("render.disk_space")
    render = output.render
    for form, suffix in (
        ("PNG", "png"),
        ("TIFF", "tif"),
        ("BMP", "bmp"),
        ("OPEN_EXR", "exr"),
        ("TARGA_RAW", "tga"),
    ):
        render.image_settings.file_format = form
        render.filepath = str(tmp_path / f"size.{suffix}")
        bpy.ops.render.render(write_still=True)
        assert os.path.getsize(render.filepath) <= disk_space.largest_file(output)


def test_problems_are_known_before(api, scene, no_settings, make_photo):
    assert "No photo has been imported" in api.problems()[0]
    api.import_photo(make_photo())
    assert "There is no asset" in api.problems()[0]
    api.add_asset((0.2, 0.4, 0.5, 0.8))
    assert [text.split(".")[0] for text in api.problems()] == ["No worker Python is set"]


@pytest.mark.usefixtures("settings")
def test_nothing_fails_in_a_good_scene(api, output):
    assert api.problems() == []
