"""Strict messages: the base class of :mod:`na_core.scene`'s dataclasses, and checks of their fields.

A message never changes, and its JSON form is strict: an unknown, missing or malformed field raises
:class:`SceneError`, whose text names the field. Standard library and numpy only.
"""

import dataclasses
import functools
import json
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

MAX_ELEMENT = 1e9
"""Of a matrix, in metres: beyond it the 32-bit numbers of pictures mean nothing."""


class SceneError(ValueError):
    """A message that breaks the schema. The text begins with the path of the offending field."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem

    def __reduce__(self) -> tuple[type[Self], tuple[str, str]]:
        return type(self), (self.path, self.problem)  # so that it can leave a worker process


def as_matrix(value: object, path: str) -> NDArray[np.float64]:
    """Return a read-only finite (4, 4) affine matrix with last row 0 0 0 1."""
    expected = "expected a 4x4 matrix of numbers"
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "iuf":
            raise SceneError(path, f"{expected}, got {value.dtype}")
        checked = value.astype(np.float64)
    else:
        try:
            rows = [list(row) for row in value]  # type: ignore[attr-defined]
        except TypeError as error:
            raise SceneError(path, expected) from error
        if [len(row) for row in rows] != [4] * 4:
            raise SceneError(path, f"{expected}, got rows of length {[len(row) for row in rows]}")
        # Element by element: numpy would take "1" and True for numbers.
        checked = np.array(
            [[as_number(x, f"{path}[{i}][{j}]") for j, x in enumerate(row)] for i, row in enumerate(rows)]
        )
    if checked.shape != (4, 4):
        raise SceneError(path, f"{expected}, got shape {checked.shape}")
    if not np.isfinite(checked).all():
        raise SceneError(path, "holds a number that is not finite")
    if not np.allclose(checked[3], (0.0, 0.0, 0.0, 1.0), atol=1e-6):
        raise SceneError(path, "the last row must be 0 0 0 1")
    if np.abs(checked).max() > MAX_ELEMENT:
        raise SceneError(path, f"holds a number beyond {MAX_ELEMENT:g}")
    checked += 0.0  # -0.0 becomes 0.0: equal messages have equal JSON
    checked.flags.writeable = False
    return checked


def as_number(value: object, path: str, low: float = -math.inf, high: float = math.inf) -> float:
    """Return a finite number from ``low`` to ``high`` as a float; text and booleans are none."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        raise SceneError(path, f"expected a number, got {value!r}")
    try:
        number = float(value)
    except OverflowError:  # a whole number that no float can hold
        number = math.inf
    if not math.isfinite(number):
        raise SceneError(path, f"expected a finite number, got {value!r}")
    if not low <= number <= high:
        raise SceneError(path, f"expected a number from {low} to {high}, got {value!r}")
    return number + 0.0  # -0.0 becomes 0.0: equal messages have equal JSON


def as_integer(value: object, path: str, low: int, high: int | None = None) -> int:
    """Return a whole number from ``low`` to ``high``, both included; None sets no upper limit."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise SceneError(path, f"expected a whole number, got {value!r}")
    if value < low or (high is not None and value > high):
        limits = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise SceneError(path, f"expected a whole number {limits}, got {value}")
    return int(value)


def as_rectangle(value: object, path: str) -> tuple[float, float, float, float]:
    """Return four numbers x0, y0, x1, y1 in [0, 1] with x0 <= x1 and y0 <= y1."""
    if not isinstance(value, list | tuple) or len(value) != 4:
        raise SceneError(path, "expected four numbers x0, y0, x1, y1")
    x0, y0, x1, y1 = (as_number(number, f"{path}[{i}]", 0, 1) for i, number in enumerate(value))
    if x0 > x1 or y0 > y1:
        raise SceneError(path, f"expected x0 <= x1 and y0 <= y1, got {[x0, y0, x1, y1]}")
    return x0, y0, x1, y1


class Message:
    """Equality, hash and strict JSON of a frozen dataclass, which is made with ``eq=False``."""

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
        if not isinstance(other, Message) or type(other) is not type(self):
            return NotImplemented
        return other.to_json() == self.to_json()

    def __hash__(self) -> int:
        return hash(self.to_json())


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _plain(value: object) -> Any:
    if isinstance(value, Message):
        return value.to_dict()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _parse(hint: Any, value: object, path: str) -> Any:
    """Parse nested messages and tuples of them; leaf values are checked by each ``__post_init__``."""
    if isinstance(hint, type) and issubclass(hint, Message):
        return hint.from_dict(value, path)
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):  # of one kind and None
        return None if value is None else _parse(typing.get_args(hint)[0], value, path)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise SceneError(path, f"expected a list, got {type(value).__name__}")
        item = typing.get_args(hint)[0]
        return tuple(_parse(item, part, f"{path}[{i}]") for i, part in enumerate(value))
    return value
