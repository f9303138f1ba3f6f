"""Folders: where the scenes of an order are, finished and while they are written."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import time
from pathlib import Path

from .order import Order

PARTIAL = re.compile(r"\.\d+\.(?P<host>[^.]+)\.(?P<process>\d+)\.partial")
"""Name of the folder in which a process writes a scene."""


def scene_folder(order: Order, seed: int) -> Path:
    """Return the folder of a finished scene."""
    return order.out / order.split / f"{seed:08d}"


def partial_folder(order: Order, seed: int) -> Path:
    """Return the hidden folder in which this process writes a scene."""
    folder = scene_folder(order, seed)
    return folder.with_name(f".{folder.name}.{_host()}.{os.getpid()}.partial")


def sweep(out: Path) -> None:
    """Remove the half-written scenes, of any split of a data set, whose processes are gone.

    Only those of this machine: of the others' processes nothing is known.
    """
    for partial in out.glob("*/.*.partial"):
        named = PARTIAL.fullmatch(partial.name)
        if named and named["host"] == _host() and not _writes(int(named["process"]), partial):
            shutil.rmtree(partial, ignore_errors=True)


def _host() -> str:
    return (platform.node() or "host").partition(".")[0]


def _writes(process: int, folder: Path) -> bool:
    """Tell whether a process may be the one that writes a folder."""
    if not _is_alive(process):
        return False
    # Numbers of processes come round again, in containers soon: one that started later wrote nothing here.
    started = _start_time(process)
    try:
        return started is None or started <= folder.stat().st_mtime
    except OSError:  # it was removed or renamed just now
        return True


def _is_alive(process: int) -> bool:
    if sys.platform == "win32":  # where os.kill(process, 0) would be Ctrl+C
        import ctypes

        query_only, still_active, access_denied = 0x1000, 259, 5
        kernel = ctypes.WinDLL("kernel32", use_last_error=True)
        handle = kernel.OpenProcess(query_only, False, process)
        if not handle:
            return ctypes.get_last_error() == access_denied
        code = ctypes.c_ulong()
        kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        kernel.CloseHandle(handle)
        return code.value == still_active
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    # One that has ended, but whose parent has not asked how, keeps its number.
    state = _stat(process)[:1]
    return state not in (["Z"], ["X"])


def _stat(process: int) -> list[str]:
    """Return what Linux says of a process from its state on (proc_pid_stat(5)); nothing elsewhere."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return stat.rpartition(")")[2].split()  # the command's name, in brackets, may hold spaces


def _start_time(process: int) -> float | None:
    """Return when a process started, seconds since 1970; None where the system does not tell simply."""
    if sys.platform != "linux":
        return None
    try:
        uptime = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        since_boot = int(_stat(process)[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
    return time.time() - uptime + since_boot
