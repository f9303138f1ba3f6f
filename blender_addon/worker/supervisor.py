"""One worker for this Blender: started when first needed, kept between frames, replaced when it died.

Every function may be called from any thread: F12 in a window renders off the main thread.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import RenderCancelled, UserError
from .process import Address, WorkerProcess
from .settings import WorkerSettings

POLL_SECONDS = 0.05
START_SECONDS = 300.0
"""How long a checkpoint may take to load before the start counts as failed."""

_lock = threading.Lock()
_current: WorkerProcess | None = None


@dataclass(frozen=True)
class WorkerStatus:
    """What a panel shows of the worker: a state in words, and the address once it is ready."""

    state: str
    text: str
    address: Address | None = None
    log: Path | None = None


def start(settings: WorkerSettings, log_folder: Path) -> WorkerProcess:
    """Return the worker for these settings, starting it if none runs; does not wait until it is ready.

    Raises:
        UserError: the settings name nothing that can be started.
    """
    global _current
    with _lock:
        process = _current
        if process is not None and process.settings == settings and process.is_alive():
            return process
        _current = None
        if process is not None:
            process.stop()
        _current = WorkerProcess(settings, log_folder)
        return _current


def ready(
    settings: WorkerSettings,
    log_folder: Path,
    should_stop: Callable[[], bool] = lambda: False,
) -> tuple[WorkerProcess, Address]:
    """Return a worker that answers, waiting for it and polling ``should_stop`` at least every 50 ms.

    One that is killed before it is ready, as a system does that runs out of memory, is started once more.

    Raises:
        UserError: it cannot be started.
        RenderCancelled: ``should_stop`` returned true; the worker goes on starting.
    """
    process = _settled(settings, log_folder, should_stop)
    if process.address is None and (process.exit_code() or 0) < 0:
        forget(process)
        process = _settled(settings, log_folder, should_stop)
    if process.address is None:
        forget(process)
        raise process.failure or UserError("The worker did not start.", f"Its log is {process.log}")
    return process, process.address


def _settled(settings: WorkerSettings, log_folder: Path, should_stop: Callable[[], bool]) -> WorkerProcess:
    """Return a worker that answers or has failed to start; see :func:`ready`."""
    process = start(settings, log_folder)
    deadline = time.monotonic() + START_SECONDS
    while not process.settled.wait(POLL_SECONDS):
        if should_stop():
            raise RenderCancelled
        if time.monotonic() > deadline:
            forget(process)
            raise UserError(
                f"The worker was not ready after {START_SECONDS:.0f} seconds.", f"Its log is {process.log}"
            )
    return process


def forget(process: WorkerProcess) -> None:
    """Stop a worker that is of no more use; the next frame starts another."""
    global _current
    with _lock:
        if _current is process:
            _current = None
    process.stop()


def stop() -> None:
    """Stop the worker, if one runs. Called when the add-on is disabled and when Blender exits."""
    global _current
    with _lock:
        process, _current = _current, None
    if process is not None:
        process.stop()


def status() -> WorkerStatus:
    """Return the worker's state without waiting for anything."""
    process = _current
    if process is None:
        return WorkerStatus("STOPPED", "Not running; starts with the first render")
    if not process.settled.is_set():
        return WorkerStatus("STARTING", "Starting", log=process.log)
    if process.failure is not None:
        return WorkerStatus("FAILED", str(process.failure), log=process.log)
    if not process.is_alive():
        return WorkerStatus("STOPPED", f"Ended (exit code {process.exit_code()})", log=process.log)
    assert process.address is not None
    return WorkerStatus("READY", f"Ready on {process.address.device}", process.address, process.log)


def register() -> None:
    """Stop the worker when Blender exits."""
    atexit.register(stop)


def unregister() -> None:
    """Stop the worker now, and no more at exit."""
    stop()
    atexit.unregister(stop)
