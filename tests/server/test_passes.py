"""Passes beside the pictures of ``neural-assets render``: multilayer OpenEXR with Blender's names."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from na_core.scene import PASS_NAMES
from server.failures import Failure
from server.passes import PASSES, chosen_passes

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 60, 44


@pytest.fixture
def frames_file(tmp_path, picture_file, make_job):
    data = picture_file()
    (tmp_path / "photo.png").write_bytes(data)
    path = tmp_path / "frames.json"
    job = make_job(hashlib.sha256(data).hexdigest(), frames=3, width=WIDTH, height=HEIGHT, name="my.cup")
    path.write_text(job.to_json())
    return path


@pytest.fixture
def render(frames_file, tiny_checkpoint, tmp_path):
    def run(*words):
        return subprocess.run(
            [
                *(sys.executable, "-m", "server", "render", str(frames_file), "--out", str(tmp_path / "out")),
                *("--checkpoint", str(tiny_checkpoint), "--device", "cpu", *words),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def channels_of(file):
    with OpenEXR.File(str(file), separate_channels=True) as opened:
        return {name: channel.pixels.copy() for name, channel in opened.channels().items()}


def test_every_pass_has_blenders_names_and_the_frames_size(render, tmp_path):
    done = render("--passes", "all")
    assert done.returncode == 0, done.stderr
    found = channels_of(tmp_path / "out/frame_0002.exr")
    expected = [
        *(f"{name}.{letter}" for name in ("Combined", "Plate", "Proxy", "Shadow") for letter in "RGB"),
        *(f"{name}.{letter}" for name in ("Normal", "Position") for letter in "XYZ"),
        *(f"Vector.{letter}" for letter in "XYZW"),
        *("Depth.Z", "IndexOB.X", "Validity.V", "Alpha my_cup.V"),
        *(f"CryptoObject{number:02d}.{letter}" for number in range(3) for letter in "RGBA"),
    ]
    assert sorted(found) == sorted(f"ViewLayer.{name}" for name in expected)
    for values in found.values():
        assert values.shape == (HEIGHT, WIDTH)
        assert np.isfinite(values).all()
    picture = np.asarray(Image.open(tmp_path / "out/frame_0002.png")) / 255
    light = np.where(picture <= 0.04045, picture / 12.92, ((picture + 0.055) / 1.055) ** 2.4)
    np.testing.assert_allclose(found["ViewLayer.Combined.R"], light[..., 0], atol=1e-5)
    own = found["ViewLayer.IndexOB.X"] == 1
    assert own.any()
    assert found["ViewLayer.Alpha my_cup.V"][own].mean() > 0.7
    # The box moves by 0.1 m to the right from frame to frame: here from the frame before, and to the next.
    shift = 0.1 * 1.2 / found["ViewLayer.Depth.Z"][own] * WIDTH
    np.testing.assert_allclose(found["ViewLayer.Vector.X"][own], -shift, rtol=1e-3)
    np.testing.assert_allclose(found["ViewLayer.Vector.Z"][own], -shift, rtol=1e-3)
    for letter in "XYZW":
        np.testing.assert_allclose(found[f"ViewLayer.Vector.{letter}"][~own], 0, atol=1e-3)


def test_only_the_passes_that_were_asked_for_are_written(render, tmp_path):
    assert render("--passes", "depth, index").returncode == 0
    names = channels_of(tmp_path / "out/frame_0001.exr")
    assert {name.split(".")[1] for name in names} == {"Combined", "Depth", "IndexOB"}
    assert render().returncode == 0


def test_a_run_that_was_interrupted_goes_on(render, tmp_path):
    render("--passes", "depth")
    (tmp_path / "out/frame_0002.exr").unlink()
    done = render("--passes", "depth")
    assert "1 of 3 frames rendered" in done.stderr


def test_every_pass_of_the_message_is_made():
    assert tuple(PASSES) == PASS_NAMES


def test_names_of_passes_are_checked():
    assert chosen_passes("all") == tuple(PASSES)
    assert chosen_passes("") == ()
    assert chosen_passes("depth, plate,depth") == ("depth", "plate")
    with pytest.raises(Failure, match="There is no pass 'dept': name some of depth, index"):
        chosen_passes("dept")
