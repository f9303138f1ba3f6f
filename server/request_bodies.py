"""The bodies of requests: read with limits on size and time, and parsed strictly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import Request

from na_core.scene import LayersRequest, RenderJob, SceneError
from server.failures import Failure
from server.protocol import MAX_FRAMES

BODY_SECONDS = 30.0
"""That a request's body may pause for."""

MOST_QUOTED = 300
"""Characters of what is wrong with a request, in the answer to it."""


async def read_body(request: Request, limit: int, too_large: Failure) -> bytearray:
    """Return the request's body; what announces or turns out to exceed ``limit`` bytes is refused early."""
    announced = request.headers.get("content-length", "0")
    if announced.isdecimal() and int(announced) > limit:
        raise too_large
    body = bytearray()
    parts = request.stream()
    while True:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                part = await anext(parts, None)
        except TimeoutError as error:
            raise Failure(
                "request_timeout",
                f"The request stopped for {BODY_SECONDS:.0f} seconds before it was whole: send it again.",
                status=408,
            ) from error
        if part is None:
            return body
        if len(body) + len(part) > limit:
            raise too_large
        body += part


def parse_job(body: bytes) -> RenderJob:
    """Parse and check a render request's body.

    Raises:
        Failure: ``scene_invalid``, whose message names the field.
    """
    with _malformed_told():
        data = json.loads(body)
        count = len(data["frames"]) if isinstance(data, dict) and isinstance(data.get("frames"), list) else 1
        if not 1 <= count <= MAX_FRAMES:
            raise SceneError("renderjob.frames", f"expected 1 to {MAX_FRAMES} frames, got {count}")
        return RenderJob.from_dict(data)


def parse_layers_request(body: bytes) -> LayersRequest:
    """Parse and check a layers request's body.

    Raises:
        Failure: ``scene_invalid``, whose message names the field.
    """
    with _malformed_told():
        return LayersRequest.from_json(body)


@contextmanager
def _malformed_told() -> Iterator[None]:
    """Turn what a malformed body raises into the failure that says so."""
    try:
        yield
    except SceneError as error:
        raise Failure(
            "scene_invalid",
            f"The request is malformed: {shortened(str(error))}.",
            status=422,
            field=shortened(error.path),
        ) from error
    except (ValueError, OverflowError, RecursionError) as error:
        problem = shortened(str(error))
        raise Failure("scene_invalid", f"The request is malformed: {problem}.", status=422) from error


def shortened(text: str) -> str:
    """Return a text as short as an answer should be: it may quote megabytes of the request."""
    return text if len(text) <= MOST_QUOTED else f"{text[:MOST_QUOTED]}…"
