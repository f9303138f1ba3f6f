"""Which decoder finishes frames: the embedded one, a checkpoint's, or an image model of the user's.

The preferences hold which one is chosen and which folders there are to choose from; the scene knows none of
them, for a folder is this machine's.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from .errors import UserError
from .preferences import NeuralAssetsPreferences, worker_settings
from .worker.settings import WorkerSettings

INDEX = "model_index.json"
"""The file of a diffusers folder that says what it is."""

CHECKPOINT = "NeuralAssetsPipeline"
"""What it says of a checkpoint of ours; anything else is asked to refine."""

EMBEDDED = "Embedded"

EMBEDDED_SIDE = 512
"""Pixels of the longer side of photos that the embedded decoder works at."""

SIZES = (
    ("photo_network/config.json", "working_size", 1),
    (INDEX, "picture_size", 1),
    ("unet/config.json", "sample_size", 8),
    ("transformer/config.json", "sample_size", 8),
)
"""Where a folder says at what side its decoder works, and how many pixels a unit of it is."""


@dataclass(frozen=True)
class KnownDecoder:
    """A decoder to choose from: what it is called, and its folder."""

    name: str
    folder: str


def decoder_name() -> str:
    """Return what the decoder that frames are finished by is called: its folder's name, or "Embedded"."""
    settings = worker_settings()
    folder = settings.refiner or settings.checkpoint
    return Path(folder).name if folder else EMBEDDED


def decoder_side(settings: WorkerSettings | None = None) -> int:
    """Return the pixels of the longer side that the decoder works at; 0 where nobody knows.

    Known are the embedded one's, and those of folders that were chosen: what they say is read then, and never
    while panels are drawn.
    """
    settings = settings or worker_settings()
    folder = settings.refiner or settings.checkpoint
    if not folder:
        return EMBEDDED_SIDE
    addon: bpy.types.Addon | None = bpy.context.preferences.addons.get(__package__)
    known = addon.preferences.decoders if addon else ()
    same = (entry for entry in known if os.path.normpath(entry.folder) == os.path.normpath(folder))
    return next((int(entry.side) for entry in same), 0)


def decoder_is_given() -> bool:
    """Tell whether the environment says which decoder it is, as on a farm."""
    return any(os.environ.get(f"NEURAL_ASSETS_{name}") for name in ("REFINER", "CHECKPOINT"))


def choose_decoder(folder: str = "") -> None:
    """Choose the decoder that finishes frames from now on, and keep it among those to choose from.

    Args:
        folder: of a checkpoint, or of a diffusers pipeline that refines; empty for the embedded decoder.

    Raises:
        UserError: it is no such folder.
    """
    chosen = _preferences()
    if not folder:
        chosen.checkpoint = chosen.refiner = ""
        return
    place = Path(bpy.path.abspath(folder))
    ours, path = _kind(place) == CHECKPOINT, str(place)
    if all(entry.folder != path for entry in chosen.decoders):
        entry = chosen.decoders.add()
        entry.name, entry.folder = place.name, path
    for entry in chosen.decoders:
        if entry.folder == path:
            entry.side = _side(place)
    chosen.checkpoint, chosen.refiner = (path, "") if ours else ("", path)


def forget_decoder(folder: str) -> None:
    """Take a folder from those to choose from; the embedded decoder finishes frames if it was chosen."""
    chosen = _preferences()
    number = next((i for i, entry in enumerate(chosen.decoders) if entry.folder == folder), -1)
    if number >= 0:
        chosen.decoders.remove(number)
    if folder in (chosen.checkpoint, chosen.refiner):
        choose_decoder()


def known_decoders() -> list[KnownDecoder]:
    """Return the decoders to choose from, beside the embedded one."""
    return [KnownDecoder(entry.name, entry.folder) for entry in _preferences().decoders]


def _kind(folder: Path) -> str:
    try:
        return str(json.loads((folder / INDEX).read_text(encoding="utf-8"))["_class_name"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"'{folder}' is no folder of a decoder: it has no {INDEX} that says what it is.",
            "Choose the folder that holds that file: a checkpoint's, or a diffusers pipeline's.",
        ) from error


def _side(folder: Path) -> int:
    """Return the side that a folder's decoder works at, 0 if it does not say."""
    for name, key, pixels in SIZES:
        try:
            side = json.loads((folder / name).read_text(encoding="utf-8"))[key]
            if isinstance(side, int) and side > 0:
                return side * pixels
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return 0


def _preferences() -> NeuralAssetsPreferences:
    addon: bpy.types.Addon | None = bpy.context.preferences.addons.get(__package__)
    if addon is None or addon.preferences is None:
        raise UserError("The add-on is not enabled.", "Enable it in the preferences.")
    found: Any = addon.preferences
    return found
