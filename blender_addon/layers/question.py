"""Asking the worker for the layers of a photo."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from na_core.scene import Box, LayersRequest, SceneError

from ..errors import UserError
from ..worker.client import LARGEST_RECORD, WorkerLost
from ..worker.task import Conversation
from .result import PhotoLayers

NEUTRAL = {"outline": 0, "shadow": 1, "plate": 0, "depth": 0, "normals": 0}
"""Of layers, where the worker sends nothing."""

KINDS = {
    "outline": (np.uint8, 1),
    "shadow": (np.float16, 3),
    "plate": (np.uint8, 3),
    "depth": (np.float32, 1),
    "normals": (np.float16, 3),
}
"""Type and channels of each layer on the wire."""


def layers_question(
    request: LayersRequest, photos: Mapping[str, bytes]
) -> Callable[[Conversation], PhotoLayers]:
    """Return what asks a worker for layers.

    Args:
        request: which photo's.
        photos: file bytes of every photo of the frame, by SHA-256.
    """

    def ask(worker: Conversation) -> PhotoLayers:
        for photo in photos.values():
            worker.upload(photo)
        response = worker.answer("POST", "/v1/layers", request.to_json().encode())
        try:
            return _layers_of(_records(response))
        except (SceneError, KeyError, TypeError, ValueError) as error:
            raise WorkerLost(f"an answer that is no photo's layers: {error}") from error

    return ask


def _records(response: http.client.HTTPResponse) -> Iterator[tuple[dict[str, Any], bytes]]:
    """Yield the stream's records and their payloads until it says that it is done.

    Raises:
        UserError: the worker says why not.
    """
    while line := response.readline(1 << 20):
        record = json.loads(line)
        if record["event"] == "done":
            return
        if record["event"] == "error":
            raise UserError(str(record.get("message", "The worker failed without saying why.")))
        size = int(record.get("bytes", 0))
        if not 0 <= size <= LARGEST_RECORD:
            raise ValueError(f"a record of {size} bytes")
        payload = response.read(size) if size else b""
        if len(payload) != size:
            break
        yield record, payload
    raise ConnectionResetError("the stream ended early")


def _layers_of(records: Iterator[tuple[dict[str, Any], bytes]]) -> PhotoLayers:
    view: dict[str, Any] = {}
    found: dict[tuple[str, int | None], NDArray[Any]] = {}
    for record, payload in records:
        if record["event"] == "view":
            view = record
        elif record["event"] == "layer":
            values = _whole(record, payload, view["width"], view["height"])
            found[record["layer"], record["object"]] = values
    boxes = tuple(Box.from_dict({"world_from_box": box}) for box in view["boxes"])
    each = range(len(boxes))
    return PhotoLayers(
        photo=str(view["photo"]),
        boxes=boxes,
        outlines=tuple(found["outline", number] for number in each),
        shadows=tuple(found["shadow", number].astype(np.float32) for number in each),
        plate=found["plate", None],
        depth=found["depth", None],
        normals=found["normals", None].astype(np.float32),
    )


def _whole(record: Mapping[str, Any], payload: bytes, width: int, height: int) -> NDArray[Any]:
    """Return a layer (H, W) or (H, W, C) of the photo's size, of which the worker sends a part."""
    name = record["layer"]
    kind, channels = KINDS[name]
    if (record["type"], record["channels"]) != (np.dtype(kind).name, channels):
        raise ValueError(f"a layer '{name}' of {record['channels']} x {record['type']}")
    left, top, wide, high = (int(record[key]) for key in ("left", "top", "width", "height"))
    part = np.frombuffer(payload, kind).reshape(high, wide, channels)
    values = np.full((height, width, channels), NEUTRAL[name], kind)
    values[top : top + high, left : left + wide] = part
    return values[..., 0] if channels == 1 else values
