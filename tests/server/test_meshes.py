"""Meshes over the wire: uploaded once, refused in a sentence, and the same frame everywhere."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from na_core.geometry.mesh_file import mesh_bytes
from na_core.scene import Mesh, MeshFile

ROOT = Path(__file__).resolve().parents[2]
ABSENT = "0" * 64
CUBE = [(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]
FACES = [(0, 1, 3), (4, 6, 7), (0, 4, 5), (2, 3, 7), (0, 2, 6), (1, 5, 7)]


def named(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def with_mesh(job, data, deformed=None):
    """Return a job whose assets have a mesh, as JSON would bring it."""
    message = json.loads(job.to_json())
    for frame in message["frames"]:
        for placed in frame["assets"]:
            placed["asset"]["mesh"] = Mesh(MeshFile(named(data))).to_dict()
            if deformed is not None:
                placed["deformed"] = MeshFile(named(deformed)).to_dict()
    return type(job).from_dict(message)


def upload(worker, data):
    return worker.request("PUT", f"/v1/meshes/{named(data)}", data)


def test_a_mesh_is_uploaded_and_counted(worker) -> None:
    data = mesh_bytes(CUBE, FACES)
    assert upload(worker, data) == (200, {"vertices": 8, "triangles": 6})
    assert upload(worker, mesh_bytes(CUBE)) == (200, {"vertices": 8, "triangles": None})


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b"glTF" * 20, "mesh_unusable", "is no mesh"),
        (mesh_bytes(CUBE, np.zeros((0, 3))), "mesh_unusable", "no faces"),
        (mesh_bytes(np.zeros((8, 3)), FACES), "mesh_unusable", "no faces"),
    ],
)
def test_what_is_no_mesh_is_refused_in_a_sentence(worker, data, code, message) -> None:
    status, answer = upload(worker, data)
    assert (status, answer["error"]["code"]) == (422, code)
    assert message in answer["error"]["message"]


def test_bytes_that_do_not_match_their_name_are_refused(worker) -> None:
    status, answer = worker.request("PUT", f"/v1/meshes/{ABSENT}", mesh_bytes(CUBE, FACES))
    assert (status, answer["error"]["code"]) == (400, "hash_mismatch")


def test_a_frame_says_which_meshes_it_lacks(worker, make_job, photo) -> None:
    data = mesh_bytes(np.array(CUBE) * 0.7, FACES)
    job = with_mesh(make_job(photo), data)
    status, answer = worker.request("POST", "/v1/render", job.to_json())
    assert (status, answer["error"]["code"]) == (404, "photos_missing")
    assert (answer["error"]["photos"], answer["error"]["meshes"]) == ([], [named(data)])
    upload(worker, data)
    assert worker.render(job)[-1][0]["event"] == "done"


def test_a_mesh_that_is_another_in_a_frame_fails_that_frame_alone(worker, make_job, photo) -> None:
    data, other = mesh_bytes(CUBE, FACES), mesh_bytes(CUBE[:5])
    for each in (data, other):
        upload(worker, each)
    (error,) = [r for r, _ in worker.render(with_mesh(make_job(photo), data, other)) if r["event"] == "error"]
    assert error["code"] == "mesh_unusable"
    assert "Apply them" in error["message"]
    assert worker.render(with_mesh(make_job(photo), data))[-1][0]["event"] == "done"


def test_frames_with_meshes_render_without_a_worker_to_the_same_bytes(
    worker, make_job, photo, picture_file, tiny_checkpoint, tmp_path
) -> None:
    data = mesh_bytes(np.array(CUBE) * 0.9, FACES)
    job = with_mesh(make_job(photo, width=48, height=40), data)
    (tmp_path / "photo.png").write_bytes(picture_file(64, 48))
    (tmp_path / "cube.safetensors").write_bytes(data)
    (tmp_path / "frames.json").write_text(job.to_json())
    upload(worker, data)
    (pixels,) = [payload for record, payload in worker.render(job) if record["event"] == "frame"]
    command = ["render", str(tmp_path / "frames.json"), "--out", str(tmp_path / "out"), "--device", "cpu"]

    def render(*options):
        line = [sys.executable, "-m", "server", *command, "--checkpoint", str(tiny_checkpoint), *options]
        return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=False)

    done = render("--passes", "all")
    assert done.returncode == 0, done.stderr
    rendered = np.asarray(Image.open(tmp_path / "out" / "frame_0001.png"))
    assert rendered.tobytes() == pixels
    (tmp_path / "cube.safetensors").write_bytes(b"something else")
    failed = render("--overwrite")
    assert failed.returncode != 0
    assert "lacks 1 photo(s) or meshes" in failed.stderr
