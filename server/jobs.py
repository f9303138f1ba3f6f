"""Jobs: one thread does them one after the other and posts records that the connection sends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from na_core.cancellation import cancelled_by
from na_core.scene import Frame, Picture, Sampling
from server.failures import Failure

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from na_core.compose.frame_passes import FramePasses
    from na_core.layers.layers import Layers
    from na_core.meshes.mesh_arrays import MeshArrays
    from na_core.tensors.views import SourceView

logger = logging.getLogger(__name__)

OnStep = Callable[[int, int, Callable[[], Picture]], None]
"""Called after each denoising step with step (from 1), steps and a function that decodes a preview."""

PENDING_BYTES = 32 * 2**20
"""Rendering waits while more is unsent: a slow reader of a thousand frames must not fill the memory."""
STALLED_SECONDS = 60.0
"""A reader that takes nothing for so long is given up, so that the next job gets its turn."""

MOST_WAITING = 64
"""Jobs that wait, each with its photos; whoever comes then is told to come back."""
RETRY_SECONDS = 10
"""After which one who was turned away may ask again."""


class Cancelled(Exception):
    """The one who asked no longer wants it."""


class Renderer(Protocol):
    """What renders frames and takes photos apart: the pipeline, or a stand-in in tests."""

    @property
    def fingerprint(self) -> str:
        """Text that changes with anything that changes the pictures: weights, device, precision."""
        ...

    def render(
        self,
        frame: Frame,
        photos: Mapping[str, Picture],
        sampling: Sampling,
        on_step: OnStep,
        meshes: Mapping[str, MeshArrays],
    ) -> Picture:
        """Return (height, width, 3) uint8; an exception of ``on_step`` passes through within one step."""
        ...

    def passes(
        self,
        frame: Frame,
        photos: Mapping[str, Picture],
        width: int,
        height: int,
        meshes: Mapping[str, MeshArrays],
    ) -> FramePasses:
        """Return the passes of a frame."""
        ...

    def sketch(
        self,
        frame: Frame,
        photos: Mapping[str, Picture],
        width: int,
        height: int,
        meshes: Mapping[str, MeshArrays],
    ) -> tuple[Picture, NDArray[np.float32]]:
        """Return a frame's proxy and its validity (height, width), as quickly as it goes."""
        ...

    def layers(self, view: SourceView, photos: Mapping[str, Picture]) -> Layers:
        """Return what a view's photo is taken apart into, at its own size."""
        ...

    def release_memory(self) -> None:
        """Give back memory that is held but not used."""
        ...


class Mailbox:
    """Records on their way from the render thread to the event loop, with a limit on unsent bytes."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._room = threading.Condition()
        self._records: deque[tuple[dict[str, Any], bytes | None]] = deque()
        self._unsent = 0
        self._closed = False

    def post(self, record: dict[str, Any], payload: bytes | None = None) -> None:
        """Hand a record over, from any thread but the loop's; waits while too much is unsent.

        Raises:
            Cancelled: the mailbox was closed, or its reader takes nothing.
        """
        with self._room:
            if payload is not None:
                fits = self._room.wait_for(
                    lambda: self._closed or self._unsent == 0 or self._unsent + len(payload) <= PENDING_BYTES,
                    timeout=STALLED_SECONDS,
                )
                if not fits:
                    raise Cancelled("the reader has stalled")
                self._unsent += len(payload)
            if self._closed:
                raise Cancelled("the reader has gone")
            self._records.append((record, payload))
        self._loop.call_soon_threadsafe(self._arrived.set)

    async def take(self, timeout: float) -> tuple[dict[str, Any], bytes | None] | None:
        """Return the next record, or None if none comes within ``timeout`` seconds."""
        if not self._records:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), timeout)
            except TimeoutError:
                return None
        with self._room:
            if not self._records:
                return None
            record, payload = self._records.popleft()
            if payload is not None:
                self._unsent -= len(payload)
                self._room.notify_all()
            return record, payload

    def close(self) -> None:
        """Let go of everything; a waiting :meth:`post` raises Cancelled."""
        with self._room:
            self._closed = True
            self._records.clear()
            self._room.notify_all()


@dataclass(eq=False, kw_only=True)
class Job:
    """A request on its way through the queue. Made on the event loop."""

    mailbox: Mailbox = field(default_factory=Mailbox)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def work(self, renderer: Renderer) -> None:
        """Do what was asked, on the queue's thread, and post it.

        Raises:
            Cancelled: nobody wants it any more.
            Failure: what the user can be told.
        """
        raise NotImplementedError

    def explain(self, error: BaseException) -> Failure:
        """Return what to say of an error that nobody foresaw."""
        raise NotImplementedError

    def check(self) -> None:
        """Raise :class:`Cancelled` once nobody wants it any more."""
        if self.cancelled.is_set():
            raise Cancelled

    def cancel(self) -> None:
        """Stop within half a second or one denoising step; harmless when the job has ended."""
        self.cancelled.set()
        self.mailbox.close()


class RenderQueue:
    """Jobs in order of arrival, one at a time."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._waiting: deque[Job] = deque()
        self._current: Job | None = None
        self._changed = threading.Condition()
        threading.Thread(target=self._work, name="render", daemon=True).start()

    @property
    def busy(self) -> bool:
        """Whether a job is being rendered or waits."""
        return self._current is not None or bool(self._waiting)

    def check_room(self) -> None:
        """Check that one more job may wait.

        Raises:
            Failure: ``busy``, with ``retry_seconds`` after which to ask again.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise Failure(
                "busy",
                f"The worker has {MOST_WAITING} jobs waiting: ask again in {RETRY_SECONDS} seconds.",
                status=503,
                retry_seconds=RETRY_SECONDS,
            )

    def submit(self, job: Job) -> None:
        """Append a job; its records arrive in its mailbox, the last being ``done`` or ``error``."""
        with self._changed:
            self._waiting.append(job)
            self._changed.notify_all()
            self._announce_positions()

    def withdraw(self, job: Job) -> None:
        """Cancel a job, whether it waits, runs or has ended."""
        job.cancel()
        with self._changed:
            if job in self._waiting:
                self._waiting.remove(job)
                self._announce_positions()

    def _announce_positions(self) -> None:
        ahead = 0 if self._current is None else 1
        for position, job in enumerate(self._waiting, start=ahead):
            if position:
                _post_quietly(job, {"event": "queued", "position": position})

    def _work(self) -> None:
        try:
            while True:
                self._next()
        except BaseException:
            # Without this thread every later job would wait for ever; a new worker is better than that.
            logger.critical("The render thread has ended, and the worker with it.", exc_info=True)
            logging.shutdown()
            os._exit(1)

    def _next(self) -> None:
        """Wait for a job and do it."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._waiting))
            job = self._current = self._waiting.popleft()
            self._announce_positions()
        last_record = self._run(job)
        # Free first: whoever reads the last record and asks again at once must not be told to queue.
        self._current = None
        _post_quietly(job, last_record)

    def _run(self, job: Job) -> dict[str, Any]:
        """Do a job whatever happens, and return its last record."""
        try:
            with cancelled_by(job.check):
                job.work(self._renderer)
            return {"event": "done"}
        except Cancelled:
            logger.info("a job was cancelled")
            return {"event": "error", "code": "cancelled", "message": "The render was cancelled."}
        except Failure as error:
            failure = error
        except BaseException as error:
            logger.exception("a job failed")
            failure = _explained(job, error)
        # Here the exception is gone, and with it the tensors that its traceback held.
        try:
            self._renderer.release_memory()
        except Exception:
            logger.exception("unused memory could not be given back")
        return {"event": "error", **failure.to_dict()}


def _explained(job: Job, error: BaseException) -> Failure:
    """Return what to say of an error, even of one that cannot be put into words."""
    try:
        return job.explain(error)
    except Exception:
        logger.exception("an error could not be explained")
        return Failure("render_failed", f"The job failed ({type(error).__name__}); the log has the details.")


def _post_quietly(job: Job, record: dict[str, Any]) -> None:
    with contextlib.suppress(Cancelled):
        job.mailbox.post(record)
