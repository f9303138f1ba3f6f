"""Asking the worker what a photo shows: a thread talks to it, the caller polls and never blocks."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from na_core.scene import Box, Camera, SceneError

from ..errors import RenderCancelled, UserError
from ..worker import supervisor
from ..worker.client import Connection, WorkerLost, headers_of, refusal_of
from ..worker.process import Address
from ..worker.settings import WorkerSettings
from .result import DetectedObject, Detection

POLL_SECONDS = 0.03
"""Between looks at whether it is done."""


class DetectionTask:
    """One question to the worker, which is started if need be, in a thread that touches no bpy.

    Args:
        photo: the file's bytes.
        options: of the request, see the worker's ``/v1/detect``.
        settings: the worker to use.
        log_folder: for the worker's log.
    """

    def __init__(
        self, photo: bytes, options: Mapping[str, Any], settings: WorkerSettings, log_folder: Path
    ) -> None:
        self._photo = photo
        self._options = dict(options)
        self._settings, self._log_folder = settings, log_folder
        self._stopped = threading.Event()
        self._connection: Connection | None = None
        self._detection: Detection | None = None
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="neural-assets-detect", daemon=True)
        self._thread.start()

    def is_running(self) -> bool:
        """Tell whether the answer is still to come."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Give up: the connection is closed, and :meth:`result` says that it was cancelled."""
        self._stopped.set()
        while self._thread.is_alive():
            connection = self._connection
            if connection is not None and connection.opened is not None:
                with contextlib.suppress(OSError):
                    connection.opened.shutdown(socket.SHUT_RDWR)
            self._thread.join(0.1)

    def finish(self) -> None:
        """Wait until the answer is there, whatever it is."""
        self._thread.join()

    def wait(self, should_stop: Callable[[], bool] = lambda: False) -> Detection:
        """Wait for the answer, polling ``should_stop`` at least every 50 ms; see :meth:`result`."""
        while self._thread.is_alive():
            self._thread.join(POLL_SECONDS)
            if should_stop():
                self.stop()
        return self.result()

    def result(self) -> Detection:
        """Return the answer, once it is there.

        Raises:
            UserError: the worker cannot be started, was lost, or refused.
            RenderCancelled: it was stopped.
        """
        if self._stopped.is_set():
            raise RenderCancelled
        if self._error is not None:
            raise self._error
        assert self._detection is not None
        return self._detection

    def _run(self) -> None:
        try:
            _, address = supervisor.ready(self._settings, self._log_folder, self._stopped.is_set)
            self._detection = self._ask(address)
        except (UserError, RenderCancelled) as error:
            self._error = error
        except Exception as error:
            self._error = UserError(
                f"The worker was lost while it looked for objects ({type(error).__name__}: {error}).",
                "Try again: a new worker is started.",
            )

    def _ask(self, address: Address) -> Detection:
        sha256 = hashlib.sha256(self._photo).hexdigest()
        self._connection = connection = Connection("127.0.0.1", address.port)
        try:
            binary = {"Content-Type": "application/octet-stream"}
            connection.request("PUT", f"/v1/photos/{sha256}", self._photo, headers_of(address) | binary)
            _answer(connection)
            body = json.dumps({"photo": sha256, **self._options})
            text = {"Content-Type": "application/json"}
            connection.request("POST", "/v1/detect", body, headers_of(address) | text)
            return _detection_of(_answer(connection))
        finally:
            connection.close()


def _answer(connection: http.client.HTTPConnection) -> dict[str, Any]:
    response = connection.getresponse()
    body = response.read()
    if response.status != 200:
        raise refusal_of(response.status, body)
    return dict(json.loads(body))


def _detection_of(data: Mapping[str, Any]) -> Detection:
    try:
        return Detection(
            Camera.from_dict(data["camera"]),
            tuple(
                DetectedObject(
                    str(item["name"]),
                    float(item["score"]),
                    tuple(float(value) for value in item["rectangle"]),  # type: ignore[arg-type]
                    Box.from_dict({"world_from_box": item["world_from_box"]}),
                )
                for item in data["objects"]
            ),
            float((data.get("camera_doubt") or {}).get("focal", 0.0)),
        )
    except (SceneError, KeyError, TypeError, ValueError) as error:
        raise WorkerLost(f"an answer that is no detection: {error}") from error
