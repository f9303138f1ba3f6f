"""What panels and preferences both draw: text that wraps, and the worker's state."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import blf
import bpy
from bpy.app.translations import pgettext_iface as iface_

from .worker import supervisor

STATE_ICONS = {"STOPPED": "RADIOBUT_OFF", "STARTING": "TIME", "READY": "CHECKMARK", "FAILED": "ERROR"}

LINE_CHARACTERS = 38
"""Of a line where Blender does not say how wide it is."""

BOX_MARGIN, MARGIN = 96.0, 48.0
"""What is beside a line of text at a scale of 1: borders, tabs and scroll bar; in a box an icon, too."""

MIN_ROOM = 60.0
"""For a line in the narrowest region, at a scale of 1."""


def draw_text(layout: bpy.types.UILayout, text: str, icon: Any = "BLANK1") -> None:
    """Draw a sentence over as many lines as the region's width needs: labels do not wrap."""
    column = layout.column(align=True)
    for number, line in enumerate(_lines(bpy.context, iface_(text), has_icon=icon != "NONE")):
        column.label(text=line, icon="BLANK1" if number and icon != "NONE" else icon, translate=False)


def wrapped(text: str, room: float, width: Callable[[str], float]) -> list[str]:
    """Return a text as lines that are no wider than there is room.

    Words stay whole; one that is too wide alone, such as a path, is broken wherever it has to be.

    Args:
        text: to be broken at its spaces.
        room: for a line.
        width: of a text, in the same unit.
    """
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if width(longer) <= room:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and width(lines[-1] + letter) > room:
                lines.append("")
            lines[-1] += letter
    return lines


def _lines(context: bpy.types.Context, text: str, *, has_icon: bool) -> list[str]:
    """Return a text as lines of the region that is drawn, at whatever scale and with whatever font."""
    region, scale = context.region, context.preferences.system.ui_scale
    if region is None or scale <= 0:
        return wrapped(text, LINE_CHARACTERS, len)
    room = region.width - (BOX_MARGIN if has_icon else MARGIN) * scale
    return _measured(
        text, max(MIN_ROOM * scale, room), context.preferences.ui_styles[0].widget.points * scale
    )


@lru_cache(maxsize=256)
def _measured(text: str, room: float, size: float) -> list[str]:
    """Return the lines of a text in the interface's font; the same ones are drawn many times a second."""
    blf.size(0, size)
    return wrapped(text, room, lambda part: blf.dimensions(0, part)[0])


def draw_worker(layout: bpy.types.UILayout) -> None:
    """Draw the worker's state and its buttons."""
    status = supervisor.status()
    draw_text(layout, status.text, STATE_ICONS[status.state])
    row = layout.row(align=True)
    if status.state in ("READY", "STARTING"):
        row.operator("neural_assets.stop_worker")
    else:
        row.operator("neural_assets.start_worker")
    row.operator("neural_assets.copy_worker_log", text="Copy Log")
