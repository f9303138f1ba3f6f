"""Folders: where the scenes of an order are, finished and while they are written."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from .order import Order


def scene_folder(order: Order, seed: int) -> Path:
    """Return the folder of a finished scene."""
    return order.out / order.split / f"{seed:08d}"


def partial_folder(order: Order, seed: int) -> Path:
    """Return the hidden folder in which this process writes a scene."""
    folder = scene_folder(order, seed)
    return folder.with_name(f".{folder.name}.{_host()}.{os.getpid()}.partial")


def sweep(order: Order) -> None:
    """Remove the half-written scenes of this machine's processes that are gone."""
    for partial in (order.out / order.split).glob(".*.partial"):
        _, _, host, process, _ = (*partial.name.split("."), *[""] * 5)[:5]
        if host == _host() and not _alive(int(process)):
            shutil.rmtree(partial, ignore_errors=True)


def _host() -> str:
    return (platform.node() or "host").partition(".")[0]


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
