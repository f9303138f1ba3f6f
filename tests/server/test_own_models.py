"""The user's own models, of layers and refiners: on the command line, in what the worker says and shows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from server.failures import Failure
from server.own_models import (
    UNKNOWN_LICENCE,
    ModelSettings,
    licence_of,
    load_models,
    load_own_refiner,
)

pytest.importorskip("onnx")
from tests.na_core.layers.tiny_models import write_lama, write_matting
from tests.na_core.model.refiners.tiny_pipelines import write_pipeline

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"README.md": "---\nlicense: apache-2.0\ntags:\n- x\n---\n# A model"}, "apache-2.0"),
        ({"README.md": "---\nlicense: other\nlicense_name: sam\n---"}, "other"),
        ({"LICENSE": "\n  MIT License\n\nCopyright"}, "MIT License"),
        ({"README.md": "# Nothing said", "LICENSE.txt": "BSD 3-Clause"}, "BSD 3-Clause"),
        ({}, UNKNOWN_LICENCE),
    ],
)
def test_a_models_licence_is_what_its_files_state(tmp_path, files, expected) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    model = write_lama(tmp_path / "lama.onnx")
    assert licence_of(str(tmp_path)) == licence_of(str(model)) == expected


def test_another_file_is_another_model(tmp_path) -> None:
    model = write_lama(tmp_path / "lama.onnx")
    first = ModelSettings(plates=str(model)).identity
    assert first == ModelSettings(plates=str(model)).identity != ""
    write_lama(tmp_path / "lama.onnx", side=32)
    assert ModelSettings(plates=str(model)).identity != first
    assert ModelSettings().identity == ""


def test_what_is_missing_is_a_failure_that_says_so(tmp_path) -> None:
    with pytest.raises(Failure, match="is no ONNX network") as caught:
        load_models(ModelSettings(outlines=str(tmp_path / "none.onnx")), "cpu")
    assert caught.value.code == "weights_missing"


def test_a_worker_says_which_models_it_uses_and_shows_their_work(
    start, tiny_checkpoint, picture_file, make_job, tmp_path
) -> None:
    folder = tmp_path / "lama"
    folder.mkdir()
    (folder / "LICENSE").write_text("Apache License 2.0\n")
    write_lama(folder / "lama_fp32.onnx")
    command = [sys.executable, "-m", "server", "worker", "--checkpoint", str(tiny_checkpoint)]
    plain, own = (start([*command, "--device", "cpu", *more]) for more in ([], ["--plates", str(folder)]))
    assert own.request("GET", "/v1/capabilities")[1]["models"] == {"plates": "Apache License 2.0"}
    assert plain.request("GET", "/v1/capabilities")[1]["models"] == {}
    pictures = []
    for worker in (plain, own):
        job = make_job(worker.upload(picture_file(64, 48)), frames=3, steps=0)
        found = [payload for record, payload in worker.render(job) if record["event"] == "frame"]
        pictures.append(np.frombuffer(found[2], np.uint8))
    assert not np.array_equal(*pictures)


def test_a_worker_that_lacks_a_model_says_so_at_its_start(fail_to_start, tiny_checkpoint, tmp_path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    command = [sys.executable, "-m", "server", "worker", "--checkpoint", str(tiny_checkpoint)]
    _, error, _ = fail_to_start([*command, "--device", "cpu", "--outlines", str(tmp_path / "broken.onnx")])
    assert error["code"] == "weights_missing"
    assert "Download it again" in error["message"]


def test_layers_of_a_photo_by_own_models(tiny_checkpoint, picture_file, tmp_path) -> None:
    photo, boxes, out = tmp_path / "photo.png", tmp_path / "boxes.json", tmp_path / "layers"
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[16:34, 24:40] = (255, 0, 0)
    Image.fromarray(picture).save(photo)
    camera = camera_of_photo(70, 64, 48, 1.5, 0.5)
    block = box_matrix((0.0, 2.5, 0.2), (0.5, 0.4, 0.4)).tolist()
    thing = {"name": "Block", "rectangle": [0.3, 0.25, 0.7, 0.8], "world_from_box": block}
    boxes.write_text(json.dumps({"camera": camera.to_dict(), "objects": [thing]}))
    model = write_matting(tmp_path / "isnet.onnx")
    line = [sys.executable, "-m", "server", "layers", str(photo), "--boxes", str(boxes), "--out", str(out)]
    more = ["--checkpoint", str(tiny_checkpoint), "--device", "cpu", "--outlines", str(model)]
    done = subprocess.run([*line, *more], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outline = np.asarray(Image.open(out / "outline_01.png"))
    assert outline[20:30, 28:36].min() > 200
    assert outline[:8].max() == 0


class TestRefiner:
    def test_a_worker_refines_with_the_folder_that_it_is_given(
        self, start, tiny_checkpoint, picture_file, make_job, tmp_path
    ) -> None:
        folder = write_pipeline("StableDiffusionPipeline", tmp_path)
        (folder / "LICENSE").write_text("CreativeML Open RAIL-M\n")
        command = [sys.executable, "-m", "server", "worker", "--checkpoint", str(tiny_checkpoint)]
        worker = start([*command, "--device", "cpu", "--refiner", str(folder)])
        answer = worker.request("GET", "/v1/capabilities")[1]
        assert answer["models"] == {"refiner": "CreativeML Open RAIL-M"}
        assert answer["sampling_presets"]["standard"] == [8, 5.0]
        photo = worker.upload(picture_file(64, 48))
        records = worker.render(make_job(photo, frames=2, steps=2, prompt="a", reach=1.0))
        assert [record["event"] for record, _ in records if record["event"] == "frame"] == ["frame"] * 2

    def test_a_folder_that_cannot_refine_is_told_at_once(self, tmp_path) -> None:
        with pytest.raises(Failure, match="no folder of a diffusers pipeline") as caught:
            load_own_refiner(ModelSettings(refiner=str(tmp_path)), "cpu", torch.float32)
        assert caught.value.code == "weights_missing"
        assert load_own_refiner(ModelSettings(), "cpu", torch.float32) is None
