"""Folders that appear whole or not at all, whatever happens while they are written."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from na_core.training.errors import DiskFull

FULL = (errno.ENOSPC, errno.EDQUOT)
"""Codes of the errors that say that a disk, or the user's part of it, is full."""


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to write into, which takes ``folder``'s place once everything is on the disk.

    Written beside it, flushed to the disk, renamed. An older folder of that name is moved aside before the
    new one is renamed and deleted after; a process killed between the two leaves it as ``NAME.previous``,
    from where :func:`recover_folder` brings it back.

    Raises:
        DiskFull: the disk is full; the older folder is untouched.
    """
    partial, previous = _beside(folder, "partial"), _beside(folder, "previous")
    shutil.rmtree(partial, ignore_errors=True)
    recover_folder(folder)
    with disk_errors(folder):
        try:
            partial.mkdir(parents=True)
            yield partial
            _flush(partial)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        if folder.is_dir():
            os.rename(folder, previous)
        os.rename(partial, folder)
        _flush_entry(folder.parent)
    shutil.rmtree(previous, ignore_errors=True)


def recover_folder(folder: Path) -> None:
    """Undo what a process left that was killed while it replaced a folder."""
    previous = _beside(folder, "previous")
    if not previous.is_dir():
        return
    if folder.is_dir():
        shutil.rmtree(previous, ignore_errors=True)
    else:
        os.rename(previous, folder)


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Turn errors of a full disk into :class:`DiskFull`, naming the disk that ``place`` is on.

    safetensors and the image writers wrap the system's error in classes of their own, so their text counts.
    """
    try:
        yield
    except Exception as error:
        codes = [f"(os error {code})" for code in FULL]
        if getattr(error, "errno", None) in FULL or any(code in str(error) for code in codes):
            raise DiskFull(_full(place)) from error
        raise


def _full(place: Path) -> str:
    there = next(folder for folder in (place.absolute(), *place.absolute().parents) if folder.exists())
    mount = next(folder for folder in (there, *there.parents) if folder.is_mount())
    free = shutil.disk_usage(there).free / 2**20
    return (
        f"the disk at {mount} is full ({free:.1f} MiB left): {place} was not written. What was saved before "
        f"is whole; make room and go on with --resume"
    )


def _beside(folder: Path, suffix: str) -> Path:
    return folder.with_name(f"{folder.name}.{suffix}")


def _flush(folder: Path) -> None:
    """Flush a folder's files, then the folders' entries, to the disk."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb+") as file:
                os.fsync(file.fileno())
    for path in (*(p for p in folder.rglob("*") if p.is_dir()), folder):
        _flush_entry(path)


def _flush_entry(folder: Path) -> None:
    """Flush a folder's own entries; Windows neither needs it nor lets a folder be opened."""
    with suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
