"""Refiners of every kind, with random weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from na_core.model.refiners import families
from na_core.model.refiners.loading import load_refiner
from na_core.model.refiners.refiner import Refiner
from tests.na_core.model.refiners.tiny_pipelines import KINDS, write_pipeline


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return a folder of each kind."""
    return {kind: write_pipeline(kind, tmp_path_factory.mktemp(kind)) for kind in KINDS}


@pytest.fixture(scope="session")
def refiners(folders: dict[str, Path]) -> dict[str, Refiner]:
    """Return a refiner of each kind. Wan's weights do not say which size of clips they know."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(families, "WAN_SIDE", 64)
        return {kind: load_refiner(str(folder)) for kind, folder in folders.items()}
