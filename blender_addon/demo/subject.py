"""A demo's side file: the photo's camera, its boxes and how they move. No bpy.

    {"photo": "table.png",
     "size": [256, 256],
     "camera": {"pitch_degrees": 30, "height": 1.5, "focal_length_35mm": 35},
     "assets": [{"name": "Cup", "rectangle": [0.1, 0.4, 0.3, 0.8]},
                {"name": "Tin", "rectangle": [0.5, 0.4, 0.7, 0.8], "world_from_box": [[...], ...]}],
     "motion": [{"of": "Cup", "keys": [{"frame": 1}, {"frame": 24, "move": [0.3, 0, 0], "turn": 90}]},
                {"of": "Tin", "keys": [{"frame": 17, "hide": true}]},
                {"of": "camera", "keys": [{"frame": 1}, {"frame": 24, "orbit": 10}]}]}

``photo`` lies beside the side file (a photo that is given takes its place); ``size`` is the frames', the
photo's if left out; ``camera`` may be a whole :class:`na_core.scene.Camera`; an asset without a box stands on
the ground.
``move`` is in metres and ``turn`` in degrees about the vertical, both from where the photo shows the object;
``orbit`` turns the camera about the assets' middle; ``hide`` takes the object out from that frame on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from na_core.scene import Camera, Rectangle, SceneError

from ..errors import UserError

FRAMES = 24

ASSUMED_WIDTH = 0.3
"""Metres of a box that is not made yet, for how far it moves where a side file does not say."""


@dataclass(frozen=True)
class Key:
    """Where something is at a frame, relative to the photo: metres, degrees, degrees."""

    frame: int
    move: tuple[float, float, float] = (0.0, 0.0, 0.0)
    turn: float = 0.0
    orbit: float = 0.0
    hide: bool = False


@dataclass(frozen=True)
class Motion:
    """The keys of one asset, or of the camera (``of`` is "camera")."""

    of: str
    keys: tuple[Key, ...]


@dataclass(frozen=True)
class BoxedAsset:
    """An asset's rectangle in the photo, and its 3D box (4, 4) if that is known."""

    name: str
    rectangle: Rectangle
    world_from_box: list[list[float]] | None


@dataclass(frozen=True)
class Subject:
    """All that a demo is about."""

    photo: Path | None
    size: tuple[int, int] | None
    camera: Camera | None
    pitch_degrees: float | None
    height: float | None
    focal_length_35mm: float | None
    assets: tuple[BoxedAsset, ...]
    motion: tuple[Motion, ...]


def load_subject(path: Path) -> Subject:
    """Read a side file.

    Raises:
        UserError: it is missing, not JSON, or a field is unknown, missing or malformed; the text says which.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        what = f"The boxes file '{path}' cannot be read ({error.strerror})."
        raise UserError(what, "Give a file that exists.") from error
    except ValueError as error:
        what = f"The boxes file '{path}' is not JSON ({error})."
        raise UserError(what, "Correct it at that place.") from error
    try:
        return _subject(data, path.parent)
    except SceneError as error:
        what = f"The boxes file '{path.name}' is wrong at {error}."
        raise UserError(what, "Correct that field.") from error


def _subject(data: Any, folder: Path) -> Subject:
    fields = _fields(data, "boxes", {"photo", "size", "camera", "assets", "motion"})
    camera = fields.get("camera", {})
    whole = Camera.from_dict(camera, "boxes.camera") if "world_from_camera" in camera else None
    known = {"pitch_degrees", "height", "focal_length_35mm"}
    lens = {} if whole else _fields(camera, "boxes.camera", known)
    size = fields.get("size")
    assets = [_asset(item, f"boxes.assets[{i}]") for i, item in enumerate(fields.get("assets", []))]
    if not assets:
        raise SceneError("boxes.assets", "at least one asset is needed")
    motion = tuple(_motion(m, f"boxes.motion[{i}]") for i, m in enumerate(fields.get("motion", [])))
    names = {"camera", *(asset.name for asset in assets)}
    for i, moving in enumerate(motion):
        if moving.of not in names:
            raise SceneError(f"boxes.motion[{i}].of", f"no asset is called {moving.of!r}")
    return Subject(
        photo=folder / fields["photo"] if "photo" in fields else None,
        size=(int(size[0]), int(size[1])) if size else None,
        camera=whole,
        pitch_degrees=_optional_number(lens, "pitch_degrees", "boxes.camera"),
        height=_optional_number(lens, "height", "boxes.camera"),
        focal_length_35mm=_optional_number(lens, "focal_length_35mm", "boxes.camera"),
        assets=tuple(assets),
        motion=motion or default_motion({asset.name: ASSUMED_WIDTH for asset in assets}),
    )


def default_motion(widths: Mapping[str, float]) -> tuple[Motion, ...]:
    """Return a motion for boxes that come without: one slides, one turns, one goes away.

    Args:
        widths: of the boxes in metres, by name; the first three move.
    """
    names = list(widths)
    motions = [Motion("camera", (Key(17), Key(FRAMES, orbit=8.0)))]
    if names:
        motions.append(Motion(names[0], (Key(1), Key(16, move=(0.8 * widths[names[0]], 0.0, 0.0)))))
    if len(names) > 1:
        motions.append(Motion(names[1], (Key(1), Key(16, turn=40.0))))
    if len(names) > 2:
        motions.append(Motion(names[2], (Key(13, hide=True),)))
    return tuple(motions)


def _asset(data: Any, path: str) -> BoxedAsset:
    fields = _fields(data, path, {"name", "rectangle", "world_from_box"})
    if not isinstance(fields.get("name"), str):
        raise SceneError(f"{path}.name", "expected a string")
    rectangle = _numbers(fields.get("rectangle"), 4, f"{path}.rectangle")
    box = fields.get("world_from_box")
    return BoxedAsset(fields["name"], rectangle, box)  # type: ignore[arg-type]


def _motion(data: Any, path: str) -> Motion:
    fields = _fields(data, path, {"of", "keys"})
    keys = []
    for i, key in enumerate(fields.get("keys", [])):
        here = f"{path}.keys[{i}]"
        k = _fields(key, here, {"frame", "move", "turn", "orbit", "hide"})
        if not isinstance(k.get("frame"), int):
            raise SceneError(f"{here}.frame", "expected a whole number")
        keys.append(
            Key(
                frame=k["frame"],
                move=_numbers(k.get("move", [0, 0, 0]), 3, f"{here}.move"),  # type: ignore[arg-type]
                turn=_optional_number(k, "turn", here) or 0.0,
                orbit=_optional_number(k, "orbit", here) or 0.0,
                hide=bool(k.get("hide", False)),
            )
        )
    return Motion(str(fields.get("of")), tuple(keys))


def _fields(data: Any, path: str, known: set[str]) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise SceneError(path, "expected an object")
    for name in data:
        if name not in known:
            raise SceneError(f"{path}.{name}", "unknown field")
    return data


def _numbers(value: Any, count: int, path: str) -> tuple[float, ...]:
    good = isinstance(value, list) and len(value) == count
    if not good or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in value):
        raise SceneError(path, f"expected {count} numbers")
    return tuple(float(v) for v in value)


def _optional_number(fields: dict[str, Any], name: str, path: str) -> float | None:
    value = fields.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise SceneError(f"{path}.{name}", "expected a number")
    return value
