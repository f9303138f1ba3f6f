"""Scenes: their labels and pictures, from a folder or a tar shard.

A scene is a folder of plain files: ``scene.json``, and for each frame a picture, an index mask and, unless
it was left out, a depth picture (:mod:`na_core.data.index_pictures`). A shard is a tar file of such folders;
see :mod:`na_core.data.shards`.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from na_core.data.index_pictures import read_indices, read_steps
from na_core.data.labels import LABELS_FILE, SceneLabels, load_labels, parse_labels
from na_core.data.shards import Member, shard_scenes

if TYPE_CHECKING:
    from PIL import Image

DEPTH_UNIT = 1 / 1024
"""Metres that one step of a 16-bit depth picture stands for; 65535 is anything farther than 64 metres."""


@dataclass(frozen=True)
class Folder:
    """A scene's files in a folder."""

    path: Path

    def read(self, name: str) -> bytes:
        """Return the bytes of a file; raises OSError naming it when it cannot be read."""
        return (self.path / name).read_bytes()

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class Scene:
    """A scene on disk.

    Attributes:
        name: of its folder.
        labels: all that is known of it.
        storage: where its files are.
    """

    name: str
    labels: SceneLabels
    storage: Folder | Member

    def picture(self, frame: int) -> NDArray[np.uint8]:
        """Return a frame's picture, (H, W, 3) sRGB."""
        return self._pixels(self.labels.frames[frame].picture, _rgb)

    def picture_bytes(self, frame: int) -> bytes:
        """Return the bytes of a frame's picture file: a photo, as a message names it."""
        return self.storage.read(self.labels.frames[frame].picture)

    def mask(self, frame: int) -> NDArray[np.uint8]:
        """Return a frame's index mask, (H, W): 0 is the background, n is object n - 1."""
        return self._pixels(self.labels.frames[frame].mask, read_indices)

    def depth(self, frame: int) -> NDArray[np.float32] | None:
        """Return a frame's depth, (H, W) metres along the viewing direction; None if it was left out.

        Infinite where it is 64 metres or more.
        """
        return self._metres(self.labels.frames[frame].depth)

    def far(self, frame: int) -> NDArray[np.float32] | None:
        """Return how far the far side of what a frame shows is, (H, W) metres; None if it was left out.

        It is where the ray through a pixel leaves the pixel's object for the last time: the picture does not
        show it. Infinite where the pixel shows no object.
        """
        return self._metres(self.labels.frames[frame].far)

    def plate(self, frame: int) -> NDArray[np.uint8] | None:
        """Return a frame's stage without objects, (H, W, 3) sRGB; None if it was left out."""
        name = self.labels.frames[frame].plate
        return None if name is None else self._pixels(name, _rgb)

    def without(self, frame: int) -> dict[int, NDArray[np.uint8]]:
        """Return a frame's pictures (H, W, 3) sRGB in which one object is missing, by its number."""
        pictures = self.labels.frames[frame].without
        return {each.object: self._pixels(each.picture, _rgb) for each in pictures}

    def _metres(self, name: str | None) -> NDArray[np.float32] | None:
        if name is None:
            return None
        steps = self._pixels(name, read_steps)
        return np.where(steps == 65535, np.inf, steps * DEPTH_UNIT).astype(np.float32)

    def _pixels(self, name: str, read: Callable[[Image.Image], NDArray]) -> NDArray:
        from PIL import Image

        # Pillow lets through whatever its readers stumble over in a damaged file.
        damage = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error)
        try:
            with Image.open(io.BytesIO(self.storage.read(name))) as file:
                pixels = read(file)
        except (*damage, Image.DecompressionBombError) as error:
            raise OSError(f"{self.storage}/{name}: not a readable picture ({error})") from error
        if pixels.shape[:2] != (self.labels.height, self.labels.width):
            height, width = pixels.shape[:2]
            expected = f"{self.labels.width} x {self.labels.height}"
            raise OSError(f"{self.storage}/{name}: {width} x {height} pixels, the labels say {expected}")
        return pixels


def _rgb(file: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(file.convert("RGB"))


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


def load_scene(folder: str | Path) -> Scene:
    """Return the scene in a folder.

    Raises:
        SceneError: its labels are malformed; the text names file and field.
        OSError: it has none.
    """
    path = Path(folder)
    return Scene(path.name, load_labels(path / LABELS_FILE), Folder(path))


def scenes(place: str | Path) -> Iterator[Scene]:
    """Yield every complete scene of a split in order.

    Args:
        place: a split's folder, the folder of one scene, a tar shard, or a folder of shards.

    Raises:
        SceneError: a scene's labels are malformed; the text names file and field.
        ShardError: a shard is damaged; the text names it.
    """
    root = Path(place)
    if root.is_file():
        yield from _from_shard(root)
        return
    for path in scene_folders(root):
        yield load_scene(path)
    for shard in sorted(root.glob("*.tar")):
        yield from _from_shard(shard)


def _from_shard(shard: Path) -> Iterator[Scene]:
    for name, storage in shard_scenes(shard).items():
        labels = parse_labels(storage.read(LABELS_FILE), f"{shard}: {name}/{LABELS_FILE}")
        yield Scene(name, labels, storage)
