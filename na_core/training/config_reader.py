"""Reading TOML files that extend one another; every mistake is named with its file and key."""

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from na_core.training.errors import ConfigError


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


def mistake(error: ValidationError) -> str:
    """Return the text of a refused table's first mistake: the tables and the key, and what is wrong."""
    first = min(error.errors(), key=lambda each: each["type"] != "unexpected_keyword_argument")
    *tables, key = (str(part) for part in first["loc"] if part not in ("trained", "taken"))
    wrong = first["msg"].replace("Input should be", "must be")
    wrong = wrong.replace("greater than or equal to", "at least").replace("less than or equal to", "at most")
    text = {
        "unexpected_keyword_argument": f"unknown key '{key}'",
        "missing": f"missing key '{key}'",
        "dataclass_type": f"'{key}' must be a table, [{key}]",
        "dict_type": f"'{key}' must be a table, [{key}]",
        "path_type": f"'{key}' must be a path, not {first['input']!r}",
    }.get(first["type"], f"'{key}' {wrong}, not {first['input']!r}")
    return ": ".join([*tables, text])
