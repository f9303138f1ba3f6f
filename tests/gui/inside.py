"""Runs in a Blender that has a window, and does there what a test asks for.

A test sends one JSON line a command, ``{"code": "..."}``; the code runs between two events of the window,
and its variable ``result`` goes back as ``{"result": ...}``, or a traceback as ``{"error": ...}``.
"""

from __future__ import annotations

import json
import socket
import sys
import traceback
from typing import Any

import bpy

PAUSE = 0.02
"""Seconds between two looks for a command."""

Names = dict[str, Any]


def install(path: str) -> None:
    """Install the extension's zip and turn it on, as *Install from Disk* does."""
    bpy.ops.extensions.package_install_files(filepath=path, repo="user_default", enable_on_install=True)


def area_of(kind: str) -> bpy.types.Area:
    """Return the largest area of a kind ("VIEW_3D") over all windows.

    Raises:
        LookupError: there is none.
    """
    areas = [a for w in bpy.context.window_manager.windows for a in w.screen.areas if a.type == kind]
    if not areas:
        raise LookupError(f"no area shows {kind}")
    return max(areas, key=lambda area: area.width * area.height)


def region_of(area: bpy.types.Area, kind: str = "WINDOW") -> bpy.types.Region:
    """Return a region of an area."""
    return next(region for region in area.regions if region.type == kind)


def over(kind: str) -> Any:
    """Return a context in which operators find the area of a kind, as if the pointer were over it."""
    area = area_of(kind)
    window = next(w for w in bpy.context.window_manager.windows if area in list(w.screen.areas))
    return bpy.context.temp_override(window=window, screen=window.screen, area=area, region=region_of(area))


class Commands:
    """Takes the commands of one test."""

    def __init__(self, port: int) -> None:
        self._names: Names = {"bpy": bpy, "area_of": area_of, "region_of": region_of, "over": over}
        self._names["install"] = install
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setblocking(False)
        self._read = b""

    def __call__(self) -> float | None:
        """Run what has come; Blender's timer calls it again."""
        try:
            received = self._socket.recv(1 << 16)
        except BlockingIOError:
            return PAUSE
        if not received:
            return None
        self._read += received
        while b"\n" in self._read:
            line, self._read = self._read.split(b"\n", 1)
            self._answer(json.loads(line))
        return PAUSE

    def _answer(self, command: dict[str, str]) -> None:
        self._names["result"] = None
        try:
            exec(command["code"], self._names)
            answer = {"result": self._names["result"]}
        except Exception:
            answer = {"error": traceback.format_exc()}
        self._socket.setblocking(True)
        self._socket.sendall(json.dumps(answer).encode() + b"\n")
        self._socket.setblocking(False)


if __name__ == "__main__":
    bpy.context.preferences.view.show_splash = False  # it would take the first click
    bpy.app.timers.register(Commands(int(sys.argv[-1])), persistent=True)
