"""What a checkpoint's configuration may ask for, before anything is built by it.

A file of a few bytes can ask for a million layers: building them would take minutes and all of the memory.
"""

import json
from pathlib import Path

MOST_BYTES = 2**20
"""Of a configuration's file."""

MOST_LAYERS = 512
"""Of any kind that a configuration counts; the largest image models have some dozens."""

MOST_ENTRIES = 64
"""Of a list: blocks and their widths."""

MOST_LABELS = 4096
"""Of a dictionary: names of classes."""

LARGEST = 2**20
"""Of other whole numbers, such as widths."""

COUNTS = ("layers", "depth", "num_", "repeat")
"""Parts of names of settings that count layers."""


def read_config(file: Path) -> dict[str, object]:
    """Read a configuration.

    Raises:
        ValueError: it is too large, no JSON object, or nested too deep to be read; the text says which.
    """
    if file.stat().st_size > MOST_BYTES:
        raise ValueError(f"{file.name} is larger than {MOST_BYTES // 2**20} MiB")
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file.name} is not JSON") from error
    if not isinstance(config, dict):
        raise ValueError(f"{file.name} holds no settings")
    return config


def check_config(config: object, name: str = "the configuration") -> None:
    """Check that nothing in a configuration is out of all reason.

    Args:
        config: as JSON gives it.
        name: of what is checked, for the error.

    Raises:
        ValueError: a setting is; the text names it.
    """
    if isinstance(config, dict):
        if len(config) > MOST_LABELS:
            raise ValueError(f"{name} has {len(config)} entries")
        for key, value in config.items():
            check_config(value, str(key)[:80])
    elif isinstance(config, list):
        if len(config) > MOST_ENTRIES:
            raise ValueError(f"{name} has {len(config)} entries")
        for value in config:
            check_config(value, name)
    elif isinstance(config, int) and not isinstance(config, bool):
        most = MOST_LAYERS if any(part in name for part in COUNTS) else LARGEST
        if abs(config) > most:
            raise ValueError(f"{name} is beyond {most}")
