"""Labels: the frozen form of a scene's ``scene.json``, checked field by field."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from na_core.message import Message, SceneError, as_integer, as_number, as_rectangle
from na_core.scene import Box, Camera, Rectangle

LABELS_VERSION = 4
"""Version of ``scene.json`` that is written."""

READABLE_VERSIONS = (3, LABELS_VERSION)
"""Versions that a reader takes; 3 knows no plates, no lights and no pictures without an object."""

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

LIGHT_KINDS = ("sun", "area")
"""Lamps that stages have."""

LABELS_FILE = "scene.json"

MESHES_FILE = "meshes.json"
"""In a scene's folder of ``dataset meshes``: ``{object's name: na_core.scene.Mesh}``; its files are named by
their SHA-256."""


@dataclass(frozen=True)
class ObjectLabel(Message):
    """What an object is, the same in every frame.

    Attributes:
        name, family: of the object.
        symmetry: turns about its up axis after which its shape looks the same: 1 none but the full turn,
            0 any.
    """

    name: str
    family: str
    symmetry: int

    def __post_init__(self) -> None:
        _check_text(self.name, "object.name")
        _check_text(self.family, "object.family")
        as_integer(self.symmetry, "object.symmetry", 0)


@dataclass(frozen=True)
class Without(Message):
    """A frame's picture again, in which one object and its shadow are missing.

    Attributes:
        object: number of the object.
        picture: file name beside ``scene.json``.
    """

    object: int
    picture: str

    def __post_init__(self) -> None:
        as_integer(self.object, "without.object", 0)
        _check_file_name(self.picture, "without.picture")


@dataclass(frozen=True)
class Light(Message):
    """A lamp of a stage, beside the light of its surroundings.

    Attributes:
        stage: that it lights.
        kind: ``sun`` or ``area``.
        towards: unit vector from the middle of the objects to it, in the world.
        distance: in metres from there; None for a sun.
        size: a sun's angle in radians, an area lamp's side in metres.
        irradiance: on a surface that faces it there, in W/m².
    """

    stage: int
    kind: str
    towards: tuple[float, float, float]
    distance: float | None
    size: float
    irradiance: float

    def __post_init__(self) -> None:
        as_integer(self.stage, "light.stage", 0)
        _check_choice(self.kind, "light.kind", LIGHT_KINDS)
        if len(self.towards) != 3:
            raise SceneError("light.towards", f"expected three numbers, got {self.towards!r}")
        towards = tuple(as_number(each, f"light.towards[{i}]", -1, 1) for i, each in enumerate(self.towards))
        object.__setattr__(self, "towards", towards)
        for name in ("distance", "size", "irradiance"):
            if name != "distance" or self.distance is not None:
                object.__setattr__(self, name, as_number(getattr(self, name), f"light.{name}", 0))


@dataclass(frozen=True)
class FrameLabels(Message):
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
        plate: file name of the stage without its objects, developed as the picture is; frames that look at
            the same stage alike share it. None if it was left out.
        without: pictures in which single objects are missing.
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
    plate: str | None = None
    without: tuple[Without, ...] = ()

    def __post_init__(self) -> None:
        _check_file_name(self.picture, "frame.picture")
        _check_file_name(self.mask, "frame.mask")
        for name in ("depth", "far", "plate"):
            if getattr(self, name) is not None:
                _check_file_name(getattr(self, name), f"frame.{name}")
        as_integer(self.stage, "frame.stage", 0)
        rectangles = tuple(as_rectangle(r, f"frame.boxes_2d[{i}]") for i, r in enumerate(self.boxes_2d))
        object.__setattr__(self, "boxes_2d", rectangles)
        shares = tuple(as_number(share, f"frame.visible[{i}]", 0, 1) for i, share in enumerate(self.visible))
        object.__setattr__(self, "visible", shares)


@dataclass(frozen=True)
class Edit(Message):
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

    def __post_init__(self) -> None:
        _check_choice(self.kind, "edit.kind", EDIT_KINDS)
        if self.kind in DONATED_KINDS and self.donor is None:
            problem = f"missing: the edit '{self.kind}' takes something from another frame"
            raise SceneError("edit.donor", problem)


@dataclass(frozen=True)
class SceneLabels(Message):
    """All labels of a scene; frames of one stage show it under the same light.

    Attributes:
        clip: of :data:`CLIP_KINDS`.
        edits: the controlled edits among its frames.
        lights: the lamps of its stages.
    """

    seed: int
    split: str
    clip: str
    width: int
    height: int
    objects: tuple[ObjectLabel, ...]
    frames: tuple[FrameLabels, ...]
    edits: tuple[Edit, ...]
    lights: tuple[Light, ...] = ()
    schema_version: int = LABELS_VERSION

    def __post_init__(self) -> None:
        as_integer(self.seed, "scene.seed", 0)
        _check_text(self.split, "scene.split")
        _check_choice(self.clip, "scene.clip", CLIP_KINDS)
        as_integer(self.width, "scene.width", 1)
        as_integer(self.height, "scene.height", 1)
        objects, frames = len(self.objects), len(self.frames)
        for i, frame in enumerate(self.frames):
            for name in ("boxes", "boxes_2d", "visible"):
                if (found := len(getattr(frame, name))) != objects:
                    problem = f"expected one entry for each of the {objects} objects, got {found}"
                    raise SceneError(f"scene.frames[{i}].{name}", problem)
            for j, without in enumerate(frame.without):
                as_integer(without.object, f"scene.frames[{i}].without[{j}].object", 0, objects - 1)
        for i, edit in enumerate(self.edits):
            for name in ("source", "target", "donor", "object"):
                if (index := getattr(edit, name)) is not None or name in ("source", "target"):
                    last = (objects if name == "object" else frames) - 1
                    as_integer(index, f"scene.edits[{i}].{name}", 0, last)


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
    if isinstance(data, Mapping) and ((found := data.get("schema_version")) not in READABLE_VERSIONS):
        readable = " and ".join(map(str, READABLE_VERSIONS))
        problem = f"this side reads {readable}, got {found!r}; render the data set again"
        raise SceneError("scene.schema_version", problem)
    return SceneLabels.from_dict(data, "scene")


def _check_text(value: object, path: str) -> None:
    if not isinstance(value, str):
        raise SceneError(path, f"expected a string, got {value!r}")


def _check_choice(value: object, path: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise SceneError(path, f"expected one of {', '.join(choices)}, got {value!r}")


def _check_file_name(value: object, path: str) -> None:
    if not isinstance(value, str) or not value or value != Path(value).name or "\\" in value:
        raise SceneError(path, f"expected a file name without a folder, got {value!r}")
