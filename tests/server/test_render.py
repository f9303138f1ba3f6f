"""Rendering end to end: the real pipeline with a tiny checkpoint, in a real worker."""

import json
from dataclasses import replace

import numpy as np
import pytest

from na_core.scene import MAX_SIDE, SCHEMA_VERSION

ABSENT = "0" * 64


def pictures(records):
    """Return the frames of a stream in order, as arrays."""
    return [
        np.frombuffer(payload, np.uint8).reshape(record["height"], record["width"], 3)
        for record, payload in records
        if record["event"] == "frame"
    ]


def events(records):
    return [record["event"] for record, _ in records if record["event"] != "heartbeat"]


def test_the_worker_says_what_it_can_do(worker):
    status, answer = worker.request("GET", "/v1/capabilities")
    assert status == 200
    assert answer["checkpoint"] == "tiny"
    assert answer["preset"] == "guided"
    assert answer["device"] == "cpu"
    assert answer["dtype"] == "float32"
    assert answer["max_side"] == MAX_SIDE
    assert answer["schema_version"] == SCHEMA_VERSION
    assert answer["sampling_presets"]["standard"] == [1, 1.0]
    assert answer["peak_memory_mib"]["process"] > 10
    assert answer["caches"]["frames"]["limit"] > 0


@pytest.mark.parametrize(("width", "height"), [(64, 48), (61, 35), (16, 33)])
def test_every_frame_comes_in_order_and_in_the_size_asked_for(worker, photo, make_job, width, height):
    records = worker.render(make_job(photo, frames=3, width=width, height=height))
    assert events(records) == ["progress", "progress", "frame"] * 3 + ["done"]
    assert [picture.shape for picture in pictures(records)] == [(height, width, 3)] * 3
    assert [record["frame"] for record, _ in records if record["event"] == "frame"] == [0, 1, 2]


def test_progress_counts_steps_and_frames(worker, photo, make_job):
    records = worker.render(make_job(photo, frames=2, seed=3))
    progress = [record for record, _ in records if record["event"] == "progress"]
    assert [(p["frame"], p["frames"], p["step"], p["steps"]) for p in progress] == [
        (0, 2, 1, 2),
        (0, 2, 2, 2),
        (1, 2, 1, 2),
        (1, 2, 2, 2),
    ]
    assert [p["fraction"] for p in progress] == [0.25, 0.5, 0.75, 1.0]


def test_zero_steps_give_the_proxy_picture(worker, photo, make_job):
    (picture,) = pictures(worker.render(make_job(photo, steps=0)))
    assert picture.shape == (48, 64, 3)


def test_a_proxy_with_its_validity_alone_is_the_same_proxy_and_the_same_validity(worker, photo, make_job):
    job = make_job(photo, steps=0)
    job = replace(job, sampling=replace(job.sampling, preset="custom"))
    quick = worker.render(replace(job, passes=("validity",)))
    slow = worker.render(replace(job, passes=("validity", "index")))
    assert events(quick) == ["pass", "frame", "done"]
    validity = [payload for record, payload in slow if record.get("name") == "Validity"]
    assert [payload for record, payload in quick if record["event"] == "pass"] == validity
    assert (pictures(quick)[0] == pictures(slow)[0]).all()
    assert 0 < np.frombuffer(validity[0], np.float32).mean() <= 1


def test_the_same_seed_gives_the_same_picture_and_the_second_time_from_the_cache(worker, photo, make_job):
    job = make_job(photo, frames=2, seed=11)
    first, second = worker.render(job), worker.render(job)
    assert [record["cached"] for record, _ in first if record["event"] == "frame"] == [False, False]
    assert [record["cached"] for record, _ in second if record["event"] == "frame"] == [True, True]
    assert events(second) == ["frame", "frame", "done"]
    assert all(np.array_equal(a, b) for a, b in zip(pictures(first), pictures(second), strict=True))


def test_a_picture_rendered_anew_is_the_same_picture(worker, photo, make_job):
    # Another name is another cache entry, and means nothing to the model.
    job, renamed = make_job(photo, seed=12), make_job(photo, seed=12, name="renamed")
    first, second = worker.render(job), worker.render(renamed)
    assert not second[-2][0]["cached"]
    assert np.array_equal(pictures(first)[0], pictures(second)[0])


def test_previews_come_when_asked_for(worker, photo, make_job):
    records = worker.render(make_job(photo, seed=13, steps=3), X_Neural_Assets_Preview="1")
    previews = [(record, payload) for record, payload in records if record["event"] == "preview"]
    assert previews
    for record, payload in previews:
        assert len(payload) == record["width"] * record["height"] * record["channels"] == 64 * 48 * 3


def test_unknown_photos_are_named_so_that_the_client_can_upload_them(worker, make_job):
    status, answer = worker.request("POST", "/v1/render", make_job(ABSENT).to_json())
    assert (status, answer["error"]["code"], answer["error"]["photos"]) == (404, "photos_missing", [ABSENT])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda job: job["frames"][0]["camera"].update(fx=-1), "frames[0].camera.fx"),
        (lambda job: job["frames"][0]["camera"].pop("fy"), "frames[0].camera.fy"),
        (lambda job: job["sampling"].update(width=0), "sampling.width"),
        (lambda job: job["sampling"].update(width=10**9), "sampling.width"),
        (lambda job: job["sampling"].update(wdith=64), "sampling.wdith"),
        (lambda job: job.update(schema_version=99), "schema_version"),
        (lambda job: job.update(frames=[]), "frames"),
        (lambda job: job.update(frames=[None] * 1001), "frames"),
        (lambda job: job["frames"][0]["background"]["photo"].update(sha256="../etc"), "photo.sha256"),
    ],
)
def test_a_malformed_field_is_named(worker, photo, make_job, change, field):
    job = make_job(photo).to_dict()
    change(job)
    status, answer = worker.request("POST", "/v1/render", json.dumps(job))
    assert (status, answer["error"]["code"]) == (422, "scene_invalid")
    assert field in answer["error"]["message"]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"frames": 3}', b'{"frames": [NaN]}']
)
def test_what_is_no_job_is_refused(worker, body):
    status, answer = worker.request("POST", "/v1/render", body)
    assert (status, answer["error"]["code"]) == (422, "scene_invalid")


def test_a_number_that_no_float_holds_is_refused(worker, photo, make_job):
    text = make_job(photo).to_json().replace('"fx":1.2', '"fx":1' + "0" * 400, 1)
    status, answer = worker.request("POST", "/v1/render", text)
    assert (status, answer["error"]["code"]) == (422, "scene_invalid")


def test_a_long_picture_that_the_add_on_lets_pass_is_rendered(worker, photo, make_job):
    records = worker.render(make_job(photo, steps=0, width=3000, height=40))
    (picture,) = pictures(records)
    assert picture.shape == (40, 3000, 3)


def test_a_picture_beyond_the_limit_is_refused_with_the_limit(worker, photo, make_job):
    text = make_job(photo, width=MAX_SIDE).to_json().replace(f'"width":{MAX_SIDE}', f'"width":{MAX_SIDE + 1}')
    status, answer = worker.request("POST", "/v1/render", text)
    assert (status, answer["error"]["code"]) == (422, "scene_invalid")
    assert answer["error"]["field"] == "renderjob.sampling.width"
    assert str(MAX_SIDE) in answer["error"]["message"]


def test_a_job_of_too_many_bytes_is_refused(worker):
    status, answer = worker.request("POST", "/v1/render", b" " * (16 * 2**20 + 1))
    assert (status, answer["error"]["code"]) == (413, "job_too_large")


def test_something_is_heard_all_the_time_while_torch_computes(worker, photo, make_job):
    records = worker.render(make_job(photo, seed=21, steps=1, width=1536, height=1536))
    heard = [record["event"] for record, _ in records]
    # A beat each 25 ms or so, and half a second of work: it must not keep the event loop from sending them.
    assert heard[: heard.index("progress")].count("heartbeat") >= 5
