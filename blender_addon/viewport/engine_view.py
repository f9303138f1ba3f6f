"""The viewport of one render engine: Blender's calls in, a picture and a line of text out."""

from __future__ import annotations

import contextlib
import sys
import textwrap
import traceback
import weakref
from typing import Any

import bpy
from bpy.app.handlers import persistent

from ..errors import UserError
from .screen import Screen
from .session import Session, sessions
from .views import Place, View, view_of

CHARACTER_PIXELS = 7
"""Width of a character of the viewport's text, at a resolution scale of 1."""

LONGEST_TEXT = 500
"""Bytes of text that a render engine keeps."""


class EngineView:
    """What a viewport's render engine holds beside itself; freed with it.

    Args:
        engine: whose viewport it is; Blender may free it at any time.
    """

    def __init__(self, engine: bpy.types.RenderEngine) -> None:
        self._engine = weakref.ref(engine)
        self._session, self._screen = Session(self._redraw), Screen()

    def update(self, depsgraph: bpy.types.Depsgraph) -> None:
        """Take note that the scene may have changed."""
        self._session.mark_changed(images=depsgraph.id_type_updated("IMAGE"))

    def draw(self, context: bpy.types.Context, depsgraph: bpy.types.Depsgraph) -> None:
        """Draw the newest picture, ask for what is needed, and say how things stand."""
        engine, region = self._engine(), context.region
        if engine is None or region.width < 1 or region.height < 1:
            return
        session = self._session
        view: View | None = None
        try:
            view = view_of(depsgraph, context.space_data, context.region_data, (region.width, region.height))
            session.step(depsgraph, view)
        except UserError as error:
            session.refuse(f"{error.message}\n{error.fix}".strip())
        except Exception as error:
            traceback.print_exc(file=sys.stderr)
            session.refuse(f"Something went wrong inside the add-on ({type(error).__name__}: {error}).")
        picture = session.picture
        if picture is not None and view is not None:
            self._screen.draw(engine, depsgraph.scene, picture, _place(picture.view, view))
        else:
            self._screen.clear()
        engine.update_stats("", _wrapped(session.status, context))

    def close(self) -> None:
        """Give up what is under way, and let go of what was drawn."""
        self._session.close()
        self._screen.clear()

    def _redraw(self) -> None:
        engine = self._engine()
        if engine is not None:
            with contextlib.suppress(ReferenceError):  # Blender has just freed it
                engine.tag_redraw()


def _place(drawn: View, now: View) -> Place:
    """Return where a picture goes: where its view is now, or where it was if that was one of another kind."""
    return now.place if drawn.through_camera == now.through_camera else drawn.place


def _wrapped(text: str, context: Any) -> str:
    """Return text in lines that fit into the region."""
    pixels = CHARACTER_PIXELS * context.preferences.system.ui_scale
    characters = max(20, int(context.region.width / pixels) - 4)
    lines = [line for part in text.split("\n") for line in textwrap.wrap(part, characters)]
    return "\n".join(lines).encode()[:LONGEST_TEXT].decode(errors="ignore")


def close_all() -> None:
    """Give up what is under way in every viewport."""
    for session in sessions():
        session.close()


@persistent
def _before_load(*_: object) -> None:
    """Let go of the file's images: what stands for them is gone with it."""
    close_all()


@persistent
def _after_undo(*_: object) -> None:
    """Read images anew: undo may have made others of them."""
    for session in sessions():
        session.mark_changed(images=True)


HANDLERS = (("load_pre", _before_load), ("undo_post", _after_undo), ("redo_post", _after_undo))
"""What is called when, by the names of Blender's handlers."""


def register() -> None:
    """Follow files and undo."""
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Follow them no more, and give up what is under way."""
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    close_all()
