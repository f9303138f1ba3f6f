"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FULL_BYTES = 2**16
"""Free on a disk, below which what failed to be written failed for that."""


@contextmanager
def written_whole(file: Path) -> Iterator[Path]:
    """Yield where to write a file; at the end it takes its name, in one step.

    An interrupted run so leaves no half file that the next one would skip. What is there by half is removed
    again; a file of that name stays until it is replaced.

    Raises:
        OSError: it cannot be written; the error names the file.
    """
    partial = file.with_suffix(f".{os.getpid()}.partial")
    try:
        yield partial
        partial.replace(file)
    except BaseException as error:
        number = error.errno if isinstance(error, OSError) else None
        told = number is not None and str(getattr(error, "filename", None) or partial) != str(partial)
        if number is None and isinstance(error, Exception) and _is_full(file.parent, error):
            number = errno.ENOSPC
        partial.unlink(missing_ok=True)
        if number is None or told:
            raise
        raise OSError(number, os.strerror(number), str(file)) from error


def _is_full(folder: Path, error: Exception) -> bool:
    """Tell whether a writer failed because its disk is full; not every one says so."""
    if os.strerror(errno.ENOSPC) in str(error):
        return True
    try:
        return shutil.disk_usage(folder).free < FULL_BYTES
    except OSError:
        return False
