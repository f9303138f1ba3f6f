"""Shards: the scenes of a split in one tar file, for transport. Plain tar, so any tool opens it."""

import io
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from na_core.data.labels import LABELS_FILE


class ShardError(ValueError):
    """A shard that is damaged or holds no scene. The text begins with the file's name."""


@dataclass(frozen=True)
class Member:
    """A scene's files inside a shard: name to (offset, size) in bytes."""

    shard: Path
    scene: str
    files: Mapping[str, tuple[int, int]]

    def read(self, name: str) -> bytes:
        """Return the bytes of a file.

        Raises:
            OSError: the scene has no such file, or the shard ends before its end.
        """
        if name not in self.files:
            raise OSError(f"{self.shard}: {self.scene} has no file {name}")
        offset, size = self.files[name]
        with self.shard.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
        if len(data) != size:
            raise OSError(f"{self.shard}: ends inside {self.scene}/{name}; copy it again")
        return data

    def __str__(self) -> str:
        return f"{self.shard}: {self.scene}"


def shard_scenes(shard: str | Path) -> dict[str, Member]:
    """Return where the files of each scene of a shard lie, by the scene's name, sorted.

    Raises:
        ShardError: it is no tar file, is truncated, or holds no scene.
    """
    path = Path(shard)
    found: dict[str, dict[str, tuple[int, int]]] = {}
    size = path.stat().st_size
    try:
        with tarfile.open(path, "r:") as archive:
            for item in archive:
                if item.offset_data + item.size > size:
                    raise tarfile.ReadError(f"it ends inside {item.name}")
                scene, _, name = item.name.removeprefix("./").rpartition("/")
                if item.isfile() and scene:
                    found.setdefault(scene, {})[name] = item.offset_data, item.size
            # tarfile takes a file that ends, or goes on with rubbish, after a member for a whole one: a whole
            # one has the end mark there, a block of zeros.
            with path.open("rb") as file:
                file.seek(archive.offset)
                if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
                    raise tarfile.ReadError(f"its end is missing at byte {archive.offset}")
    except tarfile.TarError as error:
        raise ShardError(f"{path}: not a whole tar file ({error}); copy or pack the shard again") from error
    members = {
        scene: Member(path, scene, files) for scene, files in sorted(found.items()) if LABELS_FILE in files
    }
    if not members:
        raise ShardError(f"{path}: holds no scene")
    return members


def packed_size(folders: Iterable[str | Path]) -> int:
    """Return the bytes of the shard that :func:`pack` writes of scene folders."""
    block = tarfile.BLOCKSIZE
    files = [file for folder in folders for file in Path(folder).iterdir()]
    # A header and whole blocks for each file, two blocks that end the archive, and whole records.
    blocks = sum(1 + -(-file.stat().st_size // block) for file in files) + 2
    return -(-blocks * block // tarfile.RECORDSIZE) * tarfile.RECORDSIZE


def pack(folders: Iterable[str | Path], shard: str | Path) -> int:
    """Write scene folders into a shard; the same files give the same bytes. Return how many.

    The shard appears when it is complete.

    Raises:
        ValueError: two folders have the same name.
        OSError: a file cannot be read, or the shard cannot be written.
    """
    path = Path(shard)
    chosen = [Path(folder) for folder in folders]
    names = [folder.name for folder in chosen]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{path}: two scenes are called '{name}'")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    try:
        with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as archive:
            for folder in chosen:
                for file in sorted(folder.iterdir()):
                    data = file.read_bytes()
                    item = tarfile.TarInfo(f"{folder.name}/{file.name}")
                    item.size = len(data)
                    archive.addfile(item, io.BytesIO(data))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return len(chosen)
