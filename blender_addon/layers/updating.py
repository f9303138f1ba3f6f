"""Images of layers follow the boxes: once these hold still, the photo is taken apart anew."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import bpy

from ..errors import RenderCancelled, UserError
from ..worker.task import WorkerTask
from .images import show_layers
from .photo_layers import are_out_of_date, made_of, start_layers
from .result import PhotoLayers

SECONDS = 0.5
"""Between two looks: boxes that are the same in both hold still."""


@dataclass
class _Update:
    """What is known from one look to the next.

    Attributes:
        seen: what told the boxes apart last time.
        tried: what was asked for last, whatever came of it: a worker that fails is not asked again and again.
        task: the question that is under way. photo: of it.
    """

    seen: str = ""
    tried: str = ""
    task: WorkerTask[PhotoLayers] | None = None
    photo: bpy.types.Image | None = None


_update = _Update()


def follow_boxes() -> float:
    """Look at the current scene once, and return in how many seconds to look again.

    Images that were made with other boxes are made anew when the boxes hold still. What goes wrong is not
    reported: the panel goes on to say that the images are out of date, and *Show Layers* says why.
    """
    scene = bpy.context.scene
    if _update.task is not None:
        if not _update.task.is_running():
            task, _update.task = _update.task, None
            with contextlib.suppress(UserError, RenderCancelled, ReferenceError):  # the photo may be gone
                show_layers(_update.photo, task.result(), _update.tried)
        return SECONDS
    if scene is None or not are_out_of_date(scene):
        _update.seen = ""
        return SECONDS
    key = made_of(scene)
    if key == _update.seen and key != _update.tried:
        _update.tried, _update.photo = key, scene.neural_assets.photo
        with contextlib.suppress(UserError):
            _update.task = start_layers(scene)
    _update.seen = key
    return SECONDS


def stop() -> None:
    """Give up what is under way, and forget what was seen."""
    if _update.task is not None:
        _update.task.stop()
    _update.seen = _update.tried = ""
    _update.task = _update.photo = None


def register() -> None:
    """Follow the boxes where there is a window; without one nobody looks at the images."""
    if not bpy.app.background:
        bpy.app.timers.register(follow_boxes, first_interval=SECONDS, persistent=True)


def unregister() -> None:
    """Follow them no more."""
    if bpy.app.timers.is_registered(follow_boxes):
        bpy.app.timers.unregister(follow_boxes)
    stop()
