"""The folder of a run: which configuration it belongs to."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from na_core.training.atomic_folder import disk_errors
from na_core.training.config import TASKS, TrainingConfig
from na_core.training.errors import ConfigError, TrainingError
from na_core.training.training_state import saved_steps

RECORD = "run.json"

FREE = {
    *("output", "scenes", "threads", "compile", "save_every", "keep_states", "log_every", "processes"),
    "validation",
}
"""Keys that a resumed run may change: they move or show what is learned, and do not change it."""


def claim_folder(config: TrainingConfig, file: Path, scene_names: Sequence[str], resume: bool) -> None:
    """Make a run's folder, or check that the one that is there is of the same configuration and data.

    The configuration was read from ``file``; the names are of all scenes in order.

    Raises:
        ConfigError: the folder holds a run of another configuration (the key is named) or of other scenes.
        TrainingError: it holds saved states, and is not to be resumed.
        DiskFull: the disk is full.
    """
    here = _binding(config)
    digest = hashlib.sha256("\n".join(scene_names).encode()).hexdigest()
    record = config.output / RECORD
    if record.is_file():
        try:
            stored = json.loads(record.read_text(encoding="utf-8"))
            there, scenes = stored["config"], stored["scenes"]
        except (ValueError, KeyError, TypeError) as error:
            raise TrainingError(f"{record} is damaged; give another 'output'") from error
        for key in sorted({*there, *here}):
            if there.get(key) != here.get(key):
                raise ConfigError(
                    f"{file}: '{key}' is {here.get(key)!r}, but {config.output} holds a run with "
                    f"{there.get(key)!r}. Give another 'output', or set it back"
                )
        if scenes != {"count": len(scene_names), "sha256": digest}:
            raise ConfigError(
                f"{file}: 'scenes' has {len(scene_names)} scenes, but {config.output} holds a run on "
                f"{scenes['count']} others. Give another 'output'"
            )
    if not resume and any(saved_steps(config.output / name) for name in TASKS):
        raise TrainingError(
            f"{config.output} holds a run already: go on with --resume, or give another 'output'"
        )
    if record.is_file():
        return
    with disk_errors(config.output):
        config.output.mkdir(parents=True, exist_ok=True)
        partial = record.with_suffix(".partial")
        text = json.dumps({"config": here, "scenes": {"count": len(scene_names), "sha256": digest}}, indent=1)
        partial.write_text(text, encoding="utf-8")
        partial.replace(record)


def export_folder(output: Path, task: str) -> Path:
    """Return where a task of a run exports what it trained: whole once the task's last state is saved."""
    return output / "checkpoint" if task == "decoder" else output / task / "trained"


def _binding(config: TrainingConfig) -> dict[str, Any]:
    """Return the keys that decide what is learned, tables as ``table.key``, as JSON holds them."""
    keys = TypeAdapter(TrainingConfig).dump_python(config, mode="json", exclude=FREE, exclude_none=True)
    found: dict[str, Any] = {}
    for name, value in keys.items():
        if isinstance(value, dict):
            found |= {f"{name}.{key}": each for key, each in value.items()}
        else:
            found[name] = value
    return found
