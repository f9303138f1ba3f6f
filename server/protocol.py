"""The wire format of the worker: versions, header names, limits and record framing. Standard library only.

A streaming response is a sequence of records. Each is one JSON object on one line; a record with a ``bytes``
field is followed by exactly that many raw bytes (rows of pixels, top-down, uint8 RGB).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

PROTOCOL_VERSION = 1
PROTOCOL_HEADER = "X-Neural-Assets-Protocol"
PREVIEW_HEADER = "X-Neural-Assets-Preview"
TOKEN_VARIABLE = "NEURAL_ASSETS_TOKEN"
MEDIA_TYPE = "application/x-neural-assets"

MAX_PHOTO_BYTES = 64 * 2**20
MAX_MESH_BYTES = 256 * 2**20
MAX_JOB_BYTES = 16 * 2**20
MAX_DETECTION_BYTES = 2**16
MAX_FRAMES = 1000
MAX_LINE_BYTES = 2**20

HEARTBEAT_SECONDS = 0.025
"""Half of the 50 ms that the protocol promises: a busy machine wakes sleepers late."""


class RecordError(ValueError):
    """Bytes that are no sequence of records."""


class Reader(Protocol):
    """The part of a binary file, or of ``http.client.HTTPResponse``, that :func:`read_records` uses."""

    def readline(self, limit: int = -1, /) -> bytes:
        """Return bytes up to and including the next newline; fewer at the end or at the limit."""
        ...

    def read(self, count: int, /) -> bytes:
        """Return up to ``count`` bytes; none at the end."""
        ...


def encode_record(record: Mapping[str, Any], payload: bytes | None = None) -> bytes:
    """Return a record's line; with a payload, its length is added as the ``bytes`` field.

    The payload itself is not copied: send it right after the line.

    Raises:
        ValueError: the record holds a number that JSON lacks (NaN, infinity).
    """
    fields = dict(record) if payload is None else {**record, "bytes": len(payload)}
    return json.dumps(fields, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def read_records(stream: Reader) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield ``(record, payload)`` until the stream ends between two records; no payload gives ``b""``.

    A stream that ends without ``done`` or ``error`` broke off: http.client shows a lost connection as an end.

    Raises:
        RecordError: a line that is no JSON object, or a stream that ends inside a record.
    """
    while line := stream.readline(MAX_LINE_BYTES):
        if not line.endswith(b"\n"):
            raise RecordError("the stream ended inside a record's line, or the line is too long")
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise RecordError(f"a record's line is not JSON: {line[:80]!r}") from error
        if not isinstance(record, dict):
            raise RecordError(f"a record is not an object: {line[:80]!r}")
        length = record.get("bytes", 0)
        if isinstance(length, bool) or not isinstance(length, int) or length < 0:
            raise RecordError(f"a record's bytes field is not a length: {length!r}")
        yield record, _read_exactly(stream, length)


def _read_exactly(stream: Reader, length: int) -> bytes:
    parts = []
    missing = length
    while missing:
        part = stream.read(missing)
        if not part:
            raise RecordError(f"the stream ended {missing} bytes before the end of a record's payload")
        parts.append(part)
        missing -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
