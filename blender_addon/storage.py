"""Where the extension may write: its own folder below Blender's user folder, and nowhere else."""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy


def user_folder(name: str) -> Path:
    """Return a folder of that name for the extension's own files, creating it.

    Run from source the add-on is no extension and has no such folder: the system's temporary one serves.
    """
    try:
        return Path(bpy.utils.extension_path_user(__package__, path=name, create=True))
    except ValueError:
        folder = Path(tempfile.gettempdir()) / "neural_assets" / name
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder
