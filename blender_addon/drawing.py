"""What panels and preferences both draw: text that wraps, and the worker's state."""

from __future__ import annotations

import textwrap
from typing import Any

import bpy

from .worker import supervisor

STATE_ICONS = {"STOPPED": "RADIOBUT_OFF", "STARTING": "TIME", "READY": "CHECKMARK", "FAILED": "ERROR"}

LINE_CHARACTERS = 38
"""Of a line in a sidebar of the usual width."""


def draw_text(layout: bpy.types.UILayout, text: str, icon: Any = "BLANK1") -> None:
    """Draw a sentence over as many lines as a sidebar of the usual width needs: labels do not wrap."""
    column = layout.column(align=True)
    for number, line in enumerate(textwrap.wrap(text, LINE_CHARACTERS)):
        column.label(text=line, icon="BLANK1" if number else icon)


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
