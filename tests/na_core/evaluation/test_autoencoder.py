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
def test_any_size_comes_back_as_if_its_edges_went_on(size: tuple[int, int], checkpoint: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    pipeline = load_checkpoint(checkpoint)
    padding = [(0, -side % pipeline.factor) for side in size]
    whole = reconstruct(pipeline, np.pad(picture, (*padding, (0, 0)), mode="edge"))
    found = reconstruct(pipeline, picture)
    assert found.shape == picture.shape
    np.testing.assert_array_equal(found, whole[: size[0], : size[1]])
