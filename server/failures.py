"""Failures that a user can cause or meet: a code for programs, a sentence for people."""

from __future__ import annotations

from typing import Any


class Failure(Exception):
    """Something that went wrong and that a sentence can explain.

    Attributes:
        code: short name that programs compare (``photo_unreadable``).
        message: a sentence that says what happened and what to do.
        status: the HTTP status that carries it.
        details: further JSON fields (``{"photos": [...]}``).
    """

    def __init__(self, code: str, message: str, *, status: int = 400, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.details = details

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form: code, message and the details."""
        return {"code": self.code, "message": self.message, **self.details}


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an exception means that RAM or GPU memory ran out, without importing torch."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    # The CPU and MPS allocators raise a plain RuntimeError.
    text = str(error)
    return isinstance(error, RuntimeError) and any(
        part in text for part in ("out of memory", "can't allocate memory", "not enough memory")
    )


def out_of_memory(width: int, height: int) -> Failure:
    """Return the failure of a picture of ``width`` x ``height`` pixels that does not fit into memory."""
    return Failure(
        "out_of_memory",
        f"Not enough memory for a picture of {width} x {height} pixels: lower the resolution, close other "
        "programs that use the GPU, or start the worker with --device cpu.",
        status=507,
    )


def render_failed(error: BaseException) -> Failure:
    """Return the failure of a frame for a reason that nobody foresaw; the log holds the traceback."""
    reason = (str(error).strip().splitlines() or [""])[0][:300]
    return Failure(
        "render_failed",
        f"The frame could not be rendered ({type(error).__name__}{': ' if reason else ''}{reason}). "
        "The worker's log has the details.",
        status=500,
    )
