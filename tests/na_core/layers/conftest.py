"""A photographed scene of two blocks, and a tiny photo network."""

from __future__ import annotations

import pytest
import torch

from na_core.layers.photo_network import PhotoNetwork
from tests.na_core.studio import LEFT, RIGHT, Studio, build_studio, decided


@pytest.fixture(scope="session")
def studio() -> Studio:
    """Two blocks side by side."""
    return build_studio([LEFT, RIGHT])


@pytest.fixture(scope="session")
def network() -> PhotoNetwork:
    """Return a photo network with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return decided(PhotoNetwork((8,) * 5)).eval()
