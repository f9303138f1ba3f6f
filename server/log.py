"""The worker's log: on stderr, which whoever started it keeps, and never without end."""

from __future__ import annotations

import logging
import sys

MOST_BYTES = 16 * 2**20
"""That are written; whoever wants more has seen the same a thousand times."""


class CappedHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes records to stderr until they are too many, says so, and writes no more but what is critical."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        super().__init__(sys.stderr)
        self._left = most_bytes

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, if there is room for it."""
        if self._left <= 0 and record.levelno < logging.CRITICAL:
            return
        self._left -= len(self.format(record)) + 1
        super().emit(record)
        if self._left <= 0 and record.levelno < logging.CRITICAL:
            self.stream.write("The log is full: nothing more is written here.\n")
            self.flush()


def log_to_stderr() -> None:
    """Send what the worker and its libraries log to stderr."""
    handler = CappedHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
