"""One worker process: started without blocking, ready on its first line, dead with its parent."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import threading
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UserError
from .child import clean_environment, install_command, log_tail, missing_package, new_log, not_started
from .settings import PREFERENCE, WorkerSettings

PROTOCOL = 1
"""Version of the wire protocol; both sides refuse any other."""


@dataclass(frozen=True)
class Address:
    """Where a ready worker answers, and what it said about itself."""

    port: int
    token: str = field(repr=False)
    pid: int
    version: str
    device: str
    checkpoint: str


class WorkerProcess:
    """A started worker. Threads may share it: its fields change only before ``settled`` is set.

    Attributes:
        settings: what it was started with.
        log: file with everything it wrote to stderr.
        settled: set once it is ready or has failed to start.
        address: where it answers, once ready.
        failure: why it did not start, if it did not.
    """

    def __init__(self, settings: WorkerSettings, log_folder: Path) -> None:
        """Start the process and return at once.

        Raises:
            UserError: the settings name nothing that can be started.
        """
        settings.check()
        self.settings = settings
        self.settled = threading.Event()
        self.address: Address | None = None
        self.failure: UserError | None = None
        self._token = secrets.token_urlsafe(32)
        self.log = new_log(log_folder, "worker")
        environment = clean_environment() | {"NEURAL_ASSETS_TOKEN": self._token}
        try:
            with open(self.log, "wb") as log:
                self._process = subprocess.Popen(
                    settings.command(),
                    stdin=subprocess.PIPE,  # kept open: its end tells the worker that Blender is gone
                    stdout=subprocess.PIPE,
                    stderr=log,
                    cwd=log_folder,
                    env=environment,
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        except OSError as error:
            raise not_started(settings.python, error) from error
        threading.Thread(target=self._listen, name="neural-assets-worker", daemon=True).start()

    @property
    def pid(self) -> int:
        """Return the process id that the operating system gave."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Tell whether the process still runs."""
        return self._process.poll() is None

    def exit_code(self, patience: float = 0.0) -> int | None:
        """Return the exit code, negative for a signal; None if it still runs after ``patience`` seconds."""
        try:
            return self._process.wait(patience)
        except subprocess.TimeoutExpired:
            return None

    def stop(self, patience: float = 2.0) -> None:
        """End the process: by closing its stdin, and after ``patience`` seconds by force."""
        with contextlib.suppress(OSError):  # it may be gone already
            if self._process.stdin:
                self._process.stdin.close()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def log_tail(self, lines: int = 1) -> str:
        """Return the last lines of the log that are not empty, joined by new lines."""
        return log_tail(self.log, lines)

    def _listen(self) -> None:
        """Read stdout: the first line settles the start, the rest is drained lest the worker block."""
        assert self._process.stdout is not None
        try:
            self._settle(self._process.stdout.readline())
        finally:
            self.settled.set()
        for _ in self._process.stdout:
            pass

    def _settle(self, line: bytes) -> None:
        try:
            said = json.loads(line) if line.strip() else {}
            if said.get("event") == "error":
                self.failure = UserError(str(said["message"]))
            elif said.get("event") == "ready":
                if said["protocol"] != PROTOCOL:
                    self.failure = UserError(
                        f"The worker speaks protocol {said['protocol']}, this add-on speaks {PROTOCOL}.",
                        f"Install the same version on both sides: {install_command(self.settings.python)}",
                    )
                else:
                    self.address = Address(
                        port=int(said["port"]),
                        token=self._token,
                        pid=int(said["pid"]),
                        version=str(said.get("version", "")),
                        device=str(said.get("device", "")),
                        checkpoint=str(said.get("checkpoint", "")),
                    )
            else:
                self.failure = self._early_exit()
        except (ValueError, KeyError, TypeError, AttributeError):
            self.failure = UserError(
                f"The worker's Python '{self.settings.python}' answered with something that is no worker's.",
                f"Choose another under {PREFERENCE} > Worker Python. It said: {line[:200]!r}",
            )

    def _early_exit(self) -> UserError:
        """Turn an exit before the ready line into a sentence, from the log."""
        code = self.exit_code(patience=5.0)
        missing = missing_package(self.settings.python, self.log)
        if missing is not None:
            return missing
        last = self.log_tail(1)
        return UserError(
            f"The worker ended before it was ready (exit code {code}){f': {last}' if last else '.'}",
            f"Its log is {self.log}",
        )
