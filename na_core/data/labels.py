"""Labels: the frozen form of a scene's ``scene.json``, checked field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from na_core.scene import Box, Camera, Rectangle, SceneError

LABELS_VERSION = 3
"""Version of ``scene.json``; a reader refuses any other."""

REQUESTED_KINDS = ("duplicate", "orbit")
"""Edits that are rendered only where they are asked for by name. Whatever takes the kinds in turn, or
averages over all scenes, leaves them out, so that a seed keeps its scene and figures stay comparable."""

EDIT_KINDS = (
    *("translate", "rotate", "scale", "remove", "add", "camera", "background", "transfer"),
    *REQUESTED_KINDS,
)
"""What a controlled edit changes, and nothing else."""

DONATED_KINDS = ("add", "background", "transfer", "duplicate")
"""Edits that take an object or the background from a donor frame."""

CLIP_KINDS = ("mixed", "video", *EDIT_KINDS)
"""What a scene's frames are: for training, a film, or the edits of one kind."""

CYCLE_KINDS = tuple(kind for kind in CLIP_KINDS[1:] if kind not in REQUESTED_KINDS)
"""What the scenes of a split for measuring are in turn: a film, then the edits of one kind after another."""

LABELS_FILE = "scene.json"


@dataclass(frozen=True)
class ObjectLabel:
    """What an object is, the same in every frame.

    Attributes:
        name, family: of the object.
        symmetry: turns about its up axis after which its shape looks the same: 1 none but the full turn,
            0 any.
    """

    name: str
    family: str
    symmetry: int = 1


@dataclass(frozen=True)
class FrameLabels:
    """One picture of a scene.

    Attributes:
        picture, mask, depth, far: file names beside ``scene.json``. In the mask 0 is the background, n
            object n - 1. Depth, and the far side's, are 16-bit, see :data:`na_core.data.scenes.DEPTH_UNIT`;
            None if they were left out.
        stage: number of the set (ground, walls, light) that the picture was taken in.
        camera: that took the picture.
        boxes: for each object, None where it is absent.
        boxes_2d: for each object, tight around its visible pixels, half-open in [0, 1]; zeros if unseen.
        visible: for each object, the share of its silhouette that shows, in [0, 1].
    """

    picture: str
    mask: str
    depth: str | None
    far: str | None
    stage: int
    camera: Camera
    boxes: tuple[Box | None, ...]
    boxes_2d: tuple[Rectangle, ...]
    visible: tuple[float, ...]


@dataclass(frozen=True)
class Edit:
    """Two frames between which exactly one thing changes.

    Attributes:
        kind: of :data:`EDIT_KINDS`.
        source, target: frames before and after.
        donor: for ``add`` and ``transfer`` the frame that shows what is new, for ``background`` the one that
            shows the new background, for ``duplicate`` the source's own picture again, labelled as if each
            copy stood where its original does; None otherwise.
        object: the object that changes (for ``transfer`` the one that goes away, for ``duplicate`` the copy),
            None for ``camera``, ``orbit`` and ``background``.
    """

    kind: str
    source: int
    target: int
    donor: int | None
    object: int | None


@dataclass(frozen=True)
class SceneLabels:
    """All labels of a scene; frames of one stage show it under the same light.

    Attributes:
        clip: of :data:`CLIP_KINDS`.
        edits: the controlled edits among its frames.
    """

    seed: int
    split: str
    clip: str
    width: int
    height: int
    objects: tuple[ObjectLabel, ...]
    frames: tuple[FrameLabels, ...]
    edits: tuple[Edit, ...]
    schema_version: int = LABELS_VERSION


def parse_labels(text: str | bytes, name: str) -> SceneLabels:
    """Parse the text of a ``scene.json``; ``name`` says in errors which file it is.

    Raises:
        SceneError: not JSON, or a field is unknown, missing or malformed; the text names file and field.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SceneError(name, f"not JSON ({error})") from error
    try:
        return labels_from_dict(data)
    except SceneError as error:
        raise SceneError(f"{name}: {error.path}", error.problem) from error


def load_labels(path: str | Path) -> SceneLabels:
    """Read a ``scene.json``, or the one in a scene's folder.

    Raises:
        SceneError: not JSON, or a field is unknown, missing or malformed; the text names file and field.
        OSError: there is no such file.
    """
    file = Path(path)
    file = file / LABELS_FILE if file.is_dir() else file
    return parse_labels(file.read_bytes(), str(file))


def labels_from_dict(data: object) -> SceneLabels:
    """Build the labels from the parsed form of ``scene.json``.

    Raises:
        SceneError: a field is unknown, missing or malformed; the text names it.
    """
    path = "scene"
    names = ("schema_version", "seed", "split", "clip", "width", "height", "objects", "frames", "edits")
    if isinstance(data, Mapping) and data.get("schema_version") != LABELS_VERSION:
        found = data.get("schema_version")
        raise SceneError(
            f"{path}.schema_version",
            f"this side reads {LABELS_VERSION}, got {found!r}; render the data set again",
        )
    fields = _fields(data, path, names)
    objects = []
    for i, item in enumerate(_list(fields["objects"], f"{path}.objects")):
        here = f"{path}.objects[{i}]"
        values = _fields(item, here, ("name", "family", "symmetry"))
        name, family = (_text(values[k], f"{here}.{k}") for k in ("name", "family"))
        objects.append(ObjectLabel(name, family, _whole(values["symmetry"], f"{here}.symmetry", 0)))
    frames = _list(fields["frames"], f"{path}.frames")
    edits = _list(fields["edits"], f"{path}.edits")
    return SceneLabels(
        seed=_whole(fields["seed"], f"{path}.seed", 0),
        split=_text(fields["split"], f"{path}.split"),
        clip=_choice(fields["clip"], f"{path}.clip", CLIP_KINDS),
        width=_whole(fields["width"], f"{path}.width", 1),
        height=_whole(fields["height"], f"{path}.height", 1),
        objects=tuple(objects),
        frames=tuple(_frame(f, f"{path}.frames[{i}]", len(objects)) for i, f in enumerate(frames)),
        edits=tuple(_edit(e, f"{path}.edits[{i}]", len(frames), len(objects)) for i, e in enumerate(edits)),
    )


def _frame(data: object, path: str, count: int) -> FrameLabels:
    names = ("picture", "mask", "depth", "far", "stage", "camera", "boxes", "boxes_2d", "visible")
    fields = _fields(data, path, names)
    boxes = []
    for i, box in enumerate(_list(fields["boxes"], f"{path}.boxes", count)):
        boxes.append(None if box is None else Box.from_dict(box, f"{path}.boxes[{i}]"))
    rectangles = _list(fields["boxes_2d"], f"{path}.boxes_2d", count)
    shares = _list(fields["visible"], f"{path}.visible", count)
    depth, far = fields["depth"], fields["far"]
    return FrameLabels(
        picture=_file_name(fields["picture"], f"{path}.picture"),
        mask=_file_name(fields["mask"], f"{path}.mask"),
        depth=None if depth is None else _file_name(depth, f"{path}.depth"),
        far=None if far is None else _file_name(far, f"{path}.far"),
        stage=_whole(fields["stage"], f"{path}.stage", 0),
        camera=Camera.from_dict(fields["camera"], f"{path}.camera"),
        boxes=tuple(boxes),
        boxes_2d=tuple(_rectangle(r, f"{path}.boxes_2d[{i}]") for i, r in enumerate(rectangles)),
        visible=tuple(_share(s, f"{path}.visible[{i}]") for i, s in enumerate(shares)),
    )


def _edit(data: object, path: str, frames: int, objects: int) -> Edit:
    fields = _fields(data, path, ("kind", "source", "target", "donor", "object"))

    def index(name: str, count: int) -> int:
        value = _whole(fields[name], f"{path}.{name}", 0)
        if value >= count:
            raise SceneError(f"{path}.{name}", f"expected less than {count}, got {value}")
        return value

    kind = _choice(fields["kind"], f"{path}.kind", EDIT_KINDS)
    if kind in DONATED_KINDS and fields["donor"] is None:
        raise SceneError(f"{path}.donor", f"missing: the edit '{kind}' takes something from another frame")
    return Edit(
        kind=kind,
        source=index("source", frames),
        target=index("target", frames),
        donor=None if fields["donor"] is None else index("donor", frames),
        object=None if fields["object"] is None else index("object", objects),
    )


def _choice(value: object, path: str, choices: tuple[str, ...]) -> str:
    text = _text(value, path)
    if text not in choices:
        raise SceneError(path, f"expected one of {', '.join(choices)}, got {text!r}")
    return text


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
