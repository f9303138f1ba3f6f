"""The job of rendering frames: one at a time, each kept by content, with progress and previews."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from na_core.scene import Frame, Picture, RenderJob, Sampling
from server.caches import ByteLimitedCache
from server.failures import Failure, is_out_of_memory, out_of_memory, render_failed
from server.jobs import Job, OnStep, Renderer
from server.passes import Pass, Shown, made_passes

if TYPE_CHECKING:
    from na_core.meshes.mesh_arrays import MeshArrays

PREVIEW_SECONDS = 0.2
"""Previews cost a decoding each; more per second than this would serve nobody."""


@dataclass(eq=False)
class FramesJob(Job):
    """A render request.

    Attributes:
        request: the frames.
        photos, meshes: that they use, by SHA-256.
        finished: frames by content: the same frame, checkpoint and sampling are not rendered twice.
        wants_previews: whether pictures of unfinished frames are posted.
    """

    request: RenderJob
    photos: Mapping[str, Picture]
    finished: ByteLimitedCache[bytes]
    wants_previews: bool = False
    meshes: Mapping[str, MeshArrays] = field(default_factory=dict)

    def work(self, renderer: Renderer) -> None:
        """Render and post the frames, each after the passes that were asked for."""
        sampling, frames = self.request.sampling, self.request.frames
        for index, frame in enumerate(frames):
            self.check()
            started = time.perf_counter()
            if self._is_sketch():
                self._post_sketch(renderer, index, started)
                continue
            key = frame_key(renderer.fingerprint, frame, sampling)
            pixels = self.finished.get(key)
            cached = pixels is not None
            if pixels is None:
                on_step = _step_reporter(self, index, len(frames))
                picture = renderer.render(frame, self.photos, sampling, on_step, self.meshes)
                if picture.shape != (sampling.height, sampling.width, 3) or picture.dtype != np.uint8:
                    raise RuntimeError(f"the pipeline returned {picture.dtype} {picture.shape}")
                pixels = picture.tobytes()
                self.finished.put(key, pixels)
            if self.request.passes:
                self._post_passes(renderer, index)
            self._post_frame(index, pixels, started, cached)

    def _is_sketch(self) -> bool:
        """Tell whether what is wanted is a proxy and its validity alone, which a viewport wants quickly."""
        sampling = self.request.sampling
        return self.request.passes == ("validity",) and (sampling.preset, sampling.steps) == ("custom", 0)

    def _post_sketch(self, renderer: Renderer, index: int, started: float) -> None:
        sampling, frame = self.request.sampling, self.request.frames[index]
        size = sampling.width, sampling.height
        picture, validity = renderer.sketch(frame, self.photos, *size, self.meshes)
        self._post_pass(index, Pass("Validity", "V", validity[..., None]))
        self._post_frame(index, picture.tobytes(), started)

    def _post_frame(self, index: int, pixels: bytes, started: float, cached: bool = False) -> None:
        sampling = self.request.sampling
        record = {
            "event": "frame",
            "frame": index,
            "width": sampling.width,
            "height": sampling.height,
            "channels": 3,
            "seconds": round(time.perf_counter() - started, 6),
            "cached": cached,
        }
        self.mailbox.post(record, pixels)

    def _post_passes(self, renderer: Renderer, index: int) -> None:
        sampling, frame = self.request.sampling, self.request.frames[index]
        found = renderer.passes(frame, self.photos, sampling.width, sampling.height, self.meshes)
        for each in made_passes(
            Shown(frame, found, *self.request.beside(index), self.meshes), self.request.passes
        ):
            self._post_pass(index, each)

    def _post_pass(self, index: int, each: Pass) -> None:
        self.check()
        record = {
            "event": "pass",
            "frame": index,
            "name": each.name,
            "letters": each.letters,
            "width": self.request.sampling.width,
            "height": self.request.sampling.height,
        }
        self.mailbox.post(record, np.ascontiguousarray(each.values, np.float32).tobytes())

    def explain(self, error: BaseException) -> Failure:
        """Return what to say of an error that nobody foresaw."""
        if is_out_of_memory(error):
            return out_of_memory(self.request.sampling.width, self.request.sampling.height)
        return render_failed(error)


def frame_key(fingerprint: str, frame: Frame, sampling: Sampling) -> str:
    """Return the SHA-256 that names a picture by everything that it depends on."""
    parts = "\n".join((fingerprint, frame.to_json(), sampling.to_json()))
    return hashlib.sha256(parts.encode()).hexdigest()


def _step_reporter(job: FramesJob, index: int, frames: int) -> OnStep:
    last_preview = -PREVIEW_SECONDS

    def on_step(step: int, steps: int, preview: Callable[[], Picture]) -> None:
        nonlocal last_preview
        job.check()
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
