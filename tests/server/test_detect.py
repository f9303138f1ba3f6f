"""The worker finds objects in photos that it was sent, with the detector that comes with the package."""

from __future__ import annotations

import http.client
import io
import json
import subprocess
import sys
import time

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from na_core.data.scenes import scenes
from na_core.evaluation.evaluate import BENCH
from na_core.geometry.camera import camera_of_photo, focal_from_35mm, pitch_and_roll
from na_core.scene import Box, Camera
from server import commands
from server.detection import DetectionRequest, Detectors
from server.detector_settings import DetectorSettings
from server.failures import Failure
from server.photos import decode_photo, focal_length
from tests.na_core.detection.tiny_point_map import METRES, photo_of_ground, write_tiny_point_map
from tests.server.conftest import ROOT, environment


@pytest.fixture(scope="module")
def photo() -> bytes:
    """A held-out photo with objects."""
    return next(iter(scenes(BENCH))).picture_bytes(0)


def detect(worker, photo: bytes, **options):
    body = json.dumps({"photo": worker.upload(photo), **options})
    return worker.request("POST", "/v1/detect", body)


def test_objects_and_the_camera_are_found(scripted, photo) -> None:
    status, found = detect(scripted, photo)
    assert status == 200, found
    camera = Camera.from_dict(found["camera"])
    assert camera.world_from_camera[2, 3] == pytest.approx(1.5)
    assert found["metric"] is False
    assert len(found["objects"]) >= 1
    for thing in found["objects"]:
        assert 0 < thing["score"] <= 1
        x0, y0, x1, y1 = thing["rectangle"]
        assert 0 <= x0 < x1 <= 1
        assert 0 <= y0 < y1 <= 1
        box = Box.from_dict({"world_from_box": thing["world_from_box"]}).world_from_box
        assert box[2, 3] == pytest.approx(np.linalg.norm(box[:3, 2]) / 2, abs=1e-6)  # it stands on the ground
    scores = [thing["score"] for thing in found["objects"]]
    assert scores == sorted(scores, reverse=True)
    assert len({thing["name"] for thing in found["objects"]}) == len(scores)


def test_what_an_object_is_is_said_where_that_is_sure(scripted) -> None:
    coffee = saved(Image.fromarray(skimage.data.coffee()), "PNG")
    cup, table = (0.22, 0.02, 0.73, 0.82), (0.8, 0.1, 1.0, 0.4)
    _, found = detect(scripted, coffee, rectangles=[table, cup])
    assert [thing["name"] for thing in found["objects"]] == ["Object 1", "Cup"]


def test_what_is_known_of_the_camera_is_kept(scripted, photo) -> None:
    _, found = detect(scripted, photo, focal=1.3, pitch=0.5, roll=0.05, camera_height=2.0)
    camera = Camera.from_dict(found["camera"])
    assert camera.fx == pytest.approx(1.3)
    up = camera.world_from_camera[2, :3]
    assert np.arcsin(up[2]) == pytest.approx(0.5)
    assert np.arctan2(up[0], up[1]) == pytest.approx(0.05)
    assert camera.world_from_camera[2, 3] == 2
    assert found["metric"] is True


def test_what_is_in_rectangles_is_found_in_their_order(scripted, photo) -> None:
    _, everything = detect(scripted, photo)
    wanted = [thing["rectangle"] for thing in reversed(everything["objects"])]
    status, found = detect(scripted, photo, rectangles=wanted, threshold=1.0)
    assert status == 200
    np.testing.assert_allclose([thing["rectangle"] for thing in found["objects"]], wanted, atol=1e-6)
    assert found["camera_doubt"]["focal"] > 0


def test_a_high_threshold_leaves_nothing_and_is_no_error(scripted, photo) -> None:
    status, found = detect(scripted, photo, threshold=1.0)
    assert status == 200
    assert found["objects"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ("nonsense", "request"),
        ("{}", "photo"),
        ('{"photo": "abc"}', "photo"),
        (json.dumps({"photo": "0" * 64, "focal": -1}), "focal"),
        (json.dumps({"photo": "0" * 64, "prompt_": "x"}), "prompt_"),
        (json.dumps({"photo": "0" * 64, "rectangles": [[0.5, 0.1, 0.2, 0.9]]}), "rectangles.0"),
        (json.dumps({"photo": "0" * 64, "rectangles": [[0.1, 0.1, 1.2, 0.9]]}), "rectangles.0.2"),
        (json.dumps({"photo": "0" * 64, "rectangles": [[0, 0, 1, 1]] * 101}), "rectangles"),
    ],
)
def test_a_malformed_request_names_the_field(scripted, body, field) -> None:
    status, answer = scripted.request("POST", "/v1/detect", body)
    assert status == 422
    assert answer["error"]["code"] == "request_invalid"
    assert answer["error"]["field"] == field


def test_an_unknown_photo_is_asked_for(scripted) -> None:
    status, answer = scripted.request("POST", "/v1/detect", json.dumps({"photo": "0" * 64}))
    assert status == 404
    assert answer["error"]["code"] == "photos_missing"


def test_names_need_weights_and_the_answer_says_which(scripted, photo) -> None:
    status, answer = detect(scripted, photo, prompt="mug. laptop")
    assert status == 422
    assert answer["error"]["code"] == "weights_missing"
    assert "Grounding DINO" in answer["error"]["message"]


def test_weights_that_are_not_there_are_named(photo, tmp_path) -> None:
    settings = DetectorSettings(boxes=str(tmp_path), depth=str(tmp_path))
    request = DetectionRequest(photo="0" * 64, prompt="mug")
    with pytest.raises(Failure, match="holds no weights") as caught:
        Detectors("cpu", settings).detect(request, decode_photo(photo))
    assert caught.value.code == "weights_missing"


class TestCommandLine:
    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "server", "detect", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120, check=False
        )

    def test_what_was_found_is_printed_or_written(self, photo, tmp_path) -> None:
        path, out = tmp_path / "photo.png", tmp_path / "found.json"
        path.write_bytes(photo)
        done = self.run(str(path), "--device", "cpu", "--threads", "1")
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert f"{len(found['objects'])} object(s) found" in done.stderr
        threads = torch.get_num_threads()
        commands.detect([path], out, device="cpu", threads=1)
        torch.set_num_threads(threads)
        assert json.loads(out.read_text()) == found

    def test_of_many_photos_a_broken_one_stops_no_other(self, photo, tmp_path) -> None:
        paths = [tmp_path / name for name in ("a.png", "letter.jpg", "b.png")]
        for path in paths:
            path.write_bytes(b"Dear Sir" if path.suffix == ".jpg" else photo)
        done = self.run(*map(str, paths), "--device", "cpu", "--threads", "1")
        assert done.returncode == 1
        assert "letter.jpg" in done.stderr
        first, second = json.loads(done.stdout)
        assert (first.pop("photo"), second.pop("photo")) == (str(paths[0]), str(paths[2]))
        assert first == second

    def test_no_photo_is_an_error_that_says_so(self, tmp_path) -> None:
        path = tmp_path / "letter.jpg"
        path.write_text("Dear Sir")
        done = self.run(str(path))
        assert done.returncode == 1
        assert "is no photo that can be read" in done.stderr
        assert "Traceback" not in done.stderr


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def test_the_focal_length_that_exif_says() -> None:
    image = Image.new("RGB", (300, 200))
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 50
    found = focal_length(saved(image, "JPEG", exif=exif))
    assert found == pytest.approx(focal_from_35mm(50, 300, 200) / 300)
    assert focal_length(saved(image, "JPEG")) is None
    assert focal_length(b"Dear Sir") is None


@pytest.mark.parametrize(
    "data",
    [
        saved(Image.new("RGB", (1, 1), "red"), "PNG"),
        saved(Image.new("L", (120, 90), 90), "PNG"),
        saved(Image.new("RGBA", (120, 90), (9, 99, 9, 120)), "PNG"),
        saved(Image.fromarray(np.full((90, 120), 40_000, np.uint16)), "PNG"),
        saved(Image.new("CMYK", (120, 90), (90, 9, 9, 0)), "JPEG"),
        saved(
            Image.new("P", (60, 50)),
            "GIF",
            save_all=True,
            append_images=[Image.new("P", (60, 50), 1)],
        ),
        saved(Image.new("L", (12_000, 8_400)), "PNG"),  # 100 megapixels
    ],
    ids=["1x1", "grey", "transparent", "16 bits", "CMYK", "animated", "100 megapixels"],
)
def test_every_kind_of_picture_is_searched(scripted, data) -> None:
    picture = decode_photo(data)
    assert picture.ndim == 3
    status, found = detect(scripted, data)
    assert status == 200, found
    Camera.from_dict(found["camera"])


def test_a_depth_network_alone_tells_the_camera_to_the_embedded_detector(tmp_path) -> None:
    width, height = 192, 128
    camera = camera_of_photo(1.1 * width, width, height, 1.0, 0.5, 0.05)
    picture = photo_of_ground(camera, width, height)
    settings = DetectorSettings(depth=str(write_tiny_point_map(tmp_path / "tiny.onnx")))
    found = Detectors("cpu", settings).detect(DetectionRequest(photo="0" * 64), picture)
    assert found.camera.fx == pytest.approx(1.1, rel=0.03)
    assert pitch_and_roll(found.camera.world_from_camera[2, :3]) == pytest.approx((0.5, 0.05), abs=0.02)
    assert found.camera.world_from_camera[2, 3] == pytest.approx(METRES, rel=0.05)
    assert found.metric
    assert found.doubt is None
    told = Detectors("cpu", settings).detect(DetectionRequest(photo="0" * 64, pitch=0.3, roll=0.0), picture)
    assert pitch_and_roll(told.camera.world_from_camera[2, :3])[0] == pytest.approx(0.3)


def test_detections_that_nobody_waits_for_any_more_hold_up_none_after_them(scripted, photo) -> None:
    sha256 = scripted.upload(photo)
    body = json.dumps({"photo": sha256})
    started = time.monotonic()
    _, wanted = scripted.request("POST", "/v1/detect", body)
    one = time.monotonic() - started
    abandoned = [http.client.HTTPConnection("127.0.0.1", scripted.port, timeout=30) for _ in range(30)]
    for connection in abandoned:
        connection.request("POST", "/v1/detect", body, scripted.headers())
    time.sleep(0.1)
    for connection in abandoned:
        connection.close()
    started = time.monotonic()
    _, found = scripted.request("POST", "/v1/detect", body)
    assert time.monotonic() - started < 10 * one + 1
    assert found == wanted


def test_a_detection_that_fails_leaves_its_reason_in_the_log(caplog) -> None:
    with pytest.raises(Failure, match="log has the details") as caught:
        Detectors().detect(DetectionRequest(photo="0" * 64), np.zeros((0, 0, 3), np.uint8))
    assert caught.value.code == "detection_failed"
    (record,) = [record for record in caplog.records if record.exc_info]
    assert record.getMessage() == "a detection failed"
