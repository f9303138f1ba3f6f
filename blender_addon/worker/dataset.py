"""One child process that renders training data: started without blocking, followed by its lines of JSON."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from .child import clean_environment, install_command, log_tail, missing_package, new_log, not_started
from .settings import WorkerSettings


@dataclass(frozen=True)
class DatasetOrder:
    """What to render; each field is an option of ``neural-assets dataset render``.

    Attributes:
        out: the data set's folder.
        scenes: how many.
        frames: pictures of each scene at most.
        size: pixels of the square picture's side.
        seed: of the first scene.
        split: "train", "validation" or "test".
        jobs: worker processes; 0 for one per core.
    """

    out: Path
    scenes: int
    frames: int = 8
    size: int = 256
    seed: int = 0
    split: str = "train"
    jobs: int = 0

    def command(self, python: str, blend: Path) -> list[str]:
        """Return the command line that renders it with the meshes of a .blend as objects."""
        command = [python, "-m", "server", "dataset", "render", "--blend", str(blend), "--out", str(self.out)]
        for name in ("scenes", "frames", "size", "seed", "split"):
            command += [f"--{name}", str(getattr(self, name))]
        return [*command, *(["--jobs", str(self.jobs)] if self.jobs else []), "--progress", "json"]


@dataclass(frozen=True)
class DatasetProgress:
    """How far it is: finished scenes, those from before included, and speed; 0 before the first."""

    done: int
    total: int
    scenes_per_hour: float = 0.0


@dataclass(frozen=True)
class DatasetResult:
    """What became of an order: scenes rendered now, scenes that were there already, and what to know."""

    rendered: int
    skipped: int
    warnings: tuple[str, ...] = ()


class DatasetProcess:
    """A started rendering of training data. Only its own thread changes it.

    Attributes:
        order: what is rendered.
        log: file with everything it wrote to stderr.
        progress: how far it is.
    """

    def __init__(self, settings: WorkerSettings, order: DatasetOrder, blend: Path, log_folder: Path) -> None:
        """Start the process in the worker's Python and return at once.

        Raises:
            UserError: the settings name no Python that can be started.
        """
        settings.check_python()
        self.order = order
        self.log = new_log(log_folder, "dataset")
        self.progress = DatasetProgress(0, order.scenes)
        self._python = settings.python
        self._last: dict[str, Any] = {}
        self._warnings: list[str] = []
        environment = clean_environment()
        environment["NEURAL_ASSETS_SUPERVISED"] = "1"  # it ends when its stdin does
        # The bpy there is a Blender of its own: another version, perhaps, and nothing of the user's set-up.
        for name in [name for name in environment if name.startswith("BLENDER_")]:
            del environment[name]
        environment["BLENDER_USER_RESOURCES"] = str(blend.parent)
        try:
            with open(self.log, "wb") as log:
                self._process = subprocess.Popen(
                    order.command(settings.python, blend),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    cwd=blend.parent,
                    env=environment,
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                    start_new_session=True,  # a group of its own, which can be ended as a whole
                )
        except OSError as error:
            raise not_started(settings.python, error) from error
        self._reader = threading.Thread(target=self._listen, name="neural-assets-dataset", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Return the process id that the operating system gave."""
        return self._process.pid

    def is_running(self) -> bool:
        """Tell whether it is still at work, without waiting."""
        return self._process.poll() is None or self._reader.is_alive()

    def result(self) -> DatasetResult:
        """Wait for the end and return what was rendered.

        Raises:
            UserError: it failed; the text is the process's own where it said why.
        """
        code = self._process.wait()
        self._reader.join()
        if code == 0 and self._last.get("event") == "finished":
            rendered, skipped = int(self._last["rendered"]), int(self._last["skipped"])
            return DatasetResult(rendered, skipped, tuple(self._warnings))
        raise self._failure(code)

    def stop(self, patience: float = 2.0) -> None:
        """End it and its children: by closing its stdin, and after ``patience`` seconds by force."""
        with contextlib.suppress(OSError):  # it may be gone already
            if self._process.stdin:
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        if sys.platform == "win32":
            if self._process.poll() is None:
                subprocess.run(
                    ["taskkill", "/F", "/T", "/PID", str(self.pid)], capture_output=True, check=False
                )
        else:
            with contextlib.suppress(ProcessLookupError):  # the group outlives its first process
                os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                said = json.loads(line)
                event = said["event"]
                if event == "scene":
                    speed = float(said["scenes_per_hour"])
                    self.progress = DatasetProgress(int(said["done"]), int(said["total"]), speed)
                elif event == "warning":
                    self._warnings.append(str(said["message"]))
                elif event in ("finished", "error"):
                    self._last = said
            except (ValueError, KeyError, TypeError):
                continue  # something else that was printed

    def _failure(self, code: int) -> UserError:
        if self._last.get("event") == "error" and self._last.get("message"):
            return UserError(str(self._last["message"]))
        missing = missing_package(self._python, self.log)
        if missing is not None:
            return missing
        last = log_tail(self.log)
        if "unrecognized arguments" in last:
            return UserError(
                "The worker's Python has an older neural-assets, which renders no data sets for Blender.",
                f"Update it with: {install_command(self._python, 'worker,blender')}",
            )
        return UserError(
            f"Rendering the training data ended early (exit code {code}){f': {last}' if last else '.'}",
            f"Its log is {self.log}",
        )
