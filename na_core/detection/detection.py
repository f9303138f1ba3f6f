"""What detection says of a photo: the camera, the ground and the objects on it, each object once."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from na_core.message import as_number, as_rectangle
from na_core.scene import Box, Camera, SceneError

ASSUMED_HEIGHT = 1.5
"""Metres of the camera above the ground where nothing says how large things are."""

UNNAMED = "Object"
"""What an object is called of which no one knows what it is, with its number."""

OVERLAP = 0.6
"""IoU of 2D boxes from which the less sure one is the same object."""


@dataclass(frozen=True)
class DetectedObject:
    """An object that was found.

    Attributes:
        name: what it is.
        score: in [0, 1], how sure that is.
        rectangle: (x0, y0, x1, y1) around what is seen of it, in image coordinates.
        box: around all of it; upright, on its support, its front (local -Y) where it was seen to be.
        mask: (H, W), the photo's pixels that show it; None if the detector finds none.
        doubt: how far the box may be off where it stands, in units of its own size, because the camera is not
            known for sure; 0 where the detector does not say.
    """

    name: str
    score: float
    rectangle: tuple[float, float, float, float]
    box: Box
    mask: NDArray[np.bool_] | None = None
    doubt: float = 0.0


@dataclass(frozen=True)
class CameraDoubt:
    """Errors to be expected of a camera; 0 of what was known.

    Attributes:
        focal: of the focal length, relative to it.
        pitch, roll: radians.
    """

    focal: float
    pitch: float
    roll: float


@dataclass(frozen=True)
class Detection:
    """What was found in a photo. The ground is the plane z = 0.

    Attributes:
        camera: that took it, above the world's origin and facing +Y.
        objects: the surest first.
        metric: whether lengths are the world's; if not, the camera's height is assumed.
        doubt: of the camera; None where the detector does not say.
    """

    camera: Camera
    objects: tuple[DetectedObject, ...]
    metric: bool
    doubt: CameraDoubt | None = None

    def scaled_to(self, camera_height: float) -> "Detection":
        """Return the same in a world whose camera is so many metres above the ground."""
        height = float(self.camera.world_from_camera[2, 3])
        factor = camera_height / height
        larger = np.diag([factor, factor, factor, 1.0])
        matrix = self.camera.world_from_camera.copy()
        matrix[:3, 3] *= factor
        camera = Camera(matrix, self.camera.fx, self.camera.fy, self.camera.cx, self.camera.cy)
        objects = tuple(replace(o, box=Box(larger @ o.box.world_from_box)) for o in self.objects)
        return Detection(camera, objects, self.metric, self.doubt)

    def to_dict(self) -> dict[str, Any]:
        """Return the detection as plain lists, numbers, strings and dictionaries; masks are left out."""
        return {
            "camera": self.camera.to_dict(),
            "metric": self.metric,
            "camera_doubt": None if self.doubt is None else asdict(self.doubt),
            "objects": [
                {
                    "name": thing.name,
                    "score": round(thing.score, 4),
                    "doubt": round(thing.doubt, 4),
                    "rectangle": list(thing.rectangle),
                    **thing.box.to_dict(),
                }
                for thing in self.objects
            ],
        }

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """Build the detection from :meth:`to_dict`'s form. A score or a doubt may be left out.

        Raises:
            SceneError: an unknown, missing or malformed field; the text names it.
        """
        known = {"camera", "metric", "camera_doubt", "objects"}
        fields = _fields(data, "boxes", known)
        doubt = fields.get("camera_doubt")
        if doubt is not None:
            doubt = _fields(doubt, "boxes.camera_doubt", {"focal", "pitch", "roll"})
            doubt = CameraDoubt(
                *(
                    as_number(doubt.get(key), f"boxes.camera_doubt.{key}")
                    for key in ("focal", "pitch", "roll")
                )
            )
        if "camera" not in fields:
            raise SceneError("boxes.camera", "missing")
        objects = fields.get("objects")
        if not isinstance(objects, list | tuple):
            raise SceneError("boxes.objects", "expected a list of objects")
        return cls(
            camera=Camera.from_dict(fields["camera"], "boxes.camera"),
            objects=tuple(_object(thing, f"boxes.objects[{i}]") for i, thing in enumerate(objects)),
            metric=bool(fields.get("metric", False)),
            doubt=doubt,
        )


def _object(data: object, path: str) -> DetectedObject:
    fields = _fields(data, path, {"name", "score", "doubt", "rectangle", "world_from_box"})
    if not isinstance(fields.get("name"), str):
        raise SceneError(f"{path}.name", "expected a string")
    return DetectedObject(
        name=fields["name"],
        score=as_number(fields.get("score", 1.0), f"{path}.score", 0, 1),
        rectangle=as_rectangle(fields.get("rectangle"), f"{path}.rectangle"),
        box=Box.from_dict({"world_from_box": fields.get("world_from_box")}, path),
        doubt=as_number(fields.get("doubt", 0.0), f"{path}.doubt", 0),
    )


def _fields(data: object, path: str, known: set[str]) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise SceneError(path, f"expected an object, got {type(data).__name__}")
    for name in data:
        if name not in known:
            raise SceneError(f"{path}.{name}", "unknown field")
    return data


def overlaps(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return the intersection over union (K, M) of rectangles (K, 4) and (M, 4): x0, y0, x1, y1."""
    shared = intersections(first, second)
    union = areas(first)[:, None] + areas(second) - shared
    return np.asarray(shared / np.maximum(union, 1e-12))


def intersections(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return the areas (K, M) that rectangles (K, 4) and (M, 4) share."""
    a = np.asarray(first, dtype=np.float64).reshape(-1, 1, 4)
    b = np.asarray(second, dtype=np.float64).reshape(1, -1, 4)
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    return np.asarray(np.prod(np.maximum(high - low, 0), axis=-1))


def areas(rectangles: ArrayLike) -> NDArray[np.float64]:
    """Return the areas (K,) of rectangles (K, 4)."""
    of = np.asarray(rectangles, dtype=np.float64).reshape(-1, 4)
    return np.asarray(np.prod(np.maximum(of[:, 2:] - of[:, :2], 0), axis=-1))


def distinct_rectangles(rectangles: NDArray[np.float64], overlap: float = OVERLAP) -> list[int]:
    """Return the numbers of rectangles (K, 4), the surest first, that no surer kept one overlaps much.

    That is by more than ``overlap``, intersection over union.
    """
    table = overlaps(rectangles, rectangles)
    kept: list[int] = []
    for number in range(len(rectangles)):
        if not (table[number, kept] > overlap).any():
            kept.append(number)
    return kept


def distinct_names(things: Sequence[str | None]) -> list[str]:
    """Return a name of its own for each object: "Cup", "Cup 2"; "Object 1", "Object 2".

    Args:
        things: what each object is; None where that is not known.
    """
    seen: Counter[str] = Counter()
    names = []
    for thing in things:
        kind = thing or UNNAMED
        seen[kind] += 1
        names.append(kind if thing and seen[kind] == 1 else f"{kind} {seen[kind]}")
    return names
