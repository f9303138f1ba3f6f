"""One export of control clips: a process in the worker's Python that says how far it is, line by line."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from pathlib import Path

from ..errors import UserError
from .child import clean_environment, log_tail, missing_package, new_log, not_started
from .settings import WorkerSettings

SAID = "neural-assets: "
"""What a sentence for people begins with in its log."""


class ExportProcess:
    """A started export. Only its own thread changes it.

    Attributes:
        done: frames that are exported.
        log: file with everything it wrote to stderr.
    """

    def __init__(
        self, settings: WorkerSettings, frames: Path, out: Path, rate: float, log_folder: Path
    ) -> None:
        """Start the process and return at once.

        Args:
            settings: of the worker: its Python, device, checkpoint and models.
            frames: file of a :class:`na_core.scene.RenderJob`, its photos and meshes beside it.
            out: folder for the clips.
            rate: frames a second.
            log_folder: where its log goes.

        Raises:
            UserError: the settings name no Python that can be started.
        """
        settings.check()
        self.done = 0
        self.log = new_log(log_folder, "export")
        self._python = settings.python
        command = [settings.python, "-m", "server", "export", str(frames), "--out", str(out)]
        command += ["--rate", str(rate), "--device", settings.device, "--progress", "json"]
        for name in ("checkpoint", "outlines", "surfaces", "plates"):
            if value := getattr(settings, name):
                command += [f"--{name}", value]
        try:
            with open(self.log, "wb") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=clean_environment(),
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        except OSError as error:
            raise not_started(settings.python, error) from error
        self._reader = threading.Thread(target=self._listen, name="neural-assets-export", daemon=True)
        self._reader.start()

    def is_running(self) -> bool:
        """Tell whether it is still at work, without waiting."""
        return self._process.poll() is None or self._reader.is_alive()

    def finish(self) -> None:
        """Wait for the end.

        Raises:
            UserError: it failed; the text is the process's own where it said why.
        """
        code = self._process.wait()
        self._reader.join()
        if code == 0:
            return
        last = log_tail(self.log)
        if last.startswith(SAID):
            raise UserError(last.removeprefix(SAID))
        missing = missing_package(self._python, self.log)
        raise missing or UserError(f"The export failed: {last}", f"Its log is {self.log}.")

    def stop(self) -> None:
        """End it."""
        with contextlib.suppress(OSError):
            self._process.kill()
        self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(ValueError, KeyError, TypeError):  # something else that was printed
                said = json.loads(line)
                if said["event"] == "frame":
                    self.done = int(said["done"])
