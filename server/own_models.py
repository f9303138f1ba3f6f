"""The user's own models, of layers and refiners: where they are, what they are called, and under which
licence they stand."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from server.failures import Failure, is_out_of_memory

if TYPE_CHECKING:
    import torch

    from na_core.layers.own_models import OwnModels
    from na_core.model.refiners.refiner import Refiner

LICENCE_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING")
"""Names of files that hold a model's licence beside it; what is read is their first line."""

UNKNOWN_LICENCE = "licence not stated"


@dataclass(frozen=True)
class ModelSettings:
    """Where models of the user's are: files, folders, or names on the hub; empty for the embedded network.

    Attributes:
        outlines: see :func:`na_core.layers.outline_models.load_outlines`.
        surfaces: see :func:`na_core.detection.metric_depth.load_depth`.
        plates: see :func:`na_core.layers.plate_models.load_plates`.
        refiner: see :func:`na_core.model.refiners.loading.load_refiner`; a folder, never a name.
        download: fetch from the hub what is not on this disk.
    """

    outlines: str = ""
    surfaces: str = ""
    plates: str = ""
    refiner: str = ""
    download: bool = False

    @property
    def chosen(self) -> dict[str, str]:
        """The models that were chosen, by what they make."""
        names = ("outlines", "surfaces", "plates", "refiner")
        return {name: place for name in names if (place := getattr(self, name))}

    @property
    def identity(self) -> str:
        """Text that changes with the models and with their files."""
        parts = []
        for name, place in self.chosen.items():
            path = Path(place)
            files = sorted(path.rglob("*")) if path.is_dir() else [path]
            stats = [(str(file), file.stat()) for file in files if file.is_file()]
            parts += [f"{name} {place}", *(f"{file} {s.st_size} {s.st_mtime_ns}" for file, s in stats)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16] if parts else ""

    def licences(self) -> dict[str, str]:
        """Return the licence of each model that was chosen, as the files beside it state it."""
        return {name: licence_of(place) for name, place in self.chosen.items()}


def licence_of(place: str) -> str:
    """Return a model's licence: of its card's header (README.md), or the first line of a licence file."""
    path = Path(place)
    folder = path if path.is_dir() else path.parent
    card = folder / "README.md"
    if card.is_file():
        text = card.read_text(encoding="utf-8", errors="replace")
        found = re.search(r"^license(?:_name)?:\s*(\S.*)$", text[:4000], re.MULTILINE)
        if found:
            return found[1].strip().strip("\"'")
    for name in LICENCE_FILES:
        file = folder / name
        if file.is_file():
            lines = (line.strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines())
            return next((line for line in lines if line), UNKNOWN_LICENCE)
    return UNKNOWN_LICENCE


def load_models(settings: ModelSettings, device: str) -> OwnModels:
    """Load the models that the user chose.

    Raises:
        Failure: ``weights_missing`` or ``out_of_memory``.
    """
    from na_core.detection.metric_depth import load_depth
    from na_core.layers.outline_models import load_outlines
    from na_core.layers.own_models import OwnModels
    from na_core.layers.plate_models import load_plates

    outlines, surfaces, plates = settings.outlines, settings.surfaces, settings.plates
    fetch = settings.download
    too_large = (
        f"Not enough memory on {device} for the models of layers: choose smaller ones, close other "
        "programs that use it, or start with --device cpu."
    )
    with _loading_explained(too_large):
        return OwnModels(
            outlines=load_outlines(outlines, device, download=fetch) if outlines else None,
            depth=load_depth(surfaces, device, download=fetch) if surfaces else None,
            plates=load_plates(plates, device, download=fetch) if plates else None,
        )


def load_own_refiner(settings: ModelSettings, device: str, dtype: torch.dtype) -> Refiner | None:
    """Load the refiner that the user chose; None for none.

    Raises:
        Failure: ``weights_missing`` or ``out_of_memory``.
    """
    from na_core.model.refiners.loading import load_refiner

    if not settings.refiner:
        return None
    too_large = (
        f"Not enough memory on {device} for the refiner: choose a smaller one, or close other programs "
        "that use it."
    )
    with _loading_explained(too_large):
        return load_refiner(settings.refiner, device, dtype)


@contextmanager
def _loading_explained(too_large: str) -> Iterator[None]:
    """Turn what goes wrong in loading weights into a Failure; ``too_large`` is said where memory is short."""
    from na_core.detection.weights import WeightsError

    try:
        yield
    except WeightsError as error:
        raise Failure("weights_missing", str(error), status=422) from error
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise Failure("out_of_memory", too_large) from error
