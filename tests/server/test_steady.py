"""``neural-assets steady``: rendered frames, blended with those around them."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT, FRAMES = 61, 48, 3


@pytest.fixture
def frames_file(tmp_path, picture_file, make_job):
    data = picture_file()
    (tmp_path / "photo.png").write_bytes(data)
    path = tmp_path / "frames.json"
    job = make_job(hashlib.sha256(data).hexdigest(), frames=FRAMES, width=WIDTH, height=HEIGHT)
    path.write_text(job.to_json())
    return path


@pytest.fixture
def pictures(tmp_path):
    """Frames as a decoder that flickers would make them."""
    folder = tmp_path / "rendered"
    folder.mkdir()
    for number in range(1, FRAMES + 1):
        noise = np.random.default_rng(number).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"frame_{number:04d}.png")
    return folder


@pytest.fixture
def steady(frames_file, tiny_checkpoint):
    def run(pictures, out):
        words = ("steady", frames_file, "--pictures", pictures, "--out", out)
        checkpoint = ("--checkpoint", tiny_checkpoint, "--device", "cpu")
        command = [sys.executable, "-m", "server", *map(str, (*words, *checkpoint))]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)

    return run


def test_every_frame_is_written_and_flickers_less(steady, pictures, tmp_path):
    done = steady(pictures, tmp_path / "steady")
    assert done.returncode == 0, done.stderr
    changed = 0
    for number in range(1, FRAMES + 1):
        name = f"frame_{number:04d}.png"
        before, after = (np.asarray(Image.open(of / name)) for of in (pictures, tmp_path / "steady"))
        assert after.shape == (HEIGHT, WIDTH, 3)
        blended = (before != after).any(axis=-1)
        changed += blended.sum()
        if blended.sum() > 50:
            assert after[blended].std() < 0.9 * before[blended].std()
    assert changed > 50


def test_rendered_frames_stay_where_they_are(steady, pictures):
    done = steady(pictures, pictures)
    assert done.returncode == 1
    assert "need a folder of their own" in done.stderr


def test_a_frame_that_was_not_rendered_is_named(steady, pictures, tmp_path):
    (pictures / "frame_0002.png").unlink()
    done = steady(pictures, tmp_path / "steady")
    assert done.returncode == 1
    assert "frame_0002.png" in done.stderr
    assert "render the frames into that folder first" in done.stderr
