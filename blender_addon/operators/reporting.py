"""How operators tell the user what went wrong."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import bpy

from ..errors import UserError

Execute = Callable[[Any, bpy.types.Context], set[str]]


def reports_user_errors(execute: Execute) -> Execute:
    """Turn a :class:`UserError` of an operator's ``execute`` into an error report and ``{'CANCELLED'}``."""

    @functools.wraps(execute)
    def wrapped(self: Any, context: bpy.types.Context) -> set[str]:  # Blender counts these two arguments
        try:
            return execute(self, context)
        except UserError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}

    return wrapped
