"""How the worker ends: with its stdin, with its parent, and in mid-render."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from server.protocol import RecordError

ROOT = Path(__file__).resolve().parents[2]
SCRIPTED = str(Path(__file__).with_name("scripted_worker.py"))

PARENT = """
import subprocess, sys, threading, time
kind = sys.argv[2]
def start():
    stdin = subprocess.PIPE if kind == "pipe" else None
    global child
    child = subprocess.Popen([sys.executable, sys.argv[1]], stdin=stdin)
if kind == "thread":
    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
else:
    start()
time.sleep(600)
"""


@pytest.fixture
def parent():
    """Start a process that starts a worker; returns it and the worker's ready line."""
    started = []

    def start(kind):
        process = subprocess.Popen(
            [sys.executable, "-c", PARENT, SCRIPTED, kind],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "NEURAL_ASSETS_TOKEN": "x"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        started.append(process)
        return process, json.loads(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # A zombie that nobody collects (a container without init) has ended too.
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


def ends(pid, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not is_running(pid):
            return True
        time.sleep(0.02)
    return False


def test_closing_its_stdin_ends_it(start):
    worker = start()
    worker.process.stdin.close()
    assert worker.process.wait(10) == 0


def test_closing_its_stdin_ends_it_in_mid_render(start, picture_file, make_job):
    worker = start()
    photo = worker.upload(picture_file())
    with worker.rendering(make_job(photo, steps=10, seed=60_000)) as records:
        next(records)
        worker.process.stdin.close()
        assert worker.process.wait(5) == 0
        rest = []
        with contextlib.suppress(OSError, RecordError, http.client.HTTPException):
            rest.extend(record["event"] for record, _ in records)
        # http.client may show the break as a plain end: only "done" means done.
        assert "done" not in rest


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_although_a_connection_is_open(start, picture_file, make_job, name):
    worker = start()
    photo = worker.upload(picture_file())
    with worker.rendering(make_job(photo, steps=10, seed=60_000)) as records:
        next(records)
        worker.process.send_signal(name)
        assert worker.process.wait(5) == 0


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals")
def test_killing_its_parent_ends_it(parent):
    process, ready = parent("pipe")
    process.kill()
    assert ends(ready["pid"])


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent death signal")
def test_killing_its_parent_ends_it_although_someone_else_holds_its_stdin_open(parent):
    process, ready = parent("inherit")
    process.kill()
    assert ends(ready["pid"])


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent death signal")
def test_it_outlives_the_thread_that_started_it(parent):
    process, ready = parent("thread")
    time.sleep(0.5)
    assert is_running(ready["pid"])
    process.kill()
    assert ends(ready["pid"])
