"""What a viewport asks the worker for: the scene as it stands, seen from where the viewport is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import bpy

from na_core.scene import Frame, RenderJob, Sampling, SceneError

from ..errors import UserError
from ..scene.frame import frame_message, sampling_message
from .photos import KnownPhotos
from .views import View


@dataclass(frozen=True)
class ViewMessage:
    """A state of the scene and the view.

    Attributes:
        view: that looks at it.
        frame: what it shows.
        sampling: the scene's own, at the view's size.
        files: bytes of photos and meshes by SHA-256.
    """

    view: View
    frame: Frame
    sampling: Sampling
    files: Mapping[str, bytes]

    @cached_property
    def key(self) -> str:
        """What tells it from other states."""
        return self.finished_job().to_json()

    @property
    def is_proxy(self) -> bool:
        """Whether the scene's own sampling is the proxy, so that there is nothing to finish."""
        return self.sampling.steps == 0

    def proxy_job(self, size: tuple[int, int]) -> RenderJob:
        """Return the job of its proxy at some size.

        One of less than the full size is a sketch, for which the worker casts one ray a pixel; so is one of a
        free view, whose validity comes along.
        """
        width, height = size
        sketch = size != self.view.size or not self.view.through_camera
        passes = ("validity",) if sketch else ()
        return RenderJob(
            (self.frame,), Sampling(0, 1.0, 0, "custom", width=width, height=height), passes=passes
        )

    def finished_job(self) -> RenderJob:
        """Return the job of its picture with the scene's own sampling."""
        return RenderJob((self.frame,), self.sampling)


def view_message(depsgraph: bpy.types.Depsgraph, view: View, photos: KnownPhotos) -> ViewMessage:
    """Return what a view shows of the evaluated depsgraph. To be called on Blender's own thread.

    Raises:
        UserError: see :func:`blender_addon.scene.frame.frame_message`.
    """
    frame = frame_message(depsgraph, photos, None if view.is_scene_camera else view.camera)
    try:
        sampling = sampling_message(depsgraph, *view.size)
        # A frame's camera is the one that was asked for, to the last bit.
        return ViewMessage(view, replace(frame, camera=view.camera), sampling, photos.files_of(frame))
    except SceneError as error:
        raise UserError(f"The scene cannot be shown: {error}.") from error
