"""The tables of every key in ``docs/training.md``, made from the dataclasses that read them.

python -m na_core.training.config_page docs/training.md
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from na_core.training.config import VALIDATION_SCENES, Optimisation, Taken, TrainingConfig
from na_core.training.config_reader import alternatives, is_required, key_of

BEGIN, END = "<!-- keys: begin -->\n", "<!-- keys: end -->\n"
"""Lines between which a page has its tables."""


def updated(page: str) -> str:
    """Return a page with its tables made anew.

    Raises:
        ValueError: it has no place for them, see :data:`BEGIN`.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no lines {BEGIN.strip()} and {END.strip()}")
    return before + begin + "\n" + key_tables() + "\n" + end + after


def key_tables() -> str:
    """Return a section for the keys before the first table, what tables share, and each table."""
    hints = get_type_hints(TrainingConfig)
    tables: dict[str, list[Any]] = {}
    for name, hint in hints.items():
        if kinds := [kind for kind, _ in alternatives(hint) if dataclasses.is_dataclass(kind)]:
            tables[name] = kinds
    sections = [_section("### Before the first table", TrainingConfig, set(tables))]
    sections.append(_section("### Each table that trains", Optimisation))
    for name, (kind, *others) in tables.items():
        note = ""
        if Taken in others:
            note = f" Or `from` alone: {_text(_attributes(Taken)['origin'])}"
        sections.append(_section(f"### `[{name}]`", kind, note=note))
    return "\n".join(sections)


def _section(title: str, kind: type, left_out: Collection[str] = (), note: str = "") -> str:
    """Return a dataclass's own keys as a section, and after them its base's whose defaults it changes."""
    texts, hints = _attributes(kind), get_type_hints(kind, include_extras=True)
    introduction = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
    lines = [title, "", _text(introduction) + note, ""]
    lines += ["| key | values | default | meaning |", "|---|---|---|---|"]
    own = [field for field in dataclasses.fields(kind) if field.name in kind.__annotations__]
    inherited = {name for base in kind.__mro__[1:] for name in getattr(base, "__annotations__", {})}
    for field in sorted(own, key=lambda field: field.name in inherited):
        if field.name in left_out:
            continue
        name = f"`{key_of(field)}`"
        row = (
            f"**{name}**" if is_required(field) else name,
            _values(hints[field.name]),
            _default(field),
            _text(texts[field.name]),
        )
        lines.append("|" + "|".join(f" {cell} " if cell else " " for cell in row) + "|")
    return "\n".join(lines) + "\n"


def _attributes(kind: type) -> dict[str, str]:
    """Return the "Attributes" of a dataclass's docstring and of its bases', by name."""
    texts: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        for names, text in _entries(each.__doc__ or ""):
            texts |= dict.fromkeys(names.split(", "), text)
    return texts


def _entries(docstring: str) -> Iterator[tuple[str, str]]:
    _, _, section = docstring.partition("Attributes:\n")
    for entry in re.split(r"\n {8}(?=\S)", "\n" + section.rstrip()):
        names, colon, text = entry.strip().partition(": ")
        if colon:
            yield names, " ".join(text.split())


def _text(text: str) -> str:
    """Return a docstring's text as Markdown."""
    return re.sub(r":\w+:`([^`]+)`", r"`\1`", text).replace("``", "`")


def _values(hint: Any) -> str:
    kind, limits = next(alternatives(hint))
    if get_origin(kind) is Literal:
        return ", ".join(f'`"{choice}"`' for choice in get_args(kind))
    if limits is not None:
        return str(limits).replace(" and at most ", " to ").removeprefix("at least ") + (
            "" if limits.high <= 1 else " or more"
        )
    return {Path: "a path", bool: "`true`, `false`", str: "a name or a path"}.get(kind, "a table")


def _default(field: dataclasses.Field) -> str:
    if is_required(field) or field.default is None or field.default_factory is not dataclasses.MISSING:
        return ""
    if field.default == VALIDATION_SCENES:
        return "embedded"
    if isinstance(field.default, str):
        return f'`"{field.default}"`'
    return f"{field.default}".lower()


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(updated(file.read_text(encoding="utf-8")), encoding="utf-8")
