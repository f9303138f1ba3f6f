"""The one message that describes a frame, shared by the add-on, the worker, the data sets and the evaluation.

Frozen dataclasses with a strict JSON form: unknown, missing or malformed fields raise :class:`SceneError`,
whose text names the field. A :class:`Frame` is complete in itself, so any worker can render any frame.

Conventions (see the design page): the world is Blender's (right-handed, Z up, metres); a camera looks along
its local -Z with +Y up; image coordinates are (x right, y down) in [0, 1] with the origin at the top left;
``a_from_b`` maps b-coordinates to a-coordinates. Standard library and numpy only.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

SCHEMA_VERSION = 1
"""Version of the JSON schema; a reader refuses any other."""

SAMPLING_PRESETS: dict[str, tuple[int, float]] = {
    "draft": (0, 1.0),
    "standard": (1, 1.0),
    "best": (2, 1.0),
}
"""Named recipes: ``preset -> (steps, guidance scale)``. ``draft`` is the proxy: no network runs.

One step from zero terminal SNR is the mean over what fits. It is the embedded checkpoint's best on the bench:
so small a decoder's further steps add texture, and error with it.
"""

MAX_STEPS = 1000
MAX_SIDE = 4096

Message = TypeVar("Message", bound="_Message")


class SceneError(ValueError):
    """A message that breaks the schema. The text begins with the path of the offending field."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem

    def __reduce__(self) -> tuple[type[SceneError], tuple[str, str]]:
        return type(self), (self.path, self.problem)  # so that it can leave a worker process


def _matrix(value: object, path: str) -> NDArray[np.float64]:
    """Return a read-only finite (4, 4) affine matrix with last row 0 0 0 1."""
    expected = "expected a 4x4 matrix of numbers"
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "iuf":
            raise SceneError(path, f"{expected}, got {value.dtype}")
        matrix = value.astype(np.float64)
    else:
        try:
            rows = [list(row) for row in value]  # type: ignore[attr-defined]
        except TypeError as error:
            raise SceneError(path, expected) from error
        if [len(row) for row in rows] != [4] * 4:
            raise SceneError(path, f"{expected}, got rows of length {[len(row) for row in rows]}")
        # Element by element: numpy would take "1" and True for numbers.
        matrix = np.array(
            [[_finite(x, f"{path}[{i}][{j}]") for j, x in enumerate(row)] for i, row in enumerate(rows)]
        )
    if matrix.shape != (4, 4):
        raise SceneError(path, f"{expected}, got shape {matrix.shape}")
    if not np.isfinite(matrix).all():
        raise SceneError(path, "holds a number that is not finite")
    if not np.allclose(matrix[3], (0.0, 0.0, 0.0, 1.0), atol=1e-6):
        raise SceneError(path, "the last row must be 0 0 0 1")
    matrix += 0.0  # -0.0 becomes 0.0: equal messages have equal JSON
    matrix.flags.writeable = False
    return matrix


def _finite(value: object, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise SceneError(path, f"expected a number, got {value!r}")
    try:
        number = float(value)
    except OverflowError:  # a whole number that no float can hold
        number = math.inf
    if not math.isfinite(number):
        raise SceneError(path, f"expected a finite number, got {value!r}")
    return number + 0.0  # -0.0 becomes 0.0: equal messages have equal JSON


def _integer(value: object, path: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise SceneError(path, f"expected a whole number, got {value!r}")
    if not low <= value <= high:
        raise SceneError(path, f"expected a whole number from {low} to {high}, got {value}")
    return int(value)


class _Message:
    """Equality, hash and strict JSON for the dataclasses below."""

    def to_dict(self) -> dict[str, Any]:
        """Return the message as plain lists, numbers, strings and dictionaries."""
        return {
            f.name: _plain(getattr(self, f.name))
            for f in dataclasses.fields(self)  # type: ignore[arg-type]
        }

    @classmethod
    def from_dict(cls, data: object, path: str | None = None) -> Self:
        """Build the message from :meth:`to_dict`'s form.

        Raises:
            SceneError: an unknown, missing or malformed field; the text names it.
        """
        here = path if path is not None else cls.__name__.lower()
        if not isinstance(data, Mapping):
            raise SceneError(here, f"expected an object, got {type(data).__name__}")
        hints = _hints(cls)  # type: ignore[arg-type]
        fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
        for name in data:
            if name not in fields:
                raise SceneError(f"{here}.{name}", "unknown field")
        values = {}
        for name, f in fields.items():
            if name in data:
                values[name] = _parse(hints[name], data[name], f"{here}.{name}")
            elif f.default is dataclasses.MISSING:
                raise SceneError(f"{here}.{name}", "missing")
        try:
            return cls(**values)
        except SceneError as error:
            suffix = error.path.partition(".")[2]
            raise SceneError(f"{here}.{suffix}" if suffix else here, error.problem) from None

    def to_json(self) -> str:
        """Return the message as compact JSON with sorted keys (the same message gives the same text)."""
        # Kept: messages never change, and are compared and looked up by it.
        text = self.__dict__.get("_json")
        if text is None:
            text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
            object.__setattr__(self, "_json", text)
        return text

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Parse :meth:`to_json`'s text.

        Raises:
            SceneError: not JSON, or a field is unknown, missing or malformed.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SceneError(cls.__name__.lower(), f"not JSON ({error})") from error
        return cls.from_dict(data)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Message) or type(other) is not type(self):
            return NotImplemented
        return other.to_json() == self.to_json()

    def __hash__(self) -> int:
        return hash(self.to_json())


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _plain(value: object) -> Any:
    if isinstance(value, _Message):
        return value.to_dict()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _parse(hint: Any, value: object, path: str) -> Any:
    """Parse nested messages and tuples of them; leaf values are checked by each ``__post_init__``."""
    if isinstance(hint, type) and issubclass(hint, _Message):
        return hint.from_dict(value, path)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType) and value is None:
        return None
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise SceneError(path, f"expected a list, got {type(value).__name__}")
        item = typing.get_args(hint)[0]
        return tuple(_parse(item, part, f"{path}[{i}]") for i, part in enumerate(value))
    return value


@dataclass(frozen=True, eq=False)
class Camera(_Message):
    """A pinhole camera.

    Attributes:
        world_from_camera: (4, 4) rigid transform; the camera looks along its local -Z, +Y is up.
        fx, fy: focal lengths in units of the image's width and height.
        cx, cy: principal point in image coordinates ([0, 1], y down); 0.5, 0.5 without lens shift.
    """

    world_from_camera: NDArray[np.float64]
    fx: float
    fy: float
    cx: float = 0.5
    cy: float = 0.5

    def __post_init__(self) -> None:
        matrix = _matrix(self.world_from_camera, "camera.world_from_camera")
        rotation = matrix[:3, :3]
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=1e-4) or np.linalg.det(rotation) < 0:
            raise SceneError("camera.world_from_camera", "must be a rotation and a translation")
        object.__setattr__(self, "world_from_camera", matrix)
        for name in ("fx", "fy", "cx", "cy"):
            object.__setattr__(self, name, _finite(getattr(self, name), f"camera.{name}"))
        for name in ("fx", "fy"):
            if getattr(self, name) <= 0:
                raise SceneError(f"camera.{name}", "must be positive")


@dataclass(frozen=True, eq=False)
class Box(_Message):
    """A 3D box: the image of the cube [-1/2, 1/2]^3 under ``world_from_box`` (4, 4); shear is legal."""

    world_from_box: NDArray[np.float64]

    def __post_init__(self) -> None:
        object.__setattr__(self, "world_from_box", _matrix(self.world_from_box, "box.world_from_box"))


@dataclass(frozen=True, eq=False)
class Photo(_Message):
    """A photo, named by the SHA-256 of its file's bytes (64 lower-case hexadecimal digits)."""

    sha256: str

    def __post_init__(self) -> None:
        if not isinstance(self.sha256, str) or not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise SceneError("photo.sha256", "expected 64 lower-case hexadecimal digits")


@dataclass(frozen=True, eq=False)
class Asset(_Message):
    """An object as one photo shows it.

    Attributes:
        name: shown to the user, not used by the model.
        photo: the picture that the appearance comes from.
        source_box: the object's box in the world of the source camera.
        source_camera: the camera that took the photo.
        source_box_2d: (x0, y0, x1, y1) in [0, 1], tight around the object in the photo; may be empty
            (x0 = x1) when the photo does not show the object.
        quarter_turns: the frozen relabelling k in {0, 1, 2, 3} of corners (design, section 4.3).
    """

    name: str
    photo: Photo
    source_box: Box
    source_camera: Camera
    source_box_2d: tuple[float, float, float, float]
    quarter_turns: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise SceneError("asset.name", f"expected a string, got {self.name!r}")
        rectangle = self.source_box_2d
        if not isinstance(rectangle, list | tuple) or len(rectangle) != 4:
            raise SceneError("asset.source_box_2d", "expected four numbers x0, y0, x1, y1")
        numbers = tuple(_finite(v, f"asset.source_box_2d[{i}]") for i, v in enumerate(rectangle))
        x0, y0, x1, y1 = numbers
        if not (0 <= x0 <= x1 <= 1 and 0 <= y0 <= y1 <= 1):
            raise SceneError("asset.source_box_2d", f"expected 0 <= x0 <= x1 <= 1, same for y, got {numbers}")
        object.__setattr__(self, "source_box_2d", numbers)
        turns = _integer(self.quarter_turns, "asset.quarter_turns", 0, 3)
        object.__setattr__(self, "quarter_turns", turns)


@dataclass(frozen=True, eq=False)
class PlacedAsset(_Message):
    """An asset and the box that it fills in the frame to render."""

    asset: Asset
    box: Box


@dataclass(frozen=True, eq=False)
class Background(_Message):
    """The photo without its objects.

    Attributes:
        photo: the picture that the background comes from.
        source_camera: the camera that took it.
        hidden_boxes: source boxes of every object to take out of it.
    """

    photo: Photo
    source_camera: Camera
    hidden_boxes: tuple[Box, ...] = ()


@dataclass(frozen=True, eq=False)
class Frame(_Message):
    """One picture to render, complete in itself."""

    camera: Camera
    assets: tuple[PlacedAsset, ...]
    background: Background

    def photos(self) -> tuple[Photo, ...]:
        """Return every photo that the frame needs, each once, in order of first use."""
        used = [self.background.photo, *(placed.asset.photo for placed in self.assets)]
        return tuple(dict.fromkeys(used))


@dataclass(frozen=True, eq=False)
class Sampling(_Message):
    """How to sample: the same frame, checkpoint and sampling give the same picture.

    Attributes:
        steps: denoising steps; 0 returns the proxy picture without running the network.
        guidance: classifier-free guidance scale; 1 runs the conditional branch alone.
        seed: of the initial noise.
        preset: the recipe that steps and guidance came from, or "custom".
        width, height: of the picture in pixels; any size, the worker pads.
    """

    steps: int = SAMPLING_PRESETS["standard"][0]
    guidance: float = SAMPLING_PRESETS["standard"][1]
    seed: int = 0
    preset: str = "standard"
    width: int = 256
    height: int = 256

    def __post_init__(self) -> None:
        checked = {
            "steps": _integer(self.steps, "sampling.steps", 0, MAX_STEPS),
            "seed": _integer(self.seed, "sampling.seed", 0, 2**31 - 1),
            "width": _integer(self.width, "sampling.width", 1, MAX_SIDE),
            "height": _integer(self.height, "sampling.height", 1, MAX_SIDE),
            "guidance": _finite(self.guidance, "sampling.guidance"),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        if not 0 <= self.guidance <= 30:
            raise SceneError("sampling.guidance", f"expected a number from 0 to 30, got {self.guidance}")
        if self.preset not in (*SAMPLING_PRESETS, "custom"):
            names = ", ".join((*SAMPLING_PRESETS, "custom"))
            raise SceneError("sampling.preset", f"expected one of {names}, got {self.preset!r}")

    @classmethod
    def from_preset(cls, preset: str, *, seed: int = 0, width: int = 256, height: int = 256) -> Sampling:
        """Return the sampling that a named preset stands for.

        Raises:
            SceneError: no preset of that name.
        """
        if preset not in SAMPLING_PRESETS:
            raise SceneError("sampling.preset", f"expected one of {', '.join(SAMPLING_PRESETS)}")
        steps, guidance = SAMPLING_PRESETS[preset]
        return cls(steps=steps, guidance=guidance, seed=seed, preset=preset, width=width, height=height)


@dataclass(frozen=True, eq=False)
class RenderJob(_Message):
    """Frames to render with one sampling: the body of a render request, and of a frames file."""

    frames: tuple[Frame, ...]
    sampling: Sampling = field(default=Sampling())
    schema_version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if type(self.schema_version) is not int or self.schema_version != SCHEMA_VERSION:
            raise SceneError(
                "renderjob.schema_version", f"this side speaks {SCHEMA_VERSION}, got {self.schema_version!r}"
            )
