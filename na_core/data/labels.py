"""Labels: the frozen form of a scene's ``scene.json``, checked field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from na_core.scene import Box, Camera, SceneError

LABELS_VERSION = 1
"""Version of ``scene.json``; a reader refuses any other."""

LABELS_FILE = "scene.json"

Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True)
class ObjectLabel:
    """What an object is, the same in every frame."""

    name: str
    family: str


@dataclass(frozen=True)
class FrameLabels:
    """One picture of a scene.

    Attributes:
        picture, mask: file names beside ``scene.json``; in the mask 0 is the background, n object n - 1.
        camera: that took the picture.
        boxes: for each object, None where it is absent.
        boxes_2d: for each object, tight around its visible pixels, half-open in [0, 1]; zeros if unseen.
        visible: for each object, the share of its silhouette that shows, in [0, 1].
    """

    picture: str
    mask: str
    camera: Camera
    boxes: tuple[Box | None, ...]
    boxes_2d: tuple[Rectangle, ...]
    visible: tuple[float, ...]


@dataclass(frozen=True)
class SceneLabels:
    """All labels of a scene; every frame shows the same objects under the same light."""

    seed: int
    split: str
    width: int
    height: int
    objects: tuple[ObjectLabel, ...]
    frames: tuple[FrameLabels, ...]
    schema_version: int = LABELS_VERSION


def load_labels(path: str | Path) -> SceneLabels:
    """Read a ``scene.json``, or the one in a scene's folder.

    Raises:
        SceneError: not JSON, or a field is unknown, missing or malformed; the text names it.
        OSError: there is no such file.
    """
    file = Path(path)
    file = file / LABELS_FILE if file.is_dir() else file
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise SceneError(str(file), f"not JSON ({error})") from error
    return labels_from_dict(data)


def labels_from_dict(data: object) -> SceneLabels:
    """Build the labels from the parsed form of ``scene.json``.

    Raises:
        SceneError: a field is unknown, missing or malformed; the text names it.
    """
    path = "scene"
    names = ("schema_version", "seed", "split", "width", "height", "objects", "frames")
    fields = _fields(data, path, names)
    if fields["schema_version"] != LABELS_VERSION:
        found = fields["schema_version"]
        raise SceneError(f"{path}.schema_version", f"this side reads {LABELS_VERSION}, got {found!r}")
    objects = []
    for i, item in enumerate(_list(fields["objects"], f"{path}.objects")):
        here = f"{path}.objects[{i}]"
        values = _fields(item, here, ("name", "family"))
        objects.append(ObjectLabel(**{k: _text(v, f"{here}.{k}") for k, v in values.items()}))
    frames = _list(fields["frames"], f"{path}.frames")
    return SceneLabels(
        seed=_whole(fields["seed"], f"{path}.seed", 0),
        split=_text(fields["split"], f"{path}.split"),
        width=_whole(fields["width"], f"{path}.width", 1),
        height=_whole(fields["height"], f"{path}.height", 1),
        objects=tuple(objects),
        frames=tuple(_frame(f, f"{path}.frames[{i}]", len(objects)) for i, f in enumerate(frames)),
    )


def _frame(data: object, path: str, count: int) -> FrameLabels:
    fields = _fields(data, path, ("picture", "mask", "camera", "boxes", "boxes_2d", "visible"))
    boxes = []
    for i, box in enumerate(_list(fields["boxes"], f"{path}.boxes", count)):
        boxes.append(None if box is None else Box.from_dict(box, f"{path}.boxes[{i}]"))
    rectangles = _list(fields["boxes_2d"], f"{path}.boxes_2d", count)
    shares = _list(fields["visible"], f"{path}.visible", count)
    return FrameLabels(
        picture=_file_name(fields["picture"], f"{path}.picture"),
        mask=_file_name(fields["mask"], f"{path}.mask"),
        camera=Camera.from_dict(fields["camera"], f"{path}.camera"),
        boxes=tuple(boxes),
        boxes_2d=tuple(_rectangle(r, f"{path}.boxes_2d[{i}]") for i, r in enumerate(rectangles)),
        visible=tuple(_share(s, f"{path}.visible[{i}]") for i, s in enumerate(shares)),
    )


def _fields(data: object, path: str, names: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise SceneError(path, f"expected an object, got {type(data).__name__}")
    for name in data:
        if name not in names:
            raise SceneError(f"{path}.{name}", "unknown field")
    for name in names:
        if name not in data:
            raise SceneError(f"{path}.{name}", "missing")
    return dict(data)


def _list(value: object, path: str, count: int | None = None) -> list[Any]:
    if not isinstance(value, list):
        raise SceneError(path, f"expected a list, got {type(value).__name__}")
    if count is not None and len(value) != count:
        raise SceneError(path, f"expected one entry for each of the {count} objects, got {len(value)}")
    return value


def _text(value: object, path: str) -> str:
    if not isinstance(value, str):
        raise SceneError(path, f"expected a string, got {value!r}")
    return value


def _file_name(value: object, path: str) -> str:
    name = _text(value, path)
    if not name or name != Path(name).name or "\\" in name:
        raise SceneError(path, f"expected a file name without a folder, got {name!r}")
    return name


def _whole(value: object, path: str, low: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise SceneError(path, f"expected a whole number of at least {low}, got {value!r}")
    return value


def _share(value: object, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise SceneError(path, f"expected a number from 0 to 1, got {value!r}")
    return float(value)


def _rectangle(value: object, path: str) -> Rectangle:
    x0, y0, x1, y1 = (_share(v, f"{path}[{i}]") for i, v in enumerate(_four(value, path)))
    if x0 > x1 or y0 > y1:
        raise SceneError(path, f"expected x0 <= x1 and y0 <= y1, got {[x0, y0, x1, y1]}")
    return x0, y0, x1, y1


def _four(value: object, path: str) -> list[Any]:
    if not isinstance(value, list) or len(value) != 4:
        raise SceneError(path, "expected four numbers x0, y0, x1, y1")
    return value
