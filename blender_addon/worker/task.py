"""A question to the worker: a thread talks to it, the caller polls and never blocks."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from ..errors import RenderCancelled, UserError
from . import supervisor
from .client import Connection, headers_of, refusal_of
from .process import Address
from .settings import WorkerSettings

POLL_SECONDS = 0.03
"""Between looks at whether it is done."""

Answer = TypeVar("Answer")


class Conversation:
    """A connection to a ready worker, and the headers that every request to it carries."""

    def __init__(self, address: Address) -> None:
        self.connection = Connection("127.0.0.1", address.port)
        self._headers = headers_of(address)

    def upload(self, photo: bytes) -> str:
        """Send a photo's file and return its SHA-256.

        Raises:
            UserError: the worker refused.
        """
        sha256 = hashlib.sha256(photo).hexdigest()
        self.answer_json("PUT", f"/v1/photos/{sha256}", photo, "application/octet-stream")
        return sha256

    def answer_json(
        self, method: str, path: str, body: bytes, content_type: str = "application/json"
    ) -> dict[str, Any]:
        """Return the JSON answer to a request.

        Raises:
            UserError: the worker refused.
        """
        response = self.answer(method, path, body, content_type)
        return dict(json.loads(response.read()))

    def answer(
        self, method: str, path: str, body: bytes, content_type: str = "application/json"
    ) -> http.client.HTTPResponse:
        """Return the answer to a request, not yet read.

        Raises:
            UserError: the worker refused.
        """
        self.connection.request(method, path, body, self._headers | {"Content-Type": content_type})
        response = self.connection.getresponse()
        if response.status != 200:
            raise refusal_of(response.status, response.read())
        return response


class Background(Generic[Answer]):
    """Work in a thread that touches no bpy; whoever waits for it polls, and never blocks.

    Args:
        work: does it and returns the answer; ends soon with RenderCancelled once its argument is true.
        name: of the thread.
    """

    def __init__(self, work: Callable[[Callable[[], bool]], Answer], name: str) -> None:
        self._work = work
        self._stopped = threading.Event()
        self._answers: list[Answer] = []
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def is_running(self) -> bool:
        """Tell whether the answer is still to come."""
        return self._thread.is_alive()

    def is_stopped(self) -> bool:
        """Tell whether it was given up."""
        return self._stopped.is_set()

    def give_up(self) -> None:
        """Ask it to end without waiting until it has; :meth:`result` says that it was cancelled."""
        self._stopped.set()

    def stop(self) -> None:
        """Give it up, and wait until it has ended."""
        self.give_up()
        self._thread.join()

    def finish(self) -> None:
        """Wait until the answer is there, whatever it is."""
        self._thread.join()

    def wait(self, should_stop: Callable[[], bool] = lambda: False) -> Answer:
        """Wait for the answer, polling ``should_stop`` at least every 50 ms; see :meth:`result`."""
        while self._thread.is_alive():
            self._thread.join(POLL_SECONDS)
            if should_stop():
                self.stop()
        return self.result()

    def result(self) -> Answer:
        """Return the answer, once it is there.

        Raises:
            UserError: what went wrong.
            RenderCancelled: it was given up.
        """
        if self._stopped.is_set():
            raise RenderCancelled
        if self._error is not None:
            raise self._error
        return self._answers[0]

    def _run(self) -> None:
        try:
            self._answers.append(self._work(self._stopped.is_set))
        except (UserError, RenderCancelled) as error:
            self._error = error
        except Exception as error:
            self._error = self._explained(error)

    def _explained(self, error: Exception) -> UserError:
        """Return what to say of an error that nobody foresaw."""
        return UserError(
            f"Something went wrong inside the add-on ({type(error).__name__}: {error}).",
            "Please report it with the text of the system console.",
        )


class WorkerTask(Background[Answer]):
    """One question to the worker, which is started if need be.

    Args:
        ask: asks it, and returns the answer.
        settings: the worker to use.
        log_folder: for the worker's log.
        doing: what it does meanwhile, such as "looked for objects".
    """

    def __init__(
        self,
        ask: Callable[[Conversation], Answer],
        settings: WorkerSettings,
        log_folder: Path,
        doing: str,
    ) -> None:
        self._ask, self._doing = ask, doing
        self._settings, self._log_folder = settings, log_folder
        self._conversation: Conversation | None = None
        super().__init__(self._converse, "neural-assets-question")

    def stop(self) -> None:
        """Give up: the connection is closed, and :meth:`result` says that it was cancelled."""
        self.give_up()
        while self._thread.is_alive():
            conversation = self._conversation
            if conversation is not None and conversation.connection.opened is not None:
                with contextlib.suppress(OSError):
                    conversation.connection.opened.shutdown(socket.SHUT_RDWR)
            self._thread.join(0.1)

    def _converse(self, should_stop: Callable[[], bool]) -> Answer:
        _, address = supervisor.ready(self._settings, self._log_folder, should_stop)
        self._conversation = Conversation(address)
        try:
            return self._ask(self._conversation)
        finally:
            self._conversation.connection.close()

    def _explained(self, error: Exception) -> UserError:
        return UserError(
            f"The worker was lost while it {self._doing} ({type(error).__name__}: {error}).",
            "Try again: a new worker is started.",
        )
