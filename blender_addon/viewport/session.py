"""The pictures of one viewport: which to ask for next, and which to give up.

Everything happens on Blender's own thread, and nothing waits. At most one request is under way. A change
gives up a request that no worker has begun, and one with the scene's own sampling, which ends within a
denoising step. A proxy that the worker composes right now is let finish: it could not be interrupted, and
while things move without a pause there would never be a picture. The newest state is asked for next;
the ones between are never asked for.
"""

from __future__ import annotations

import contextlib
import time
import weakref
from collections.abc import Callable

import bpy

from ..errors import RenderCancelled, UserError
from ..preferences import worker_settings
from ..render.colour import working_from_rec709
from ..storage import user_folder
from .message import ViewMessage, view_message
from .pace import Pace
from .photos import KnownPhotos
from .picture import ViewPicture
from .request import PictureRequest
from .views import View

SHARPEN_SECONDS = 0.12
"""After the last change a proxy that was reduced is made at its full size."""

SETTLE_SECONDS = 0.3
"""After the last change the picture with the scene's own sampling is asked for."""

POLL_SECONDS = 0.015
"""Between two looks at a request."""

RENDERING_SECONDS = 0.5
"""Between two looks whether F12, which goes first, has ended."""


class Session:
    """What a viewport shows, and what is under way for it.

    Args:
        redraw: asks Blender to draw the viewport soon.

    Attributes:
        picture: the newest that has come; None: there is none.
    """

    def __init__(self, redraw: Callable[[], None]) -> None:
        self.picture: ViewPicture | None = None
        self._redraw = redraw
        self._photos, self._pace = KnownPhotos(), Pace()
        self._request: PictureRequest | None = None
        self._message: ViewMessage | None = None
        self._view: View | None = None
        self._outdated = True
        self._changed = 0.0
        self._problem = self._told = ""
        self._timer = self._look  # one object: Blender knows a timer by it
        _sessions.add(self)

    @property
    def status(self) -> str:
        """What is shown, or under way, or wrong, in words."""
        if self._problem:
            return self._problem
        request = self._request
        if request is not None and not request.is_stopped():
            if not (request.has_begun and request.is_proxy):
                return request.status
            if self.picture is None:
                return "Composing the first picture"
        if self.picture is None:
            return ""
        return "Proxy" if self.picture.is_proxy else "Rendered"

    def mark_changed(self, *, images: bool = False) -> None:
        """Take note that the scene may have changed; its images, too."""
        self._outdated = True
        if images:
            self._photos.forget()

    def step(self, depsgraph: bpy.types.Depsgraph, view: View) -> None:
        """Take what has come, and ask for what is needed now.

        Args:
            depsgraph: evaluated.
            view: what the viewport looks at.
        """
        self._collect()
        if self._outdated or not view.shows_the_same_as(self._view):
            request = self._request
            if request is None or request.is_stopped() or not (request.is_proxy and request.has_begun):
                self._take_up(depsgraph, view)
        if self._message is not None and self._request is None and not self._problem:
            self._ask()
        self._told = self.status
        self._look_again()

    def refuse(self, problem: str) -> None:
        """Show no picture, and say why in place of one."""
        self._give_up()
        self._message = self._view = self.picture = None
        self._outdated, self._problem = True, problem

    def close(self) -> None:
        """Give up everything, without waiting; harmless when repeated."""
        self.refuse("")
        self._photos.forget()
        if bpy.app.timers.is_registered(self._timer):
            bpy.app.timers.unregister(self._timer)

    def _take_up(self, depsgraph: bpy.types.Depsgraph, view: View) -> None:
        """Find out whether there is a new state to show; give up what is under way for another."""
        try:
            message = view_message(depsgraph, view, self._photos)
        except UserError as error:
            self.refuse(_told(error))
            self._view, self._outdated = view, False
            return
        self._view, self._outdated = view, False
        if self._message is None or self._problem or message.key != self._message.key:
            self._give_up()
            self._message, self._changed, self._problem = message, time.monotonic(), ""

    def _give_up(self) -> None:
        if self._request is not None:
            self._request.give_up()
            self._request = None

    def _collect(self) -> None:
        request = self._request
        if request is None or request.is_running():
            return
        self._request = None
        with contextlib.suppress(RenderCancelled):
            try:
                self.picture = request.result()
                if request.is_proxy:
                    self._pace.learn(request.size, self.picture.seconds)
            except UserError as error:
                self._problem = _told(error)

    def _ask(self) -> None:
        """Ask for the next picture of the newest state, if it is time for it."""
        wanted = self._next_stage()
        if wanted is None or self._seconds_until(wanted) > 0:
            return
        message = self._message
        assert message is not None
        full = message.view.size
        size = {"proxy": self._pace.size_for(full), "sharp": full, "finished": None}[wanted]
        validity = self.picture.validity if size is None and self.picture is not None else None
        try:
            self._request = PictureRequest(
                message, size, worker_settings(), user_folder("logs"), working_from_rec709(), validity
            )
        except UserError as error:
            self._problem = _told(error)

    def _next_stage(self) -> str | None:
        """Return what is still missing: "proxy", then "sharp", then "finished"."""
        message, picture = self._message, self.picture
        if message is None:
            return None
        if picture is None or picture.key != message.key:
            return "proxy"
        if not picture.is_proxy:
            return None
        rows, columns = picture.pixels.shape[:2]
        if (columns, rows) != message.view.size:
            return "sharp"
        return None if message.is_proxy else "finished"

    def _seconds_until(self, stage: str) -> float:
        if stage == "finished" and bpy.app.is_job_running("RENDER"):
            return RENDERING_SECONDS
        pause = {"proxy": 0.0, "sharp": SHARPEN_SECONDS, "finished": SETTLE_SECONDS}[stage]
        return self._changed + pause - time.monotonic()

    def _look_again(self) -> None:
        """Let a timer look after what is under way; without a window none ever would."""
        if bpy.app.background or bpy.app.timers.is_registered(self._timer):
            return
        pause = self._pause()
        if pause is not None:
            bpy.app.timers.register(self._timer, first_interval=max(pause, 0.0))

    def _pause(self) -> float | None:
        """Return in how many seconds to look again; None: nothing is under way."""
        if self._request is not None:
            return POLL_SECONDS
        stage = None if self._problem else self._next_stage()
        return None if stage is None else self._seconds_until(stage)

    def _look(self) -> float | None:
        """Ask for a redraw when there is something to draw or to ask for; return when to look again."""
        request = self._request
        if request is not None and request.is_running():
            if self.status != self._told:
                self._told = self.status
                self._redraw()
            return POLL_SECONDS
        pause = self._pause()
        if request is None and pause is not None and pause > 0:
            return pause
        if pause is not None:
            self._redraw()  # drawing takes what has come, and sees to the rest
        return None


_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


def sessions() -> list[Session]:
    """Return the sessions of all viewports."""
    return list(_sessions)


def _told(error: UserError) -> str:
    """Return what went wrong and what to do about it, a line each."""
    return f"{error.message}\n{error.fix}".strip()
