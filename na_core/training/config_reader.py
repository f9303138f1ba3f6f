"""Reading TOML tables into dataclasses, strictly: every mistake is named with its file and key."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from na_core.training.errors import ConfigError

Table = TypeVar("Table")


@dataclass(frozen=True)
class Range:
    """The numbers that a field takes: ``Annotated[float, Range(0, 1)]``."""

    low: float
    high: float = math.inf

    def __contains__(self, value: float) -> bool:
        return math.isfinite(value) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"at least {self.low}" + ("" if math.isinf(self.high) else f" and at most {self.high}")


def read_toml(file: Path, children: tuple[Path, ...] = ()) -> dict[str, Any]:
    """Read a TOML file over those that it ``extends``, whose path is relative to its folder.

    Tables are merged key by key. One that takes a part ("from") and one that trains it replace each other.

    Args:
        file: to read.
        children: the files that extend it, for errors.

    Raises:
        ConfigError: a file is missing or not TOML, or files extend one another in a circle.
    """
    asked = f" (which {children[-1]} extends)" if children else ""
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            f"cannot read the training configuration {file}{asked}: {error.strerror}"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}{asked} is not TOML: {error}") from error
    parent = values.pop("extends", None)
    if parent is None:
        return values
    if not isinstance(parent, str):
        raise ConfigError(f"{file}: 'extends' must be of type str, not {parent!r}")
    origin = file.parent / parent
    children = (*children, file)
    if origin.resolve() in [child.resolve() for child in children]:
        raise ConfigError(f"{file}: 'extends' is '{parent}', which extends this file")
    return _merged(read_toml(origin, children), values)


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged: dict[str, Any] = dict(base)
    for key, value in over.items():
        old: Any = merged.get(key)
        tables = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merged(old, value) if tables and ("from" in old) == ("from" in value) else value
    return merged


def build(kind: type[Table], values: Mapping[str, Any], where: str) -> Table:
    """Build a dataclass from a TOML table.

    Args:
        kind: the dataclass. Its fields may be numbers and strings, with a :class:`Range` or not, literals,
            paths, mappings, and dataclasses. Of a union's dataclasses the second one is built if all its
            required keys are given, else the first.
        values: of the table.
        where: what an error begins with.

    Raises:
        ConfigError: a key is unknown, missing, ill-typed or out of range.
    """
    fields = {key_of(field): field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            raise ConfigError(f"{where}: unknown key '{key}'")
    hints = get_type_hints(kind, include_extras=True)
    built = {}
    for key, field in fields.items():
        if key in values:
            built[field.name] = _value(hints[field.name], values[key], key, where)
        elif is_required(field):
            raise ConfigError(f"{where}: missing key '{key}'")
    return kind(**built)


def key_of(field: dataclasses.Field) -> str:
    """Return a field's key in TOML: its name, but for ``from``, which Python keeps to itself."""
    return "from" if field.name == "origin" else field.name


def is_required(field: dataclasses.Field) -> bool:
    """Tell whether a field has no default."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _required(kind: Any) -> set[str]:
    return {key_of(field) for field in dataclasses.fields(kind) if is_required(field)}


def alternatives(hint: Any) -> Iterator[tuple[Any, Range | None]]:
    """Yield the types that a field's annotation allows, but for None, with their ranges."""
    if get_origin(hint) in (UnionType, Union):
        for each in get_args(hint):
            yield from alternatives(each)
    elif get_origin(hint) is Annotated:
        plain, *extras = get_args(hint)
        yield plain, next((extra for extra in extras if isinstance(extra, Range)), None)
    elif hint is not type(None):
        yield hint, None


def _value(hint: Any, value: Any, key: str, where: str) -> Any:
    """Check a value against its field's annotation; return it in that type."""
    kinds = list(alternatives(hint))
    expected, limits = kinds[0]
    if dataclasses.is_dataclass(expected):
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: '{key}' must be a table, [{key}]")
        chosen: Any = next((kind for kind, _ in kinds[1:] if _required(kind) <= value.keys()), expected)
        return build(chosen, value, f"{where}: {key}")
    if get_origin(expected) is Mapping:
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: '{key}' must be a table, [{key}]")
        inner = get_args(expected)[1]
        return {name: _value(inner, each, name, f"{where}: {key}") for name, each in value.items()}
    if choices := get_args(expected):  # of a Literal
        if value not in choices:
            names_ = ", ".join(f"'{name}'" for name in choices)
            raise ConfigError(f"{where}: '{key}' must be one of {names_}, not {value!r}")
        return value
    forms = {float: (int, float), Path: (str,)}.get(expected, (expected,))
    if not isinstance(value, forms) or (isinstance(value, bool) and expected is not bool):
        raise ConfigError(f"{where}: '{key}' must be of type {expected.__name__}, not {value!r}")
    if limits is not None and value not in limits:
        raise ConfigError(f"{where}: '{key}' must be {limits}, not {value!r}")
    return expected(value)
