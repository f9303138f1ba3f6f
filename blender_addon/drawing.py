"""What panels and preferences both draw: text that wraps, and the worker's state."""

from __future__ import annotations

import textwrap
from typing import Any

import blf
import bpy
from bpy.app.translations import pgettext_iface as iface_

from .worker import supervisor

STATE_ICONS = {"STOPPED": "RADIOBUT_OFF", "STARTING": "TIME", "READY": "CHECKMARK", "FAILED": "ERROR"}

LINE_CHARACTERS = 38
"""Of a line where Blender does not say how wide it is."""

MIN_CHARACTERS = 12
"""Of a line in the narrowest region."""

MARGIN = 4.5
"""Widths of an icon that are beside the text of a line in a box: icon, borders and scroll bar."""

ICON = 20
"""Pixels that an icon takes at a scale of 1."""


def draw_text(layout: bpy.types.UILayout, text: str, icon: Any = "BLANK1") -> None:
    """Draw a sentence over as many lines as the region's width needs: labels do not wrap."""
    column = layout.column(align=True)
    shown = iface_(text)
    for number, line in enumerate(textwrap.wrap(shown, line_characters(bpy.context, shown))):
        column.label(text=line, icon="BLANK1" if number else icon, translate=False)


def line_characters(context: bpy.types.Context, text: str) -> int:
    """Return how many characters of a text fit into a line of the region that is drawn, at any scale."""
    region, scale = context.region, context.preferences.system.ui_scale
    if region is None or scale <= 0:
        return LINE_CHARACTERS
    blf.size(0, context.preferences.ui_styles[0].widget.points * scale)
    character = blf.dimensions(0, text)[0] / max(1, len(text))
    room = region.width - MARGIN * ICON * scale
    return max(MIN_CHARACTERS, int(room / character)) if character > 0 else LINE_CHARACTERS


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
