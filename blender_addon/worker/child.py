"""What every child process in the worker's Python shares: its environment, its log, why it did not run."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
from pathlib import Path

from ..errors import UserError
from .settings import PREFERENCE

INHERITED_AWAY = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONEXECUTABLE")
"""Variables of Blender's own Python that would lead the worker's Python to the wrong packages."""

LOGS_KEPT = 10


def clean_environment() -> dict[str, str]:
    """Return this process's environment without what belongs to Blender's own Python.

    Nothing is imported from the folder that a child runs in, which others may write to.
    """
    kept = {name: value for name, value in os.environ.items() if name not in INHERITED_AWAY}
    return kept | {"PYTHONUNBUFFERED": "1", "PYTHONSAFEPATH": "1"}


def new_log(folder: Path, name: str) -> Path:
    """Return the path of a new, empty log that only this user can read.

    The newest few earlier ones of that name stay, others go.
    """

    def written(path: Path) -> float:
        try:
            return path.stat().st_mtime
        except OSError:
            return 0.0

    for old in sorted(folder.glob(f"{name}-*.log"), key=written, reverse=True)[LOGS_KEPT - 1 :]:
        with contextlib.suppress(OSError):  # another Blender may hold it
            old.unlink()
    log = folder / f"{name}-{os.getpid()}-{secrets.token_hex(3)}.log"
    log.touch(mode=0o600, exist_ok=False)
    return log


def log_tail(log: Path, lines: int = 1) -> str:
    """Return the last lines of a log that are not empty, joined by new lines; empty if there is no log."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join([line for line in text.splitlines() if line.strip()][-lines:])


def not_started(python: str, error: OSError) -> UserError:
    """Return the error of a Python that the system could not start."""
    return UserError(
        f"The worker's Python '{python}' could not be started ({error.strerror or error}).",
        f"Choose another under {PREFERENCE} > Worker Python.",
    )


def missing_package(python: str, log: Path) -> UserError | None:
    """Return the error of a Python whose log ends with a package that it lacks, None if it does not."""
    missing = re.findall(r"No module named '?([\w.]+)'?", log_tail(log, 5))
    if not missing:
        return None
    package = "neural-assets" if missing[-1].split(".")[0] == "server" else missing[-1]
    return UserError(
        f"The worker's Python '{python}' has no {package}.", f"Install it with: {install_command(python)}"
    )


def install_command(python: str, extras: str = "worker") -> str:
    """Return the command that installs what a Python lacks, as a user types it."""
    command = f'"{python}"' if " " in python else python
    quote = '"' if sys.platform == "win32" else "'"
    return f"{command} -m pip install {quote}neural-assets[{extras}]{quote}"
