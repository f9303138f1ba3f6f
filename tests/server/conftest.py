"""Real worker processes over real sockets, and a small client."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi")
from PIL import Image

from na_core.scene import Asset, Background, Box, Camera, Frame, Photo, PlacedAsset, RenderJob, Sampling
from server.protocol import read_records

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "a-token-of-these-tests"
SCRIPTED = [sys.executable, str(Path(__file__).with_name("scripted_worker.py"))]
START_SECONDS = 120


def environment(**changes: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT), "NEURAL_ASSETS_TOKEN": TOKEN} | changes


class Worker:
    """A worker process and a client of it."""

    def __init__(self, command, token=TOKEN):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, env=environment()
        )
        self.token = token
        line = self.process.stdout.readline()
        self.ready = json.loads(line) if line else {}
        self.port = self.ready.get("port")

    def headers(self, **changes):
        """Return a client's headers; None takes one out."""
        headers = {
            "Authorization": f"Bearer {self.token}",
            "X-Neural-Assets-Protocol": "1",
            **{name.replace("_", "-"): value for name, value in changes.items()},
        }
        return {name: value for name, value in headers.items() if value is not None}

    def request(self, method, path, body=None, **headers):
        """Return (status, JSON or None) of one request on a connection of its own."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            connection.request(method, path, body, self.headers(**headers))
            response = connection.getresponse()
            content = response.read()
            return response.status, json.loads(content) if content else None

    def upload(self, data):
        """Upload a photo and return its SHA-256."""
        sha256 = hashlib.sha256(data).hexdigest()
        status, answer = self.request("PUT", f"/v1/photos/{sha256}", data)
        assert status == 200, answer
        return sha256

    @contextlib.contextmanager
    def streaming(self, path, message, **headers):
        """Yield an iterator over (record, payload); leaving hangs up."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request("POST", path, message.to_json(), self.headers(**headers))
            response = connection.getresponse()
            assert response.status == 200, response.read()
            assert response.headers["Content-Type"] == "application/x-neural-assets"
            yield read_records(response)
            response.close()
        finally:
            connection.close()

    def rendering(self, job, **headers):
        """Yield an iterator over a job's (record, payload); leaving hangs up."""
        return self.streaming("/v1/render", job, **headers)

    def layers(self, request):
        """Return all records of a layers request as (record, payload), heartbeats included."""
        with self.streaming("/v1/layers", request) as records:
            return list(records)

    def render(self, job, **headers):
        """Return all records of a job as (record, payload), heartbeats included."""
        with self.rendering(job, **headers) as records:
            return list(records)

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.stdout.close()


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory):
    """A checkpoint of the smallest size with random weights, written as training writes them."""
    pytest.importorskip("torch")
    from na_core.model.presets import build_pipeline

    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    build_pipeline(preset="guided", size="tiny").save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def worker(tiny_checkpoint):
    """The real worker with the tiny checkpoint."""
    command = [
        sys.executable,
        "-m",
        "server",
        "worker",
        "--checkpoint",
        str(tiny_checkpoint),
        "--device",
        "cpu",
    ]
    running = Worker(command)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def scripted(tmp_path_factory):
    """A worker whose renderer sleeps and fails as jobs say; starts without torch."""
    running = Worker(SCRIPTED)
    yield running
    running.stop()


@pytest.fixture
def start():
    """Start workers by command; they are killed at the end."""
    started = []

    def start_worker(command=SCRIPTED):
        started.append(Worker(command))
        return started[-1]

    yield start_worker
    for running in started:
        running.process.kill()
        running.process.wait()
        running.process.stdin.close()
        running.process.stdout.close()


@pytest.fixture
def fail_to_start():
    """Start a command that must fail; returns (exit status, its error line, stderr)."""

    def run(command, **changes):
        variables = {name: value for name, value in environment(**changes).items() if value}
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=variables,
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        lines = done.stdout.splitlines()
        assert len(lines) == 1, (done.stdout, done.stderr)
        error = json.loads(lines[0])
        assert error["event"] == "error"
        return done.returncode, error, done.stderr

    return run


def encode_picture(width=40, height=30, format="PNG", seed=0, **options):
    """Return an image file's bytes."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format, **options)
    return file.getvalue()


@pytest.fixture
def picture_file():
    return encode_picture


@pytest.fixture(scope="session")
def photo(worker):
    """A photo that the real worker has."""
    return worker.upload(encode_picture(64, 48))


@pytest.fixture(scope="session")
def scripted_photo(scripted):
    """A photo that the scripted worker has."""
    return scripted.upload(encode_picture())


@pytest.fixture
def make_job():
    """Return a function that makes a job of one photo: a box that moves a little from frame to frame."""

    def make(photo, frames=1, name="box", **sampling):
        camera = Camera(
            np.array([[1, 0, 0, 0], [0, 0, -1, -4], [0, 1, 0, 0.5], [0, 0, 0, 1.0]]), fx=1.2, fy=1.6
        )
        source = Box(np.diag([1.0, 1.0, 1.0, 1.0]))
        asset = Asset(name, Photo(photo), source, camera, (0.3, 0.3, 0.7, 0.8))
        background = Background(Photo(photo), camera, (source,))

        def frame(index):
            moved = np.eye(4)
            moved[0, 3] = 0.1 * index
            return Frame(camera, (PlacedAsset(asset, Box(moved)),), background)

        settings = {"steps": 2, "guidance": 1.0, "preset": "custom", "width": 64, "height": 48} | sampling
        return RenderJob(tuple(frame(index) for index in range(frames)), Sampling(**settings))

    return make
