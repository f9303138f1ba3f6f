"""Render jobs: one thread renders them one after the other and posts records that the connection sends."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from na_core.scene import Frame, Picture, RenderJob, Sampling
from server.caches import ByteLimitedCache
from server.failures import Failure, is_out_of_memory, out_of_memory, render_failed

logger = logging.getLogger(__name__)

OnStep = Callable[[int, int, Callable[[], Picture]], None]
"""Called after each denoising step with step (from 1), steps and a function that decodes a preview."""

PENDING_BYTES = 32 * 2**20
"""Rendering waits while more is unsent: a slow reader of a thousand frames must not fill the memory."""
STALLED_SECONDS = 60.0
"""A reader that takes nothing for so long is given up, so that the next job gets its turn."""
PREVIEW_SECONDS = 0.2
"""Previews cost a decoding each; more per second than this would serve nobody."""


class Cancelled(Exception):
    """The one who asked for the picture no longer wants it."""


class Renderer(Protocol):
    """What renders one frame: the pipeline, or a stand-in in tests."""

    @property
    def fingerprint(self) -> str:
        """Text that changes with anything that changes the pictures: weights, device, precision."""
        ...

    def render(
        self, frame: Frame, photos: Mapping[str, Picture], sampling: Sampling, on_step: OnStep
    ) -> Picture:
        """Return (height, width, 3) uint8; an exception of ``on_step`` passes through within one step."""
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


@dataclass(eq=False)
class Job:
    """A render request on its way through the queue. Made on the event loop."""

    request: RenderJob
    photos: Mapping[str, Picture]
    wants_previews: bool = False
    mailbox: Mailbox = field(default_factory=Mailbox)
    cancelled: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Stop within one denoising step; harmless when the job has ended."""
        self.cancelled.set()
        self.mailbox.close()


class RenderQueue:
    """Jobs in order of arrival, one at a time, one frame at a time so that cancelling is prompt.

    Finished frames are kept by content: the same frame, checkpoint and sampling are not rendered twice.
    """

    def __init__(self, renderer: Renderer, frame_cache_bytes: int) -> None:
        self._renderer = renderer
        self.frames: ByteLimitedCache[bytes] = ByteLimitedCache(frame_cache_bytes, len)
        self._waiting: deque[Job] = deque()
        self._current: Job | None = None
        self._changed = threading.Condition()
        threading.Thread(target=self._work, name="render", daemon=True).start()

    @property
    def busy(self) -> bool:
        """Whether a job is being rendered or waits."""
        return self._current is not None or bool(self._waiting)

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
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._waiting))
                job = self._current = self._waiting.popleft()
                self._announce_positions()
            last_record = self._run(job)
            # Free first: whoever reads the last record and asks again at once must not be told to queue.
            self._current = None
            _post_quietly(job, last_record)
            del job  # while this thread waits for the next job, its photos need not live on

    def _run(self, job: Job) -> dict[str, Any]:
        """Render a job whatever happens, and return its last record."""
        try:
            self._render(job)
            return {"event": "done"}
        except Cancelled:
            logger.info("a job was cancelled")
            return {"event": "error", "code": "cancelled", "message": "The render was cancelled."}
        except Failure as error:
            failure = error
        except BaseException as error:
            logger.exception("a job failed")
            failure = _explain(error, job.request.sampling)
        # Here the exception is gone, and with it the tensors that its traceback held.
        self._renderer.release_memory()
        return {"event": "error", **failure.to_dict()}

    def _render(self, job: Job) -> None:
        sampling = job.request.sampling
        frames = job.request.frames
        for index, frame in enumerate(frames):
            if job.cancelled.is_set():
                raise Cancelled
            started = time.perf_counter()
            key = frame_key(self._renderer.fingerprint, frame, sampling)
            pixels = self.frames.get(key)
            cached = pixels is not None
            if pixels is None:
                on_step = _step_reporter(job, index, len(frames))
                picture = self._renderer.render(frame, job.photos, sampling, on_step)
                if picture.shape != (sampling.height, sampling.width, 3) or picture.dtype != np.uint8:
                    raise RuntimeError(f"the pipeline returned {picture.dtype} {picture.shape}")
                pixels = picture.tobytes()
                self.frames.put(key, pixels)
            record = {
                "event": "frame",
                "frame": index,
                "width": sampling.width,
                "height": sampling.height,
                "channels": 3,
                "seconds": round(time.perf_counter() - started, 6),
                "cached": cached,
            }
            job.mailbox.post(record, pixels)


def frame_key(fingerprint: str, frame: Frame, sampling: Sampling) -> str:
    """Return the SHA-256 that names a picture by everything that it depends on."""
    parts = "\n".join((fingerprint, frame.to_json(), sampling.to_json()))
    return hashlib.sha256(parts.encode()).hexdigest()


def _step_reporter(job: Job, index: int, frames: int) -> OnStep:
    last_preview = -PREVIEW_SECONDS

    def on_step(step: int, steps: int, preview: Callable[[], Picture]) -> None:
        nonlocal last_preview
        if job.cancelled.is_set():
            raise Cancelled
        done = step / max(steps, 1)
        job.mailbox.post(
            {
                "event": "progress",
                "frame": index,
                "frames": frames,
                "step": step,
                "steps": steps,
                "fraction": round((index + done) / frames, 6),
            }
        )
        now = time.monotonic()
        if job.wants_previews and done < 1 and now - last_preview >= PREVIEW_SECONDS:
            last_preview = now
            picture = np.ascontiguousarray(preview(), dtype=np.uint8)
            height, width, channels = picture.shape
            record = {
                "event": "preview",
                "frame": index,
                "step": step,
                "width": width,
                "height": height,
                "channels": channels,
            }
            job.mailbox.post(record, picture.tobytes())

    return on_step


def _explain(error: BaseException, sampling: Sampling) -> Failure:
    if is_out_of_memory(error):
        return out_of_memory(sampling.width, sampling.height)
    return render_failed(error)


def _post_quietly(job: Job, record: dict[str, Any]) -> None:
    with contextlib.suppress(Cancelled):
        job.mailbox.post(record)
