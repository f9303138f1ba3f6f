"""Scenes: the complete scene folders of a data set."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from na_core.data.labels import LABELS_FILE, SceneLabels, load_labels


@dataclass(frozen=True)
class Scene:
    """A scene on disk: its folder and its labels."""

    folder: Path
    labels: SceneLabels

    def picture_path(self, frame: int) -> Path:
        """Return the path of a frame's picture."""
        return self.folder / self.labels.frames[frame].picture

    def mask_path(self, frame: int) -> Path:
        """Return the path of a frame's index mask."""
        return self.folder / self.labels.frames[frame].mask


def scene_folders(folder: str | Path) -> list[Path]:
    """Return the complete scene folders in a split's folder (or one level below), sorted.

    Half-written scenes have a hidden name, so that a data set may be read while it grows.
    """
    root = Path(folder)
    found = {
        path.parent
        for pattern in (LABELS_FILE, f"*/{LABELS_FILE}", f"*/*/{LABELS_FILE}")
        for path in root.glob(pattern)
    }
    return sorted(p for p in found if not any(part.startswith(".") for part in p.relative_to(root).parts))


def scenes(folder: str | Path) -> Iterator[Scene]:
    """Yield every complete scene in a split's folder (or one level below), in order.

    Raises:
        SceneError: a scene's labels are malformed.
    """
    for path in scene_folders(folder):
        yield Scene(path, load_labels(path))


def read_picture(path: str | Path) -> NDArray[np.uint8]:
    """Return a picture file as (H, W, 3) uint8 sRGB."""
    from PIL import Image

    with Image.open(path) as file:
        return np.asarray(file.convert("RGB"))


def read_mask(path: str | Path) -> NDArray[np.uint8]:
    """Return an index mask file as (H, W) uint8: 0 is the background, n is object n - 1.

    Raises:
        ValueError: the file is not a single-channel 8-bit picture.
    """
    from PIL import Image

    with Image.open(path) as file:
        if file.mode != "L":
            raise ValueError(f"{path}: expected a single-channel 8-bit mask, got mode {file.mode}")
        return np.asarray(file)
