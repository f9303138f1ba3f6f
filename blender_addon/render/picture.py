"""A job to a picture: through the worker, started when needed and given one more chance when lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from na_core.scene import RenderJob

from ..errors import UserError
from ..storage import user_folder
from ..worker import client, supervisor
from ..worker.client import Progress, ReceivedPicture, WorkerLost, WorkerStalled
from ..worker.process import Address, WorkerProcess
from ..worker.settings import WorkerSettings

ATTEMPTS = 2
"""A worker that is lost in the middle of a frame is replaced once: a second loss is no accident."""


@dataclass(frozen=True)
class Observer:
    """What the caller wants to hear while a picture is made; each is called on the caller's thread."""

    should_stop: Callable[[], bool] = lambda: False
    on_status: Callable[[str], None] = lambda _: None
    on_worker: Callable[[Address], None] = lambda _: None
    on_progress: Callable[[Progress], None] = lambda _: None
    on_preview: Callable[[ReceivedPicture], None] | None = None


def render_picture(
    job: RenderJob,
    photos: Mapping[str, bytes],
    settings: WorkerSettings,
    observer: Observer = Observer(),
    *,
    what: str = "this frame",
    log_folder: Path | None = None,
    silence_seconds: float = client.SILENCE_SECONDS,
) -> tuple[ReceivedPicture, Address]:
    """Return the picture of a job that holds one frame, and the worker that made it.

    Args:
        job: the frame.
        photos: file bytes by SHA-256.
        settings: the worker to use.
        observer: hears of progress; ``should_stop`` is polled at least every 50 ms.
        what: names the frame in errors ("frame 12").
        log_folder: for the worker's log; the extension's own, which a thread beside Blender's must be told.
        silence_seconds: see :data:`blender_addon.worker.client.SILENCE_SECONDS`.

    Raises:
        UserError: the worker cannot be started, refuses, is lost twice, or stops answering.
        RenderCancelled: ``should_stop`` returned true.
    """
    log_folder = log_folder or user_folder("logs")
    for attempt in range(1, ATTEMPTS + 1):
        observer.on_status("Starting the worker" if attempt == 1 else "Restarting the worker")
        process, address = supervisor.ready(settings, log_folder, observer.should_stop)
        observer.on_status(f"Rendering on {address.device}")
        observer.on_worker(address)
        try:
            picture = client.render(
                address,
                job,
                photos,
                should_stop=observer.should_stop,
                on_progress=observer.on_progress,
                on_preview=observer.on_preview,
                silence_seconds=silence_seconds,
            )
        except WorkerLost as error:
            if attempt == ATTEMPTS:
                raise _lost(process, what, error) from error
            supervisor.forget(process)
        except WorkerStalled as error:
            supervisor.forget(process)
            raise UserError(
                f"The worker stopped answering in {what}: nothing came for {silence_seconds:.0f} seconds.",
                f"It was stopped; render again to start a new one. Its log is {process.log}",
            ) from error
        else:
            _check_size(picture, job)
            return picture, address
    raise AssertionError("unreachable")


def _lost(process: WorkerProcess, what: str, error: Exception) -> UserError:
    code = process.exit_code(patience=1.0)  # the connection breaks a moment before the process is gone
    supervisor.forget(process)
    ended = f"exit code {code}" if code is not None else f"connection lost, {error}"
    memory = " The system may have run out of memory." if code == -9 else ""
    return UserError(
        f"The worker ended in the middle of {what}, twice ({ended}).{memory}",
        f"Lower the resolution or close other programs, and render again. Its log is {process.log}",
    )


def _check_size(picture: ReceivedPicture, job: RenderJob) -> None:
    height, width = picture.pixels.shape[:2]
    if (width, height) != (job.sampling.width, job.sampling.height):
        raise UserError(
            f"The worker sent {width} x {height} pixels instead of "
            f"{job.sampling.width} x {job.sampling.height}.",
            "Install the same version of neural-assets in Blender and in the worker's Python.",
        )
