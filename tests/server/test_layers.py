"""Layers over the wire: what a frame's photo is taken apart into, layer by layer."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from na_core.scene import Frame, LayersRequest, SceneError
from server.app import parse_layers_request
from server.failures import Failure
from tests.server.conftest import encode_picture


def frame_of(make_job, photo) -> Frame:
    return make_job(photo).frames[0]


def values_of(record, payload):
    shape = record["height"], record["width"], record["channels"]
    return np.frombuffer(payload, record["type"]).reshape(shape)


def test_every_layer_comes_with_its_place(worker, photo, make_job):
    frame = frame_of(make_job, photo)
    records = worker.layers(LayersRequest(frame))
    (view,) = [record for record, _ in records if record["event"] == "view"]
    assert (view["photo"], view["width"], view["height"]) == (photo, 64, 48)
    boxes = [box.world_from_box.tolist() for box in frame.background.hidden_boxes]
    assert view["boxes"] == boxes
    layers = [(record, payload) for record, payload in records if record["event"] == "layer"]
    names = [(record["layer"], record["object"]) for record, _ in layers]
    each = [(name, number) for number in range(len(boxes)) for name in ("outline", "shadow")]
    assert names == [*each, ("plate", None), ("depth", None), ("normals", None)]
    assert records[-1][0]["event"] == "done"
    kinds = {
        "outline": "uint8",
        "shadow": "float16",
        "plate": "uint8",
        "depth": "float32",
        "normals": "float16",
    }
    for record, payload in layers:
        values = values_of(record, payload)
        assert record["type"] == kinds[record["layer"]]
        assert record["left"] + record["width"] <= 64
        assert record["top"] + record["height"] <= 48
        if record["object"] is None:
            assert values.shape[:2] == (48, 64)
        elif record["layer"] == "outline" and values.size:
            edges = values[0], values[-1], values[:, 0], values[:, -1]
            assert all(edge.any() for edge in edges)  # no larger than what there is


def test_an_assets_photo_is_the_one_that_it_comes_from(worker, photo, make_job):
    data = encode_picture(24, 36, seed=5)
    worker.upload(data)
    other = hashlib.sha256(data).hexdigest()
    frame = frame_of(make_job, photo)
    placed = frame.assets[0]
    guest = replace(placed, asset=replace(placed.asset, photo=replace(placed.asset.photo, sha256=other)))
    both = replace(frame, assets=(placed, guest))
    for asset, size in ((None, (64, 48)), (0, (64, 48)), (1, (24, 36))):
        view = next(r for r, _ in worker.layers(LayersRequest(both, asset)) if r["event"] == "view")
        assert (view["width"], view["height"]) == size


def test_a_photo_that_is_missing_is_asked_for(worker, make_job):
    unknown = "0" * 64
    body = LayersRequest(frame_of(make_job, unknown)).to_json()
    status, answer = worker.request("POST", "/v1/layers", body.encode())
    assert status == 404
    assert answer["error"]["code"] == "photos_missing"
    assert answer["error"]["photos"] == [unknown]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"asset": 1}, "expected a whole number from 0 to 0, got 1"),
        ({"asset": "cup"}, "expected a whole number"),
        ({"schema_version": 99}, "this side speaks"),
        ({"colour": 1}, "layersrequest.colour: unknown field"),
    ],
)
def test_a_malformed_request_names_the_field(change, said, make_job):
    data = LayersRequest(frame_of(make_job, "0" * 64)).to_dict() | change
    with pytest.raises(Failure) as failed:
        parse_layers_request(json.dumps(data).encode())
    assert failed.value.code == "scene_invalid"
    assert said in failed.value.message


def test_a_request_is_read_as_it_was_written(make_job):
    request = LayersRequest(frame_of(make_job, "0" * 64), 0)
    assert LayersRequest.from_json(request.to_json()) == request
    with pytest.raises(SceneError):
        LayersRequest.from_json("[]")
