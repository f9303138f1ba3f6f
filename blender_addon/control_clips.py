"""Frames taken elsewhere: as a file for any worker, and as control clips for video models."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import bpy

from na_core.scene import Frame, RenderJob

from .errors import RenderCancelled
from .preferences import worker_settings
from .scene.camera import resolution
from .scene.frame import PhotoStore, frame_message, sampling_message
from .storage import user_folder
from .worker.export import ExportProcess

POLL_SECONDS = 0.05
FRAMES_FILE = "frames.json"


def save_frames(
    folder: str | os.PathLike[str],
    *,
    start: int | None = None,
    end: int | None = None,
    scene: bpy.types.Scene | None = None,
) -> Path:
    """Write a range of frames, with all that they use, and return their file.

    ``neural-assets render`` and ``neural-assets export`` read it, on any machine, without Blender.

    Args:
        folder: gets ``frames.json``, and the photos and meshes, named by their SHA-256.
        start, end: first and last frame; the scene's if None.
        scene: the current one if None.

    Raises:
        UserError: the scene cannot be rendered.
        OSError: a file cannot be written.
    """
    scene = scene or bpy.context.scene
    first = scene.frame_start if start is None else start
    last = scene.frame_end if end is None else end
    current, subframe, store = scene.frame_current, scene.frame_subframe, PhotoStore()
    frames: list[Frame] = []
    try:
        for number in range(first, last + 1, scene.frame_step):
            scene.frame_set(number)
            frames.append(frame_message(scene.view_layers[0].depsgraph, store))
        sampling = sampling_message(scene.view_layers[0].depsgraph, *resolution(scene), one_frame=False)
    finally:
        scene.frame_set(current, subframe=subframe)
    target = _absolute(folder)
    target.mkdir(parents=True, exist_ok=True)
    for sha256, data in store.bytes_by_sha256.items():
        (target / sha256).write_bytes(data)
    file = target / FRAMES_FILE
    file.write_text(RenderJob(tuple(frames), sampling).to_json(), encoding="utf-8")
    return file


class ClipsExport:
    """A running export and the frames that it reads; :meth:`close` ends it.

    Attributes:
        total: frames in all.
        out: folder of the clips.
    """

    def __init__(
        self, out: Path, *, start: int | None = None, end: int | None = None, scene: bpy.types.Scene
    ) -> None:
        """Write the frames down and start to export them.

        Raises:
            UserError: the scene cannot be rendered, or the worker's Python cannot be started.
        """
        settings = worker_settings()
        settings.check()
        self.out = out
        self._folder = Path(tempfile.mkdtemp(prefix="neural-assets-"))
        try:
            frames = save_frames(self._folder, start=start, end=end, scene=scene)
            self.total = len(RenderJob.from_json(frames.read_bytes()).frames)
            rate = scene.render.fps / scene.render.fps_base / scene.frame_step
            self._process = ExportProcess(settings, frames, out, rate, user_folder("logs"))
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        atexit.register(self.close)

    @property
    def done(self) -> int:
        """How many frames are exported."""
        return self._process.done

    def is_running(self) -> bool:
        """Tell whether it is still at work, without waiting."""
        return self._process.is_running()

    def result(self) -> list[Path]:
        """Wait for the end and return the files.

        Raises:
            UserError: it failed.
        """
        self._process.finish()
        return sorted(path for path in self.out.rglob("*") if path.is_file())

    def close(self) -> None:
        """End the process if it still runs, and remove the frames."""
        atexit.unregister(self.close)
        self._process.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def export_clips(
    folder: str | os.PathLike[str],
    *,
    start: int | None = None,
    end: int | None = None,
    scene: bpy.types.Scene | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[Path]:
    """Write a range of frames as control clips for video models, wait for it, and return the files.

    Args:
        folder: for the clips; docs/passes.md says what is in it.
        start, end: first and last frame; the scene's if None.
        scene: the current one if None.
        on_progress: called with how many frames are done, of how many.
        should_stop: polled every 50 ms.

    Raises:
        UserError: the scene cannot be rendered, or the export failed.
        RenderCancelled: ``should_stop`` returned true.
    """
    export = ClipsExport(_absolute(folder), start=start, end=end, scene=scene or bpy.context.scene)
    try:
        told = 0
        while export.is_running():
            if should_stop():
                raise RenderCancelled
            if export.done != told:
                told = export.done
                on_progress(told, export.total)
            time.sleep(POLL_SECONDS)
        files = export.result()
        on_progress(export.total, export.total)
        return files
    finally:
        export.close()


def _absolute(folder: str | os.PathLike[str]) -> Path:
    return Path(bpy.path.abspath(os.fspath(folder))).absolute()
