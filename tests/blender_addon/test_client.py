"""The client against a scripted server: what a real worker does only on a bad day."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from na_core.scene import Background, Camera, Frame, Photo, RenderJob, Sampling

SHA = "ab" * 32
PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
FRAME = {
    "event": "frame",
    "width": 3,
    "height": 2,
    "channels": 3,
    "bytes": 18,
    "seconds": 0.5,
    "cached": True,
}
DONE = b'{"event":"done"}\n'


def record(fields, payload=b""):
    return json.dumps(fields).encode() + b"\n" + payload


@pytest.fixture
def client(part):
    return part("worker.client")


@pytest.fixture
def serve(part):
    """A function that starts a server with an answer to POST; returns its address and what it was sent."""
    servers = []

    def start(answer, put_status=200):
        asked = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def take(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked.append((self.command, self.path, dict(self.headers), body))

            def do_POST(self):
                self.take()
                answer(self, len([entry for entry in asked if entry[0] == "POST"]))

            def do_PUT(self):
                self.take()
                reply(self, put_status, b'{"error":{"code":"photo_unreadable","message":"No picture."}}')

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        process = part("worker.process")
        return process.Address(server.server_address[1], "secret", 0, "", "cpu", ""), asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def reply(handler, status, body):
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def stream(*parts):
    """An answer that sends these bytes in chunks, and ends."""

    def answer(handler, _):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for part in (*parts, b""):
            handler.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")

    return answer


@pytest.fixture
def job():
    camera = Camera(np.eye(4), fx=1.0, fy=1.0)
    frame = Frame(camera, (), Background(Photo(SHA), camera))
    return RenderJob((frame,), Sampling(width=3, height=2))


def test_records(client, serve, job):
    preview = {"event": "preview", "width": 3, "height": 2, "channels": 3, "bytes": 18}
    address, asked = serve(
        stream(
            b'{"event":"queued"}\n{"event":"heart',
            b'beat"}\n' + record({"event": "progress", "step": 1, "steps": 2, "fraction": 0.5}),
            record(preview, PIXELS.tobytes()),
            record(FRAME, PIXELS.tobytes()[:5]),
            PIXELS.tobytes()[5:] + DONE,
        )
    )
    seen, previews = [], []
    picture = client.render(address, job, {}, on_progress=seen.append, on_preview=previews.append)
    assert (picture.pixels == PIXELS).all()
    assert (picture.seconds, picture.cached) == (0.5, True)
    assert seen == [client.Progress(1, 2, 0.5)]
    assert (previews[0].pixels == PIXELS).all()
    method, path, headers, body = asked[0]
    assert (method, path) == ("POST", "/v1/render")
    assert headers["Authorization"] == "Bearer secret"
    assert headers["X-Neural-Assets-Protocol"] == "1"
    assert headers["X-Neural-Assets-Preview"] == "1"
    assert RenderJob.from_json(body) == job


def test_photos_are_sent_when_missing(client, serve, job):
    missing = json.dumps({"error": {"code": "photos_missing", "message": "", "photos": [SHA]}}).encode()

    def answer(handler, number):
        if number == 1:
            reply(handler, 404, missing)
        else:
            stream(record(FRAME, PIXELS.tobytes()) + DONE)(handler, number)

    address, asked = serve(answer)
    client.render(address, job, {SHA: b"the photo"})
    assert [(entry[0], entry[1]) for entry in asked] == [
        ("POST", "/v1/render"),
        ("PUT", f"/v1/photos/{SHA}"),
        ("POST", "/v1/render"),
    ]
    assert asked[1][3] == b"the photo"


def test_a_worker_that_never_has_enough(client, serve, job):
    missing = json.dumps({"error": {"code": "photos_missing", "photos": [SHA]}}).encode()
    address, asked = serve(lambda handler, _: reply(handler, 404, missing))
    with pytest.raises(client.WorkerLost):
        client.render(address, job, {SHA: b"x"})
    assert len(asked) == 2 * client.UPLOAD_ROUNDS


def test_a_refused_photo(client, part, serve, job):
    missing = json.dumps({"error": {"code": "photos_missing", "photos": [SHA]}}).encode()
    address, _ = serve(lambda handler, _: reply(handler, 404, missing), put_status=400)
    with pytest.raises(part("errors").UserError, match="No picture"):
        client.render(address, job, {SHA: b"x"})


@pytest.mark.parametrize(
    ("status", "body", "text"),
    [
        (401, b'{"error":{"code":"token_refused","message":"Wrong token."}}', "Wrong token"),
        (500, b"<html>", "HTTP status 500"),
        (404, b"[]", "HTTP status 404"),
    ],
)
def test_refusals(client, part, serve, job, status, body, text):
    address, _ = serve(lambda handler, _: reply(handler, status, body))
    with pytest.raises(part("errors").UserError, match=text):
        client.render(address, job, {})


def test_an_error_in_the_stream(client, part, serve, job):
    address, _ = serve(stream(b'{"event":"error","code":"x","message":"Out of memory: lower it."}\n'))
    with pytest.raises(part("errors").UserError, match="Out of memory: lower it"):
        client.render(address, job, {})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"event":"heartbeat"}\n',
        record(FRAME, b"short"),
        b"not json\n",
        b"[]\n",
        b'{"event":"frame","bytes":-4}\n',
        b'{"event":"frame","bytes":99999999999}\n',
        record({**FRAME, "width": 300}, PIXELS.tobytes()),
        DONE,
    ],
)
def test_a_broken_stream_is_a_lost_worker(client, serve, job, data):
    address, _ = serve(stream(data))
    with pytest.raises(client.WorkerLost):
        client.render(address, job, {})


def test_nobody_listens(client, part, job):
    dead = part("worker.process").Address(1, "", 0, "", "", "")
    with pytest.raises(client.WorkerLost):
        client.render(dead, job, {})


@pytest.mark.parametrize("close", [False, True])
def test_silence_and_cancel_free_the_reader(client, part, serve, job, close):
    """Also while a response that ends with its connection is read: http.client then hides the socket."""
    released = threading.Event()

    def answer(handler, _):
        handler.send_response(200)
        handler.send_header(*(("Connection", "close") if close else ("Content-Length", "1000")))
        handler.end_headers()
        released.wait(20)

    address, _ = serve(answer)
    with pytest.raises(client.WorkerStalled):
        client.render(address, job, {}, silence_seconds=0.3)
    polls = []
    with pytest.raises(part("errors").RenderCancelled):
        client.render(address, job, {}, should_stop=lambda: polls.append(1) or len(polls) > 4)
    released.set()
    assert not [thread for thread in threading.enumerate() if thread.name == "neural-assets-render"]
