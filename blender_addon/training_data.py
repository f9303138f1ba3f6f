"""Training data from the current file: a copy of it, rendered by the worker's Python beside this Blender."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import bpy

from .errors import RenderCancelled, UserError
from .preferences import worker_settings
from .storage import user_folder
from .worker.dataset import DatasetOrder, DatasetProcess, DatasetProgress, DatasetResult

POLL_SECONDS = 0.05


class TrainingDataRender:
    """A running render of training data and the copy of the file that it reads; :meth:`close` ends it."""

    def __init__(self, order: DatasetOrder) -> None:
        """Save a copy of the current file, unsaved changes included, and start to render with its objects.

        Raises:
            UserError: no folder, no worker Python, or the copy cannot be written.
        """
        settings = worker_settings()
        settings.check_python()
        unsaved = sorted(image.name for image in bpy.data.images if image.is_dirty and image.users)
        if unsaved:
            raise UserError(
                f"Images have unsaved changes, which the copy of the file would lack: {', '.join(unsaved)}.",
                "Save or pack them (Image Editor > Image).",
            )
        self._folder = Path(tempfile.mkdtemp(prefix="neural-assets-"))
        try:
            copy = _save_copy(self._folder)
            self._process = DatasetProcess(settings, order, copy, user_folder("logs"))
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        atexit.register(self.close)

    @property
    def progress(self) -> DatasetProgress:
        """Return how far it is."""
        return self._process.progress

    def is_running(self) -> bool:
        """Tell whether it is still at work, without waiting."""
        return self._process.is_running()

    def result(self) -> DatasetResult:
        """Wait for the end and return what was rendered.

        Raises:
            UserError: it failed.
        """
        return self._process.result()

    def close(self) -> None:
        """End the process if it still runs, and remove the copy. Finished scenes stay."""
        atexit.unregister(self.close)
        self._process.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def render_training_data(
    order: DatasetOrder,
    *,
    on_progress: Callable[[DatasetProgress], None] = lambda progress: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> DatasetResult:
    """Render training data with the current file's objects, and wait for it.

    Args:
        order: what to render. Scenes that are there already are skipped.
        on_progress: called with every change of the progress.
        should_stop: polled every 50 ms.

    Raises:
        UserError: it cannot be started, or it failed.
        RenderCancelled: ``should_stop`` returned true; finished scenes stay, the same order goes on there.
    """
    render = TrainingDataRender(order)
    try:
        told = render.progress
        while render.is_running():
            if should_stop():
                raise RenderCancelled
            if render.progress != told:
                told = render.progress
                on_progress(told)
            time.sleep(POLL_SECONDS)
        result = render.result()
        if render.progress != told:
            on_progress(render.progress)
        return result
    finally:
        render.close()


def _save_copy(folder: Path) -> Path:
    """Save a copy of the current file, whose own path and state stay as they are."""
    path = folder / "objects.blend"
    try:
        bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True, relative_remap=True, check_existing=False)
    except RuntimeError as error:
        raise UserError(f"The file could not be copied to {folder}: {str(error).strip()}") from error
    return path
