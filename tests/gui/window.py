"""A real Blender window on a virtual display, which a test looks at, clicks in, and asks for Blender's state.

Blender lies in a folder with a Debian of its own (packaging/blender_window.sh puts it there), and is started
in it by chroot. Checkout and Python are seen there at the same paths, so that the extension starts its
worker.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SIZE = (1440, 900)
START, ANSWER = 120.0, 300.0
"""Seconds that Blender has to start, and to answer a command."""

Point = tuple[float, float]


class Failed(AssertionError):
    """Code in Blender raised."""


class Window:
    """Blender in its window. Points are pixels of the screen, from its top left corner.

    Attributes:
        share: a folder that Blender sees as /share.
    """

    def __init__(self, folder: Path, display: int, connection: socket.socket) -> None:
        self._folder, self._display = folder, display
        self.share = folder / "share"
        self._connection = connection
        self._file = connection.makefile("r")

    def run(self, code: str, **values: Any) -> Any:
        """Run code in Blender and return its ``result``.

        Raises:
            Failed: it raised; the message is its traceback.
        """
        settings = "".join(f"{name} = {value!r}\n" for name, value in values.items())
        self._connection.sendall(json.dumps({"code": settings + code}).encode() + b"\n")
        line = self._file.readline()
        if not line:
            raise Failed("Blender is gone; its log is share/blender.log in its folder")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["result"]

    def wait(self, question: str, seconds: float = 60.0) -> None:
        """Wait until an expression is true in Blender.

        Raises:
            AssertionError: it never was.
        """
        end = time.monotonic() + seconds
        while not self.run(f"result = bool({question})"):
            assert time.monotonic() < end, f"after {seconds} s not yet: {question}"
            time.sleep(0.1)

    def point(self, kind: str, share: Point) -> Point:
        """Return a point of the largest area of a kind, from (0, 0), upper left, to (1, 1)."""
        x, y, width, height = self.run(
            "region = region_of(area_of(kind)); result = [region.x, region.y, region.width, region.height]",
            kind=kind,
        )
        return x + share[0] * width, SIZE[1] - y - (1 - share[1]) * height

    def pixel(self, image: Point, size: tuple[int, int]) -> Point:
        """Return where the Image Editor shows a pixel of an image, counted from its top left corner."""
        u, v = image[0] / size[0], 1 - image[1] / size[1]
        x, y = self.run(
            "region = region_of(area_of('IMAGE_EDITOR'))\n"
            "place = region.view2d.view_to_region(u, v, clip=False)\n"
            "result = [region.x + place[0], region.y + place[1]]",
            u=u,
            v=v,
        )
        return x, SIZE[1] - y

    def move(self, point: Point) -> None:
        """Move the pointer."""
        self._xdotool("mousemove", str(round(point[0])), str(round(point[1])))

    def drag(self, points: Sequence[Point]) -> None:
        """Press the left button at the first point, move over the others, and let go."""
        self.move(points[0])
        self._settle()
        self._xdotool("mousedown", "1")
        self._settle()
        for point in points[1:]:
            time.sleep(0.03)
            self.move(point)
        self._settle()
        self._xdotool("mouseup", "1")
        self._settle()

    def click(self, point: Point, button: int = 1, times: int = 1, key: str | None = None) -> None:
        """Click at a point, with a key held if one is named; buttons 4 and 5 turn the wheel up and down."""
        self.move(point)
        self._settle()
        if key is not None:
            self._xdotool("keydown", key)
            self._settle()
        self._xdotool("click", "--repeat", str(times), "--delay", "60", str(button))
        if key is not None:
            self._settle()  # else Blender may see it let go before it handles the click
            self._xdotool("keyup", key)
        self._settle()

    def press(self, *keys: str) -> None:
        """Press keys one after the other, by X's names: "F12", "ctrl+z", "Escape"."""
        for key in keys:
            self._xdotool("key", key)
            time.sleep(0.15)

    def _settle(self) -> None:
        """Let Blender take up what has happened: commands come after the events before them."""
        time.sleep(0.1)
        self.run("")

    def save_screenshot(self, path: Path) -> None:
        """Save what the screen shows as PNG."""
        self._settle()
        self.run("bpy.ops.wm.redraw_timer(type='DRAW_WIN_SWAP', iterations=2)")
        path.parent.mkdir(parents=True, exist_ok=True)
        inside = self.share / "screenshot.png"
        self._inside("import", "-window", "root", "/share/screenshot.png")
        path.write_bytes(inside.read_bytes())

    def _xdotool(self, *arguments: str) -> None:
        self._inside("xdotool", *arguments)

    def _inside(self, *command: str) -> None:
        environment = {**os.environ, "DISPLAY": f":{self._display}"}
        subprocess.run(["chroot", str(self._folder), *command], env=environment, check=True)


@contextmanager
def blender_window(folder: Path, extension: Path, worker_python: Path, display: int = 78) -> Iterator[Window]:
    """Start Blender in a window, with the extension installed from its zip, and end it at last.

    Args:
        folder: of the Debian that holds Blender.
        extension: the zip.
        worker_python: that runs the worker; below the checkout.
        display: number of the virtual display.
    """
    share = folder / "share"
    share.mkdir(exist_ok=True)
    mounts = [Path("/proc"), Path("/dev"), Path("/dev/shm"), ROOT, Path(sys.base_prefix)]
    _mount(folder, mounts)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    environment = {
        **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
        "HOME": "/root",
        "DISPLAY": f":{display}",
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "BLENDER_USER_RESOURCES": "/share/user",
        "NEURAL_ASSETS_WORKER_PYTHON": str(worker_python),
    }
    subprocess.run(["rm", "-rf", str(share / "user")], check=True)
    width, height = SIZE
    arguments = ["--factory-startup", "--window-geometry", "0", "0", str(width), str(height)]
    arguments += ["--python", str(Path(__file__).with_name("inside.py")), "--", str(port)]
    inside = ["chroot", str(folder)]
    screen = subprocess.Popen(
        [*inside, "Xvfb", f":{display}", "-screen", "0", f"{width}x{height}x24"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    blender = None
    try:
        time.sleep(2)
        with open(share / "blender.log", "w") as log:
            blender = subprocess.Popen(
                [*inside, "blender", *arguments],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        listener.settimeout(START)
        connection, _ = listener.accept()
        connection.settimeout(ANSWER)
        window = Window(folder, display, connection)
        window.run("install(path)", path=str(extension))
        yield window
    finally:
        listener.close()
        for process in (blender, screen):
            if process is not None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(30)
        _unmount(folder, mounts)


def _unmount(folder: Path, paths: Sequence[Path]) -> None:
    """Take them out again: who deletes the folder is not to delete the checkout."""
    for path in reversed(paths):
        subprocess.run(["umount", "--lazy", str(folder / path.relative_to("/"))], check=False)


def _mount(folder: Path, paths: Sequence[Path]) -> None:
    """Show folders in another root at their own paths."""
    for path in paths:
        place = folder / path.relative_to("/")
        place.mkdir(parents=True, exist_ok=True)
        if not os.path.ismount(place):
            subprocess.run(["mount", "--bind", str(path), str(place)], check=True)
