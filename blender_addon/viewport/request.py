"""One picture for a viewport, asked for in a thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from na_core.scene import RenderJob

from ..render.picture import Observer, render_picture
from ..worker.client import Progress
from ..worker.process import Address
from ..worker.settings import WorkerSettings
from ..worker.task import Background
from .message import ViewMessage
from .picture import ViewPicture, view_picture


class PictureRequest(Background[ViewPicture]):
    """A picture that is under way. Made on Blender's own thread; its thread touches no bpy.

    Args:
        message: what to show.
        size: of a proxy; None asks for the picture with the scene's own sampling.
        settings: the worker to use.
        log_folder: for the worker's log.
        matrix: :func:`blender_addon.render.colour.working_from_rec709`.
        validity: of the same view, for a picture that brings none.

    Attributes:
        is_proxy: whether it asks for a proxy.
        size: of the picture.
        has_begun: whether a worker has it.
        status: what it does, in words.
    """

    def __init__(
        self,
        message: ViewMessage,
        size: tuple[int, int] | None,
        settings: WorkerSettings,
        log_folder: Path,
        matrix: NDArray[np.float32],
        validity: NDArray[np.float32] | None = None,
    ) -> None:
        self.is_proxy, self.size = size is not None, size or message.view.size
        self.has_begun, self.status = False, "Starting the worker"
        self._message, self._settings, self._log_folder = message, settings, log_folder
        self._matrix, self._validity = matrix, validity
        super().__init__(self._picture, "neural-assets-viewport")

    def _picture(self, should_stop: Callable[[], bool]) -> ViewPicture:
        message = self._message
        job: RenderJob = message.proxy_job(self.size) if self.is_proxy else message.finished_job()
        observer = Observer(
            should_stop=should_stop,
            on_status=self._hear,
            on_worker=self._begin,
            on_progress=self._progress,
        )
        received, _ = render_picture(
            job, message.files, self._settings, observer, what="the viewport", log_folder=self._log_folder
        )
        done = self.is_proxy or message.is_proxy
        return view_picture(received, message.key, message.view, done, self._matrix, self._validity)

    def _begin(self, _: Address) -> None:
        self.has_begun = True

    def _hear(self, status: str) -> None:
        self.has_begun, self.status = False, status

    def _progress(self, now: Progress) -> None:
        if not self.is_proxy:
            self.status = f"Rendering step {now.step}/{now.steps}"
