"""Asking the worker what a photo shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from na_core.scene import Box, Camera, SceneError

from ..worker.client import WorkerLost
from ..worker.task import Conversation
from .result import DetectedObject, Detection


def detection_question(photo: bytes, options: Mapping[str, Any]) -> Callable[[Conversation], Detection]:
    """Return what asks a worker for the objects and the camera of a photo.

    Args:
        photo: the file's bytes.
        options: of the request, see the worker's ``/v1/detect``.
    """

    def ask(worker: Conversation) -> Detection:
        body = json.dumps({"photo": worker.upload(photo), **options}).encode()
        return _detection_of(worker.answer_json("POST", "/v1/detect", body))

    return ask


def _detection_of(data: Mapping[str, Any]) -> Detection:
    try:
        return Detection(
            Camera.from_dict(data["camera"]),
            tuple(
                DetectedObject(
                    str(item["name"]),
                    float(item["score"]),
                    tuple(float(value) for value in item["rectangle"]),  # type: ignore[arg-type]
                    Box.from_dict({"world_from_box": item["world_from_box"]}),
                )
                for item in data["objects"]
            ),
            float((data.get("camera_doubt") or {}).get("focal", 0.0)),
        )
    except (SceneError, KeyError, TypeError, ValueError) as error:
        raise WorkerLost(f"an answer that is no detection: {error}") from error
