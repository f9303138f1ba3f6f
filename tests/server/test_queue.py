"""The queue: one render at a time, prompt cancelling, and failures that end one job and no other."""

import contextlib
import http.client
import os
import time

import pytest

from na_core.scene import MAX_STEPS
from server.jobs import MOST_WAITING
from server.protocol import RecordError
from tests.server.conftest import encode_picture


def errors(records):
    return [record for record, _ in records if record["event"] == "error"]


def kinds(records):
    return [record["event"] for record, _ in records]


def first_pixel(records):
    """Return what the scripted worker had done so far: pictures, steps, connections that delay."""
    (payload,) = [payload for record, payload in records if record["event"] == "frame"]
    return tuple(payload[:3])


def test_heartbeats_fill_a_slow_step(scripted, scripted_photo, make_job):
    seen = kinds(scripted.render(make_job(scripted_photo, steps=1, seed=600)))
    first = seen.index("progress")
    assert seen[:first].count("heartbeat") >= 5  # a step of 600 ms, a beat each 25 ms on an idle machine


def test_closing_the_connection_frees_the_worker_within_a_step(scripted, scripted_photo, make_job):
    pictures, steps, _ = first_pixel(scripted.render(make_job(scripted_photo, steps=1, seed=2)))
    with scripted.rendering(make_job(scripted_photo, frames=50, steps=100, seed=500)) as records:
        next(record for record, _ in records if record["event"] == "progress")
    records = scripted.render(make_job(scripted_photo, steps=1, seed=1))
    assert kinds(records)[-1] == "done"
    pictures_then, steps_then, _ = first_pixel(records)
    assert pictures_then == pictures + 1  # none of the fifty
    # The step that was seen, the one under way when the connection closed, and the new job's own.
    assert (steps_then - steps) % 256 <= 3


def test_a_real_render_is_cancelled_between_steps(worker, photo, make_job):
    long = make_job(photo, frames=100, steps=MAX_STEPS, seed=31)
    with worker.rendering(long) as records:
        next(record for record, _ in records if record["event"] == "progress")
    assert kinds(worker.render(make_job(photo, steps=1, seed=32)))[-1] == "done"
    with worker.rendering(long) as records:
        first = next(record for record, _ in records if record["event"] != "heartbeat")
    assert first["event"] == "progress"  # not even its first picture had been finished


def test_a_second_job_waits_and_knows_its_place(scripted, scripted_photo, make_job):
    with scripted.rendering(make_job(scripted_photo, steps=100, seed=101)) as first:
        next(record for record, _ in first if record["event"] == "progress")
        assert scripted.request("GET", "/v1/health")[1]["busy"]
        with contextlib.ExitStack() as stack:
            second = stack.enter_context(scripted.rendering(make_job(scripted_photo, steps=2, seed=102)))
            third = stack.enter_context(scripted.rendering(make_job(scripted_photo, steps=1, seed=103)))
            assert next(record for record, _ in second if record["event"] != "heartbeat") == {
                "event": "queued",
                "position": 1,
            }
            assert next(record for record, _ in third if record["event"] != "heartbeat") == {
                "event": "queued",
                "position": 2,
            }
            assert next(record for record, _ in third)["event"] == "heartbeat"
    # All three connections are closed now: nothing that waited may be rendered.
    deadline = time.monotonic() + 5
    while scripted.request("GET", "/v1/health")[1]["busy"] and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not scripted.request("GET", "/v1/health")[1]["busy"]


def test_a_job_that_waits_moves_up_when_the_one_ahead_is_cancelled(scripted, scripted_photo, make_job):
    with scripted.rendering(make_job(scripted_photo, steps=100, seed=104)) as first:
        next(record for record, _ in first if record["event"] == "progress")
        with scripted.rendering(make_job(scripted_photo, steps=1, seed=105)) as ahead:
            next(record for record, _ in ahead if record["event"] == "queued")
            with scripted.rendering(make_job(scripted_photo, steps=1, seed=106)) as behind:
                assert next(r for r, _ in behind if r["event"] == "queued")["position"] == 2
                ahead.close()
    records = scripted.render(make_job(scripted_photo, steps=1, seed=107))
    assert records[-1][0]["event"] == "done"


def test_a_frame_that_was_finished_before_a_cancel_is_not_rendered_again(scripted, scripted_photo, make_job):
    job = make_job(scripted_photo, frames=3, steps=1, seed=120)
    with scripted.rendering(job) as records:
        next(record for record, _ in records if record["event"] == "frame")
    again = [record for record, _ in scripted.render(job) if record["event"] == "frame"]
    assert [record["cached"] for record in again] == [True, False, False]


def test_a_full_memory_is_explained_and_the_next_job_runs(scripted, scripted_photo, make_job):
    (error,) = errors(scripted.render(make_job(scripted_photo, guidance=30.0)))
    assert error["code"] == "out_of_memory"
    assert "lower the resolution" in error["message"]
    assert scripted.render(make_job(scripted_photo))[-1][0]["event"] == "done"


def test_a_bug_becomes_a_sentence_and_the_next_job_runs(scripted, scripted_photo, make_job):
    (error,) = errors(scripted.render(make_job(scripted_photo, guidance=29.0)))
    assert error["code"] == "render_failed"
    assert "the scripted bug" in error["message"]
    assert "second line" not in error["message"]
    assert scripted.render(make_job(scripted_photo))[-1][0]["event"] == "done"


@pytest.mark.parametrize("guidance", [27.0, 28.0])
def test_an_error_in_cleaning_up_after_an_error_ends_one_job_and_no_other(
    scripted, scripted_photo, make_job, guidance
):
    (error,) = errors(scripted.render(make_job(scripted_photo, guidance=guidance)))
    assert error["code"] == "render_failed"
    assert "log has the details" in error["message"]
    assert scripted.render(make_job(scripted_photo))[-1][0]["event"] == "done"


def test_without_its_render_thread_a_worker_ends(start, make_job):
    worker = start()
    job = make_job(worker.upload(encode_picture()), guidance=26.0)
    with contextlib.suppress(OSError, http.client.HTTPException, RecordError):
        worker.render(job)
    assert worker.process.wait(timeout=10) == 1


def test_a_long_queue_turns_jobs_away_and_says_when_to_come_back(scripted, scripted_photo, make_job):
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(scripted.rendering(make_job(scripted_photo, steps=100, seed=300)))
        next(record for record, _ in first if record["event"] == "progress")
        for number in range(MOST_WAITING):
            waiting = scripted.rendering(make_job(scripted_photo, steps=1, seed=number))
            records = stack.enter_context(waiting)
            next(record for record, _ in records if record["event"] == "queued")
        status, answer = scripted.request("POST", "/v1/render", make_job(scripted_photo).to_json())
        assert (status, answer["error"]["code"]) == (503, "busy")
        assert answer["error"]["retry_seconds"] > 0
    assert scripted.render(make_job(scripted_photo))[-1][0]["event"] == "done"


def test_closing_the_connection_ends_a_step_that_polls(scripted, scripted_photo, make_job):
    before, _, _ = first_pixel(scripted.render(make_job(scripted_photo, steps=1, seed=4)))
    with scripted.rendering(make_job(scripted_photo, steps=1, seed=60_000, guidance=25.0)) as records:
        next(record for record, _ in records if record["event"] == "heartbeat")
    records = scripted.render(make_job(scripted_photo, steps=1, seed=5))
    assert kinds(records)[-1] == "done"
    assert first_pixel(records)[0] == before + 1  # the long step came to no end, nor to a picture


def test_a_reader_that_is_slow_gets_everything(scripted, scripted_photo, make_job):
    job = make_job(scripted_photo, frames=20, steps=0, seed=0, width=2048, height=1024)
    frames = 0
    with scripted.rendering(job) as records:
        for record, payload in records:
            if record["event"] == "frame":
                assert len(payload) == 2048 * 1024 * 3
                frames += 1
                time.sleep(0.02)
    assert frames == 20


@pytest.mark.skipif(os.name != "posix", reason="a process cannot list its sockets")
def test_nothing_waits_for_delayed_acknowledgements(scripted, scripted_photo, make_job):
    _, _, delaying = first_pixel(scripted.render(make_job(scripted_photo, steps=1, seed=3)))
    assert delaying == 0  # Nagle's algorithm would hold back small records for 40 ms
