"""How the worker process begins and ends: its socket, its one line on stdout, and dying with its parent."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import stat
import sys
import threading
import time
from types import FrameType
from typing import Any, TextIO

from server.failures import Failure


def bind(port: int) -> socket.socket:
    """Return a socket bound to 127.0.0.1 (port 0: any free one).

    Raises:
        Failure: ``port_in_use`` or ``port_refused``.
    """
    # asyncio sets TCP_NODELAY only where proto says TCP; without it every small answer takes 44 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if sys.platform == "win32":
        # There, SO_REUSEADDR would let two programs share a port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        # Two listeners can be bound to one port under SO_REUSEADDR; listening is what fails for the second.
        listener.listen(128)
    except OverflowError as error:
        listener.close()
        raise Failure("port_refused", f"{port} is no port: choose 0 (any free one) to 65535.") from error
    except PermissionError as error:
        listener.close()
        raise Failure(
            "port_refused",
            f"The system forbids listening on 127.0.0.1:{port} ({error.strerror}): choose --port 0, or "
            "allow Python in the firewall or security software.",
        ) from error
    except OSError as error:
        listener.close()
        raise Failure(
            "port_in_use",
            f"Port {port} on 127.0.0.1 is taken ({error.strerror}): choose --port 0 for any free one.",
        ) from error
    return listener


def claim_stdout() -> TextIO:
    """Return a stream to the real stdout, and send everything else that is printed to stderr."""
    sys.stdout.flush()
    real = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return real


def announce(stream: TextIO, event: dict[str, Any]) -> None:
    """Write one JSON line at once; a parent that no longer listens is no failure."""
    try:
        stream.write(json.dumps(event, separators=(",", ":")) + "\n")
        stream.flush()
    except OSError:
        pass


def is_supervised() -> bool:
    """Tell whether a program started this process: its stdin is a pipe (or a socket) from there."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError, AttributeError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def leave(_signal: int = 0, _frame: FrameType | None = None) -> None:
    """End the process now, also in mid-render: the worker holds nothing that needs saving."""
    os._exit(0)


def die_with_parent() -> None:
    """Leave when stdin ends, and on Linux also when the parent process dies; needs a supervised process."""
    threading.Thread(target=_leave_at_end_of_input, name="stdin", daemon=True).start()
    if sys.platform == "linux":
        _watch_parent_process()


def _leave_at_end_of_input() -> None:
    descriptor = sys.stdin.fileno()
    if sys.platform == "win32":
        _leave_at_end_of_pipe(descriptor)
    while True:
        try:
            if not os.read(descriptor, 4096):
                leave()
        except OSError:
            leave()


def _leave_at_end_of_pipe(descriptor: int) -> None:
    """Poll a pipe on Windows: a blocking read of stdin makes the loading of numpy's libraries hang there."""
    if sys.platform == "win32":
        import msvcrt

        handle = msvcrt.get_osfhandle(descriptor)
        peek = ctypes.WinDLL("kernel32").PeekNamedPipe
        pointer = ctypes.c_void_p
        peek.argtypes = (pointer, pointer, ctypes.c_uint32, pointer, pointer, pointer)
        while peek(handle, None, 0, None, None, None):
            time.sleep(0.2)
        leave()


def _watch_parent_process() -> None:
    parent = os.getppid()

    def check(_signal: int, _frame: FrameType | None) -> None:
        # The kernel also signals when the *thread* that started us ends, as Blender's render thread does.
        if os.getppid() != parent:
            leave()

    signal.signal(signal.SIGUSR1, check)
    pr_set_pdeathsig = 1
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_pdeathsig, int(signal.SIGUSR1), 0, 0, 0)
