"""The tables of every key in ``docs/training.md``, made from the dataclasses that read them.

python -m na_core.training.config_page docs/training.md
"""

import re
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from na_core.training import tables
from na_core.training.config import TrainingConfig
from na_core.training.tables import VALIDATION_SCENES, Optimisation, Taken

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
    keys = TypeAdapter(TrainingConfig).json_schema()["properties"]
    named = {name: re.findall(r"#/\$defs/(\w+)", str(entry)) for name, entry in keys.items()}
    parts = {name: kinds for name, kinds in named.items() if kinds}
    sections = [_section("### Before the first table", TrainingConfig, parts)]
    sections.append(_section("### Each table that trains", Optimisation))
    for name, (kind, *others) in parts.items():
        if kind == Taken.__name__:
            origin = _text(_attributes(Taken)["origin"])
            sections.append(f"### `[{name}]`\n\n`from` alone: {origin}\n")
            continue
        note = f" Or `from` alone: {_text(_attributes(Taken)['origin'])}" if others else ""
        sections.append(_section(f"### `[{name}]`", getattr(tables, kind), note=note))
    return "\n".join(sections)


def _section(title: str, kind: type, left_out: Collection[str] = (), note: str = "") -> str:
    """Return a dataclass's own keys as a section, and after them its base's whose defaults it changes."""
    texts, schema = _attributes(kind), TypeAdapter(kind).json_schema()
    introduction = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
    lines = [title, "", _text(introduction) + note, ""]
    lines += ["| key | values | default | meaning |", "|---|---|---|---|"]
    own = [name for name in schema["properties"] if name in kind.__annotations__ and name not in left_out]
    inherited = {name for base in kind.__mro__[1:] for name in getattr(base, "__annotations__", {})}
    for name in sorted(own, key=inherited.__contains__):
        entry = schema["properties"][name]
        key = f"**`{name}`**" if name in schema.get("required", ()) else f"`{name}`"
        row = (key, _values(entry), _default(entry), _text(texts[name]))
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


def _values(entry: dict[str, Any]) -> str:
    kind = entry.get("anyOf", [entry])[0]
    if "enum" in kind:
        return ", ".join(f'`"{choice}"`' for choice in kind["enum"])
    if "minimum" in kind:
        return f"{kind['minimum']} " + (f"to {kind['maximum']}" if "maximum" in kind else "or more")
    if kind.get("format") == "path":
        return "a path"
    return {"boolean": "`true`, `false`", "string": "a name or a path"}.get(kind["type"], "a table")


def _default(entry: dict[str, Any]) -> str:
    value = entry.get("default")
    if value == str(VALIDATION_SCENES):
        return "embedded"
    if isinstance(value, str):
        return f'`"{value}"`'
    return "" if value is None else str(value).lower()


if __name__ == "__main__":
    file = Path(sys.argv[1])
    file.write_text(updated(file.read_text(encoding="utf-8")), encoding="utf-8")
