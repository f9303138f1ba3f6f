"""What a task writes down as it trains: ``log.jsonl`` to plot, TensorBoard to watch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.tensorboard import SummaryWriter

from na_core.training.atomic_folder import disk_errors

LOG_FILE = "log.jsonl"


class RunLog:
    """The log in a task's folder, without what a killed run wrote after the step that it goes on from."""

    def __init__(self, folder: Path, step: int) -> None:
        self._file = folder / LOG_FILE
        with disk_errors(self._file):
            if self._file.is_file():
                self._file.write_text("".join(f"{json.dumps(line)}\n" for line in read_log(folder, step)))
            self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def add(self, record: Mapping[str, Any]) -> None:
        """Append a line; its numbers also become TensorBoard scalars, nested ones as ``name/nested``.

        Its "step" is the number of steps done.
        """
        with disk_errors(self._file):
            with self._file.open("a", encoding="utf-8") as log:
                log.write(json.dumps(record) + "\n")
            for name, value in _scalars(record):
                self._board.add_scalar(name, value, record["step"])

    def add_picture(self, name: str, picture: NDArray[np.uint8], step: int) -> None:
        """Show a picture (H, W, 3) in TensorBoard."""
        with disk_errors(self._file):
            self._board.add_image(name, picture, step, dataformats="HWC")

    def close(self) -> None:
        """Write out what is still held back."""
        with disk_errors(self._file):
            self._board.close()


def read_log(folder: Path, last_step: int | None = None) -> list[dict[str, Any]]:
    """Return the lines of a task's log, up to a step; a line cut off by a kill does not count."""
    lines = []
    for text in (folder / LOG_FILE).read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        if last_step is None or line["step"] <= last_step:
            lines.append(line)
    return lines


def _scalars(record: Mapping[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    found = []
    for name, value in record.items():
        if isinstance(value, Mapping):
            found += _scalars(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and name not in ("step", "seconds"):
            found.append((prefix + name, float(value)))
    return found
