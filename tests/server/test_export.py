"""``neural-assets export``: control clips that video models read, and the camera's path."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from server.control_clips import CLIPS, FILL

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT, FRAMES = 61, 48, 4


@pytest.fixture
def frames_file(tmp_path, picture_file, make_job):
    data = picture_file()
    (tmp_path / "photo.png").write_bytes(data)
    path = tmp_path / "frames.json"
    job = make_job(hashlib.sha256(data).hexdigest(), frames=FRAMES, width=WIDTH, height=HEIGHT)
    path.write_text(job.to_json())
    return path


@pytest.fixture
def exported(frames_file, tiny_checkpoint, tmp_path):
    words = ("export", frames_file, "--out", tmp_path / "out", "--rate", 12.5)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "server",
            *map(str, words),
            "--checkpoint",
            str(tiny_checkpoint),
            "--device",
            "cpu",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return tmp_path / "out"


def pictures(file):
    with av.open(str(file)) as opened:
        assert float(opened.streams.video[0].average_rate) == 12.5
        return np.stack([frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]).astype(int)


def test_every_clip_has_every_frame(exported):
    found = {path.relative_to(exported).as_posix() for path in exported.rglob("*") if path.is_file()}
    assert found == {*(f"{name}.mp4" for name in CLIPS), "camera.json"}
    clips = {name: pictures(exported / f"{name}.mp4") for name in CLIPS}
    for name, clip in clips.items():
        assert clip.shape == (FRAMES, HEIGHT, WIDTH - 1, 3), name
    hole = clips["vace_mask"][..., 0] > 250
    assert hole[1:].any()
    surely = hole & np.roll(hole, 1, 1) & np.roll(hole, -1, 1) & np.roll(hole, 1, 2) & np.roll(hole, -1, 2)
    assert np.abs(clips["vace_source"][surely] - FILL).mean() < 6
    own = clips["index"].max(axis=-1) > 128
    near, far = (clips["depth"][..., 0][mask].mean() for mask in (own, ~own))
    assert near > far  # what is near is white
    ellipsoid = clips["versecrafter/3D_gaussian_RGB"].max(axis=-1) > 128
    assert 0.3 < ellipsoid.sum() / own.sum() < 1
    assert clips["versecrafter/3D_gaussian_depth"][..., 0][~ellipsoid].mean() < 20
    across = [np.nonzero(mask)[1].mean() for mask in ellipsoid]
    assert across == sorted(across)  # the box moves to the right


def test_the_cameras_path_projects_as_the_frames_do(exported, frames_file):
    path = json.loads((exported / "camera.json").read_text())
    assert path["frames_per_second"] == 12.5
    assert len(path["frames"]) == FRAMES
    camera = path["frames"][0]
    assert camera["size"] == [WIDTH, HEIGHT]
    point = np.array([0.2, 0.1, 0.3, 1])
    local = np.array(camera["opencv_camera_from_world"]) @ point
    x, y, w = np.array(camera["intrinsics"]) @ local[:3]
    told = json.loads(frames_file.read_text())["frames"][0]["camera"]
    matrix = np.linalg.inv(told["world_from_camera"])
    right, up, back, _ = matrix @ point
    assert x / w / WIDTH == pytest.approx(right / -back * told["fx"] + told["cx"])
    assert y / w / HEIGHT == pytest.approx(-up / -back * told["fy"] + told["cy"])
    assert local[2] == pytest.approx(-back)
