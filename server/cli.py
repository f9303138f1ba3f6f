"""The command ``neural-assets``: turns what a user can cause into one sentence and exit status 1.

The commands themselves are in :mod:`server.commands`, which needs typer; this module needs nothing, so that
a Python without the worker's packages gets a sentence too.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import sys
from collections.abc import Sequence

from na_core.threads import wait_passively
from server import lifecycle, worker
from server.failures import Failure

OUR_PACKAGES = ("na_core", "server", "blender_addon")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line; always ends with SystemExit."""
    wait_passively()  # before any command imports torch
    words = list(sys.argv[1:] if arguments is None else arguments)
    if importlib.util.find_spec("typer") is None:
        sys.exit(_fail_without_packages(words))
    from server.commands import app

    try:
        app(args=words, prog_name="neural-assets")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        sentence = sentence_for(error)
        if sentence is None or "NEURAL_ASSETS_TRACEBACK" in os.environ:
            raise
        print(f"neural-assets: {sentence}", file=sys.stderr)
        sys.exit(1)


def sentence_for(error: Exception) -> str | None:
    """Return what to tell the user about an error; None for one that is a bug and deserves its traceback."""
    if isinstance(error, ModuleNotFoundError):
        name = error.name or str(error)
        if name.partition(".")[0] in OUR_PACKAGES:
            return f"This installation lacks {name}: run the command from a complete checkout of the project."
        return worker.packages_missing([name]).message
    if isinstance(error, Failure):
        return error.message
    # Our own errors carry their sentence; the modules that define them import torch: no class is named here.
    if type(error).__module__.partition(".")[0] in OUR_PACKAGES:
        return str(getattr(error, "message", error))
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        fix = ". Free some space and run the command again" if error.errno == errno.ENOSPC else ""
        return f"{where}{error.strerror or error}{fix}"
    return None


def _fail_without_packages(words: list[str]) -> int:
    try:
        worker.check_packages()
    except Failure as failure:
        if words[:1] == ["worker"]:
            lifecycle.announce(sys.stdout, {"event": "error", **failure.to_dict()})
        print(f"neural-assets: {failure.message}", file=sys.stderr)
    return 1
