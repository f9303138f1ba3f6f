"""Connections: whoever says nothing is not waited for, and nobody keeps others out."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import socket
import struct
import subprocess
import sys
import time

import pytest

from server.connections import HEADER_SECONDS, MOST_CONNECTIONS
from server.log import CappedHandler
from tests.server.conftest import ROOT, SCRIPTED, environment


def connected(worker) -> socket.socket:
    return socket.create_connection(("127.0.0.1", worker.port), timeout=HEADER_SECONDS + 20)


def is_closed(connection: socket.socket) -> bool:
    """Wait for the other side to hang up."""
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(4096):
            pass
    return True


@pytest.mark.parametrize("said", [b"", b"GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
def test_a_request_that_does_not_come_is_not_waited_for(scripted, said):
    with connected(scripted) as connection:
        connection.sendall(said)
        started = time.monotonic()
        assert is_closed(connection)
        assert time.monotonic() - started > HEADER_SECONDS - 2


def test_a_connection_that_was_useful_may_be_silent_for_longer(scripted):
    connection = http.client.HTTPConnection("127.0.0.1", scripted.port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/v1/health", headers=scripted.headers())
        assert connection.getresponse().read()
        kept = connection.sock
        time.sleep(HEADER_SECONDS + 1)
        connection.request("GET", "/v1/health", headers=scripted.headers())
        assert connection.getresponse().status == 200
        assert connection.sock is kept


def test_who_is_refused_is_hung_up_on(scripted):
    connection = http.client.HTTPConnection("127.0.0.1", scripted.port, timeout=30)
    with contextlib.closing(connection):
        connection.request("GET", "/v1/health", headers=scripted.headers(Authorization="Bearer wrong"))
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Connection"]) == (401, "close")


def test_a_crowd_that_says_nothing_keeps_nobody_out(scripted):
    with contextlib.ExitStack() as stack:
        crowd = [stack.enter_context(connected(scripted)) for _ in range(2 * MOST_CONNECTIONS)]
        assert scripted.request("GET", "/v1/health")[0] == 200
        assert is_closed(crowd[0])


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such limits")
def test_few_file_descriptors_are_enough(start, tmp_path):
    limited = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)); "
    limited += f"sys.argv = [{SCRIPTED[1]!r}]; runpy.run_path({SCRIPTED[1]!r}, run_name='__main__')"
    worker = start([sys.executable, "-c", limited])
    with contextlib.ExitStack() as stack:
        for _ in range(150):
            stack.enter_context(connected(worker))
        for _ in range(10):
            assert worker.request("GET", "/v1/health")[0] == 200


def test_a_client_that_resets_its_connection_leaves_no_traceback(tmp_path):
    log = tmp_path / "log"
    with open(log, "wb") as file:
        process = subprocess.Popen(
            SCRIPTED, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, cwd=ROOT, env=environment()
        )
        with process:
            port = json.loads(process.stdout.readline())["port"]
            head = f"POST /v1/render HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 100\r\n"
            head += "Authorization: Bearer a-token-of-these-tests\r\nX-Neural-Assets-Protocol: 1\r\n\r\n{"
            for _ in range(5):
                with socket.create_connection(("127.0.0.1", port)) as connection:
                    connection.sendall(head.encode())
                    time.sleep(0.05)
                    linger = struct.pack("ii", 1, 0)  # closing sends a reset
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            time.sleep(0.5)
            process.stdin.close()
    text = log.read_text()
    assert "Traceback" not in text
    assert text.count("the client hung up") == 5


def test_an_answer_does_not_quote_megabytes(scripted):
    for body in ({"x" * 10**6: 1}, {"frames": "y" * 10**6}, {"schema_version": "z" * 10**6, "frames": [{}]}):
        for path in ("/v1/render", "/v1/detect", "/v1/layers"):
            status, answer = scripted.request("POST", path, json.dumps(body))
            assert status in (413, 422)
            assert len(json.dumps(answer)) < 2000


def test_a_log_comes_to_an_end_but_for_what_is_critical(capsys):
    handler = CappedHandler(most_bytes=100)
    handler.stream = sys.stderr
    for level in [logging.INFO] * 10 + [logging.CRITICAL]:
        handler.emit(logging.LogRecord("x", level, "", 0, "a message of thirty characters", (), None))
    lines = capsys.readouterr().err.splitlines()
    assert lines.count("a message of thirty characters") == 5
    assert lines[4] == "The log is full: nothing more is written here."
