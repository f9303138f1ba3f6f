"""Files of other versions: a scene remembers which version of the add-on wrote its data.

A scene of an older version is brought up to date step by step when its file is loaded or, should it have come
in another way, before the file is saved. A scene of a newer version is left alone, and panels say so.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass

import bpy
from bpy.app.handlers import persistent

import na_core

from .assets import asset_objects
from .thumbnails import has_thumbnail, set_thumbnail

Version = tuple[int, int, int]


def parse_version(text: str) -> Version:
    """Return the numbers of a version such as "0.1.0"."""
    major, minor, patch = (int(number) for number in text.split("."))
    return major, minor, patch


VERSION = parse_version(na_core.__version__)
"""This add-on's version."""

UNVERSIONED: Version = (0, 0, 0)
"""What a scene has whose data are from before versions were kept; scenes without our data have it too."""


@dataclass(frozen=True)
class Step:
    """What brings a scene's data to a version. It can be repeated without harm.

    Attributes:
        version: the first whose data look like this.
        apply: changes a scene and its assets.
    """

    version: Version
    apply: Callable[[bpy.types.Scene], None]


def add_thumbnails(scene: bpy.types.Scene) -> None:
    """Give the assets that have none the thumbnail that lists show."""
    for asset in asset_objects(scene):
        if asset.library is None and not has_thumbnail(asset):
            set_thumbnail(asset)


def renumber_presets(scene: bpy.types.Scene) -> None:
    """Turn the number that "custom" once had, and that no preset has now, into today's."""
    if scene.neural_assets.preset == "":
        scene.neural_assets.preset = "custom"


STEPS: tuple[Step, ...] = (
    Step((0, 1, 0), add_thumbnails),
    Step((0, 1, 0), renumber_presets),
)
"""In order of their versions."""


def version_of(scene: bpy.types.Scene) -> Version:
    """Return the version of the add-on that wrote a scene's data."""
    major, minor, patch = scene.neural_assets.version
    return major, minor, patch


def holds_our_data(scene: bpy.types.Scene) -> bool:
    """Tell whether a scene has a photo or assets."""
    return scene.neural_assets.photo is not None or bool(asset_objects(scene))


def update(scene: bpy.types.Scene) -> None:
    """Bring a scene's data up to date and note this version; one of a newer version is left alone."""
    stored = version_of(scene)
    if stored >= VERSION:
        return
    for step in STEPS:
        if stored < step.version <= VERSION:
            step.apply(scene)
    scene.neural_assets.version = VERSION


def newer_version_warning(scene: bpy.types.Scene) -> str:
    """Return what to tell of a scene whose data are from a newer version, empty if they are not."""
    stored = version_of(scene)
    if stored <= VERSION:
        return ""
    return (
        f"The scene '{scene.name}' was saved by Neural Assets {_dotted(stored)}, and this is "
        f"{_dotted(VERSION)}: update the add-on, or what is new in it may be lost"
    )


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))


def _update_file() -> None:
    """Bring every scene of the current file that holds our data up to date."""
    for scene in bpy.data.scenes:
        if scene.library is not None or not holds_our_data(scene):
            continue
        try:
            update(scene)
        except Exception:  # the file opens, or is saved, all the same; its version says that it is not done
            traceback.print_exc()


@persistent
def _after_load(*_: object) -> None:
    _update_file()
    for scene in bpy.data.scenes:
        if warning := newer_version_warning(scene):
            print(f"Warning: {warning}.", file=sys.stderr)


@persistent
def _before_save(*_: object) -> None:
    _update_file()


def register() -> None:
    """Look at every file from now on. The current one is left as it is until it is saved."""
    bpy.app.handlers.load_post.append(_after_load)
    bpy.app.handlers.save_pre.append(_before_save)


def unregister() -> None:
    """Look no more."""
    bpy.app.handlers.load_post.remove(_after_load)
    bpy.app.handlers.save_pre.remove(_before_save)
