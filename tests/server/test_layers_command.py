"""The command ``neural-assets layers``: a photo's layers as files that other programs open."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from server import offline
from server.failures import Failure
from tests.server.conftest import encode_picture

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(encode_picture(64, 48))
    return path


@pytest.fixture
def boxes(tmp_path):
    camera = camera_of_photo(70, 64, 48, 1.5, 0.5)
    objects = [
        {
            "name": f"Object {number}",
            "rectangle": [0.1, 0.1, 0.9, 0.9],
            "world_from_box": box_matrix((x, 2.5, 0.2), (0.5, 0.4, 0.4)).tolist(),
        }
        for number, x in enumerate((-0.4, 0.4))
    ]
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps({"camera": camera.to_dict(), "objects": objects}))
    return path


def run(*words):
    return subprocess.run(
        [sys.executable, "-m", "server", "layers", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def pixels(file, channel):
    with OpenEXR.File(str(file)) as opened:
        return opened.channels()[channel].pixels.copy()


def test_every_layer_is_a_file_of_the_photos_size(photo, boxes, tmp_path, tiny_checkpoint):
    out = tmp_path / "out"
    done = run(photo, "--boxes", boxes, "--out", out, "--checkpoint", tiny_checkpoint, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "2 object(s), 8 files" in done.stderr
    assert sorted(file.name for file in out.iterdir()) == [
        "depth.exr",
        "normals.exr",
        "outline_01.png",
        "outline_02.png",
        "plate.png",
        "shadow_01.exr",
        "shadow_02.exr",
        "sheet.png",
    ]
    for number in (1, 2):
        outline = Image.open(out / f"outline_{number:02d}.png")
        assert (outline.mode, outline.size) == ("L", (64, 48))
        assert np.asarray(outline).max() == 255
        assert pixels(out / f"shadow_{number:02d}.exr", "RGB").shape == (48, 64, 3)
    assert Image.open(out / "plate.png").size == (64, 48)
    depth = pixels(out / "depth.exr", "Y")
    assert depth.dtype == np.float32
    assert np.isfinite(depth).all()
    assert depth.min() > 0
    normals = pixels(out / "normals.exr", "RGB").astype(np.float32)
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1, atol=2e-3)


def test_without_boxes_they_are_detected(photo, tmp_path, tiny_checkpoint):
    done = run(photo, "--out", tmp_path / "out", "--checkpoint", tiny_checkpoint, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/sheet.png").is_file()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "Expecting property name"),
        ("[]", "expected an object, got list"),
        ('{"objects": []}', "boxes.camera: missing"),
        ('{"camera": {"world_from_camera": 3}, "objects": []}', "boxes.camera"),
    ],
)
def test_a_file_that_holds_no_boxes_is_named_with_the_place(text, problem, tmp_path):
    path = tmp_path / "boxes.json"
    path.write_text(text)
    with pytest.raises(Failure) as failed:
        offline.read_boxes(path)
    assert failed.value.code == "boxes_invalid"
    assert problem in failed.value.message
    assert "boxes.json" in failed.value.message


def test_what_is_wrong_is_said_in_a_sentence(photo, boxes, tmp_path, tiny_checkpoint):
    common = ("--out", tmp_path / "out", "--checkpoint", tiny_checkpoint, "--device", "cpu")
    broken = run(boxes, "--boxes", boxes, *common)
    assert broken.returncode == 1
    assert "Traceback" not in broken.stderr
    assert broken.stderr.splitlines()[-1].startswith("neural-assets: The file is no photo")
    missing = run(photo, "--boxes", tmp_path / "none.json", *common)
    assert missing.returncode == 1
    assert "none.json" in missing.stderr
    assert not (tmp_path / "out").exists()
