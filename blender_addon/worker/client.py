"""One render request to the worker: a thread reads the stream, the caller polls a queue and never blocks.

The thread touches no bpy and ends with the request: :func:`render` joins it before it returns.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import math
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from na_core.scene import MAX_SIDE, RenderJob

from ..errors import RenderCancelled, UserError
from .process import PROTOCOL, Address

POLL_SECONDS = 0.05
SILENCE_SECONDS = 30.0
"""A worker that sends nothing for this long, not even a heartbeat, has stopped answering."""

UPLOAD_ROUNDS = 3
"""A worker that asks for the same photo again after so many uploads will not be satisfied."""

LARGEST_RECORD = 16 * MAX_SIDE * MAX_SIDE
"""Bytes of the largest picture or pass that a record may announce."""


class WorkerLost(Exception):
    """The connection broke: the worker ended or was killed. A frame may be tried again."""


class WorkerStalled(Exception):
    """The worker holds the connection but sends nothing any more."""


@dataclass(frozen=True)
class Progress:
    """How far a frame is. ``step`` counts denoising steps; ``fraction`` is in [0, 1]."""

    step: int
    steps: int
    fraction: float


@dataclass(frozen=True)
class ReceivedPicture:
    """A finished picture: pixels (H, W, 3) uint8 sRGB from the top, and how it came about.

    ``passes`` are those that were asked for, (H, W, C) float32 from the top, by Blender's names.
    """

    pixels: NDArray[np.uint8]
    seconds: float = 0.0
    cached: bool = False
    passes: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass
class _Record:
    """One record of the stream, or the exception that ended it."""

    event: str
    data: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""
    error: Exception | None = None


def _ignore(_: object) -> None:
    """Do nothing with a progress or preview."""


def render(
    address: Address,
    job: RenderJob,
    files: Mapping[str, bytes],
    *,
    should_stop: Callable[[], bool] = lambda: False,
    on_progress: Callable[[Progress], None] = _ignore,
    on_preview: Callable[[ReceivedPicture], None] | None = None,
    silence_seconds: float = SILENCE_SECONDS,
) -> ReceivedPicture:
    """Render the one frame of a job.

    Args:
        address: of a ready worker.
        job: holds one frame.
        files: bytes of every photo and mesh of the frame, by SHA-256; sent only if the worker lacks them.
        should_stop: polled at least every 50 ms.
        on_progress, on_preview: called on the caller's thread.
        silence_seconds: see :data:`SILENCE_SECONDS`.

    Raises:
        RenderCancelled: ``should_stop`` returned true; the worker stops within a denoising step.
        UserError: the worker refused; its message is a sentence for the user.
        WorkerLost: the connection broke.
        WorkerStalled: nothing came for ``silence_seconds``.
    """
    exchange = _Exchange(address, job, files, preview=on_preview is not None)
    picture: ReceivedPicture | None = None
    passes: dict[str, NDArray[np.float32]] = {}
    heard = time.monotonic()
    try:
        while True:
            if should_stop():
                raise RenderCancelled
            try:
                record = exchange.records.get(timeout=POLL_SECONDS)
            except queue.Empty:
                if time.monotonic() - heard > silence_seconds:
                    raise WorkerStalled from None
                continue
            heard = time.monotonic()
            if record.error is not None:
                raise record.error
            if record.event == "progress":
                on_progress(_progress(record.data))
            elif record.event == "preview" and on_preview is not None:
                on_preview(_picture(record))
            elif record.event == "pass":
                passes[str(record.data["name"])] = _pass(record)
            elif record.event == "frame":
                picture = replace(_picture(record), passes=passes)
            elif record.event == "error":
                raise UserError(str(record.data.get("message", "The worker failed without saying why.")))
            elif record.event == "done":
                if picture is None:
                    raise WorkerLost("the worker finished without a picture")
                return picture
    finally:
        exchange.close()


def request_json(address: Address, path: str, timeout: float = 5.0) -> dict[str, Any]:
    """Return the answer to a GET such as ``/v1/health``, waiting up to ``timeout`` seconds for it.

    Raises:
        UserError: the worker refused.
        WorkerLost: it did not answer.
    """
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=timeout)
    try:
        connection.request("GET", path, headers=headers_of(address))
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            raise refusal_of(response.status, body)
        return dict(json.loads(body))
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise WorkerLost(str(error)) from error
    finally:
        connection.close()


class Connection(http.client.HTTPConnection):
    """Remembers its socket: http.client drops it from sight while a response that ends with it is read."""

    opened: socket.socket | None = None

    def connect(self) -> None:
        """Connect, as http.client does by itself."""
        super().connect()
        self.opened = self.sock


class _Exchange:
    """The thread that sends a job and reads the stream, and the queue it fills."""

    def __init__(
        self, address: Address, job: RenderJob, files: Mapping[str, bytes], *, preview: bool
    ) -> None:
        self.records: queue.Queue[_Record] = queue.Queue()
        self._address = address
        self._body = job.to_json().encode()
        self._files = files
        self._preview = preview
        self._closed = False
        # Sending has no deadline of its own: the caller's silence limit closes the socket under it.
        self._connection = Connection("127.0.0.1", address.port)
        self._thread = threading.Thread(target=self._run, name="neural-assets-render", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Free the thread wherever it waits, and join it. The worker sees the end and cancels."""
        self._closed = True
        while True:
            if self._connection.opened is not None:
                with contextlib.suppress(OSError):
                    self._connection.opened.shutdown(socket.SHUT_RDWR)
            self._thread.join(0.2)
            if not self._thread.is_alive():
                break
        self._connection.close()

    def _run(self) -> None:
        try:
            self._send_and_read()
        except UserError as error:
            self.records.put(_Record("failure", error=error))
        except Exception as error:
            # Whatever breaks the conversation means that this worker cannot finish this frame.
            lost = WorkerLost(f"{type(error).__name__}: {error}")
            lost.__cause__ = error
            self.records.put(_Record("failure", error=lost))

    def _send_and_read(self) -> None:
        for _ in range(UPLOAD_ROUNDS):
            headers = {"Content-Type": "application/json"}
            if self._preview:
                headers["X-Neural-Assets-Preview"] = "1"
            response = self._request("POST", "/v1/render", self._body, headers)
            if response.status == 200:
                self._read(response)
                return
            body = response.read()
            missing = _missing_files(response.status, body)
            if not missing:
                raise refusal_of(response.status, body)
            for kind, sha256 in missing:
                if sha256 not in self._files:
                    raise WorkerLost(f"the worker asks for a file that is not in the frame: {sha256}")
                answer = self._request(
                    "PUT",
                    f"/v1/{kind}/{sha256}",
                    self._files[sha256],
                    {"Content-Type": "application/octet-stream"},
                )
                body = answer.read()
                if answer.status not in (200, 201, 204):
                    raise refusal_of(answer.status, body)
                self.records.put(_Record("uploaded"))
        raise WorkerLost("the worker forgets files as fast as they are sent")

    def _request(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        if self._closed:
            raise ConnectionAbortedError("closed")
        self._connection.request(method, path, body, {**headers_of(self._address), **headers})
        return self._connection.getresponse()

    def _read(self, response: http.client.HTTPResponse) -> None:
        while True:
            line = response.readline(1 << 20)
            if not line:
                raise ConnectionResetError("the stream ended early")
            data = json.loads(line)
            size = int(data.get("bytes", 0))
            if not 0 <= size <= LARGEST_RECORD:
                raise ValueError(f"a record of {size} bytes")
            payload = response.read(size) if size else b""
            if len(payload) != size:
                raise ConnectionResetError("the stream ended inside a picture")
            self.records.put(_Record(str(data.get("event")), data, payload))
            if data.get("event") in ("done", "error"):
                return


def headers_of(address: Address) -> dict[str, str]:
    """Return the headers that every request to the worker carries."""
    return {"Authorization": f"Bearer {address.token}", "X-Neural-Assets-Protocol": str(PROTOCOL)}


def _error_of(body: bytes) -> dict[str, Any]:
    try:
        error = json.loads(body)["error"]
        return dict(error)
    except (ValueError, KeyError, TypeError):
        return {}


def _missing_files(status: int, body: bytes) -> list[tuple[str, str]]:
    """Return the kind, photos or meshes, and the SHA-256 of each file that the worker asks for."""
    error = _error_of(body)
    if status == 404 and error.get("code") == "photos_missing":
        return [(kind, str(sha256)) for kind in ("photos", "meshes") for sha256 in error.get(kind, [])]
    return []


def refusal_of(status: int, body: bytes) -> UserError:
    """Return what an answer other than success says, as a sentence for the user."""
    message = _error_of(body).get("message")
    return UserError(str(message) if message else f"The worker refused the request (HTTP status {status}).")


def _progress(data: Mapping[str, Any]) -> Progress:
    return Progress(int(data.get("step", 0)), int(data.get("steps", 0)), float(data.get("fraction", 0.0)))


def _pass(record: _Record) -> NDArray[np.float32]:
    shape = int(record.data["height"]), int(record.data["width"]), len(record.data["letters"])
    if len(record.payload) != 4 * math.prod(shape):
        raise WorkerLost(f"a pass of {len(record.payload)} bytes for {shape}")
    return np.frombuffer(record.payload, dtype=np.float32).reshape(shape)


def _picture(record: _Record) -> ReceivedPicture:
    width, height = int(record.data["width"]), int(record.data["height"])
    if len(record.payload) != width * height * 3:
        raise WorkerLost(f"a picture of {len(record.payload)} bytes for {width} x {height} pixels")
    pixels = np.frombuffer(record.payload, dtype=np.uint8).reshape(height, width, 3)
    seconds = float(record.data.get("seconds") or 0.0)
    return ReceivedPicture(pixels, seconds, bool(record.data.get("cached", False)))
