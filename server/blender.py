"""The add-on's modules run from the command line: each in a process of its own, which may import bpy."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from server.failures import Failure

SUPERVISED = "NEURAL_ASSETS_SUPERVISED"
"""Environment variable, set by a program that holds our stdin open for as long as it wants the work done."""


def check() -> None:
    """Check, without importing it, that Blender is there as a Python package, and the add-on's modules too.

    Raises:
        Failure: ``blender_missing`` or ``addon_missing``.
    """
    if importlib.util.find_spec("bpy") is None:
        raise Failure(
            "blender_missing",
            f"This needs Blender as a Python package, bpy, which the Python at {sys.executable} lacks. "
            f"Install it with: {sys.executable} -m pip install 'neural-assets[blender]'",
        )
    if not (_root() / "blender_addon").is_dir():
        raise Failure(
            "addon_missing",
            f"This installation lacks the add-on's modules. Install it again with: {sys.executable} -m pip "
            "install --force-reinstall --no-deps neural-assets, or run the command from a checkout.",
        )


def run(module: str, arguments: Sequence[str]) -> int:
    """Run a module of the add-on and return its exit status; Ctrl+C reaches it, and it says how to go on.

    Raises:
        Failure: see :func:`check`.
    """
    check()
    paths = [str(_root()), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    supervised = environment.pop(SUPERVISED, "") != ""
    with (
        _interrupts_for_others(),
        subprocess.Popen([sys.executable, "-m", module, *arguments], env=environment) as process,
    ):
        if supervised:
            threading.Thread(target=_end_with_input, args=(process,), name="stdin", daemon=True).start()
        return process.wait()


@contextlib.contextmanager
def _interrupts_for_others() -> Iterator[None]:
    """Let Ctrl+C pass us by: the terminal sends it to the process we wait for too, which ends when it can.

    A KeyboardInterrupt out of ``Popen.wait`` could come between the end of the process and our note of its
    status, which is then lost and reads 0. The handler is a function because a started process takes over one
    that ignores (``SIG_IGN``).
    """
    before = signal.getsignal(signal.SIGINT)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _end_with_input(process: subprocess.Popen[bytes]) -> None:
    """End the process when our stdin ends, because the program that started us stopped it or is gone."""
    with contextlib.suppress(OSError):
        while os.read(sys.stdin.fileno(), 4096):
            pass
    process.terminate()


def _root() -> Path:
    """Return the folder that holds our packages: a checkout, or the installation's site-packages."""
    return Path(__file__).resolve().parent.parent
