"""Frames taken elsewhere: a file that any worker renders, and control clips for video models."""

from __future__ import annotations

import json
import subprocess

import pytest

from na_core.scene import RenderJob

bpy = pytest.importorskip("bpy")


@pytest.fixture
def moving(table):
    """A cup that moves over four frames."""
    cup = table.objects["Cup"]
    cup.keyframe_insert("location", frame=1)
    cup.location.x += 0.3
    cup.keyframe_insert("location", frame=4)
    table.frame_start, table.frame_end = 1, 4
    table.frame_set(2)
    table.neural_assets.preset = "draft"
    return table


def test_saved_frames_are_complete(api, moving, tmp_path) -> None:
    file = api.save_frames(tmp_path / "frames", end=3, scene=moving)
    job = RenderJob.from_json(file.read_bytes())
    assert [frame.assets[0].box for frame in job.frames] == [
        api.frame(number, scene=moving).assets[0].box for number in (1, 2, 3)
    ]
    names = {path.name for path in file.parent.iterdir()} - {"frames.json"}
    assert names == {photo.sha256 for frame in job.frames for photo in frame.photos()}
    assert moving.frame_current == 2


def test_any_worker_renders_them_as_blender_does(api, moving, settings, tmp_path, worker_python) -> None:
    from PIL import Image

    file = api.save_frames(tmp_path / "frames", scene=moving)
    command = [worker_python, "-m", "server", "render", str(file), "--out", str(tmp_path / "out")]
    checkpoint = api.worker_settings().checkpoint
    done = subprocess.run(
        [*command, "--checkpoint", checkpoint, "--device", "cpu"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    picture = Image.open(tmp_path / "out" / "frame_0003.png").convert("RGB")
    assert picture.tobytes() == api.render_frame(3, scene=moving).tobytes()


def test_clips_are_written_with_the_cameras_path(api, moving, settings, tmp_path) -> None:
    pytest.importorskip("av")
    told = []
    files = api.export_clips(
        tmp_path / "clips", scene=moving, on_progress=lambda done, total: told.append((done, total))
    )
    names = {file.name for file in files}
    assert {"depth.mp4", "normal.mp4", "mask.mp4", "camera.json"} <= names
    path = json.loads((tmp_path / "clips" / "camera.json").read_text())
    assert len(path["frames"]) == 4
    assert told[-1] == (4, 4)


def test_it_can_be_stopped(api, moving, settings, tmp_path) -> None:
    with pytest.raises(api.RenderCancelled):
        api.export_clips(tmp_path / "clips", scene=moving, should_stop=lambda: True)


def test_what_fails_is_said(api, moving, settings, tmp_path) -> None:
    (tmp_path / "clips").write_text("a file, no folder")
    with pytest.raises(api.UserError, match="clips"):
        api.export_clips(tmp_path / "clips", scene=moving)


def test_the_operator_does_what_the_function_does(moving, settings, tmp_path) -> None:
    pytest.importorskip("av")
    assert bpy.ops.neural_assets.export_clips(directory=str(tmp_path / "clips")) == {"FINISHED"}
    assert (tmp_path / "clips" / "camera.json").is_file()
