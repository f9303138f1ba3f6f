"""The vae suite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from na_core.evaluation.autoencoder import PHOTOGRAPHS, photograph, reconstruct
from na_core.model.checkpoints import load_checkpoint


def test_photographs_are_real_colour_squares() -> None:
    found = [photograph(name) for name in PHOTOGRAPHS]
    assert all(p.shape == (256, 256, 3) and p.std() > 20 for p in found)


@pytest.mark.parametrize("size", [(64, 64), (50, 70), (3, 9)])
def test_any_size_comes_back(size: tuple[int, int], checkpoint: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    assert reconstruct(load_checkpoint(checkpoint), picture).shape == (*size, 3)
