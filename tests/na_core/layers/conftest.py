"""A photographed scene of two blocks, and a tiny relief network."""

from __future__ import annotations

import pytest
import torch
from diffusers import UNet2DModel

from na_core.layers.relief_network import build_relief_network
from tests.na_core.studio import LEFT, RIGHT, Studio, build_studio, decided


@pytest.fixture(scope="session")
def studio() -> Studio:
    """Two blocks side by side."""
    return build_studio([LEFT, RIGHT])


@pytest.fixture(scope="session")
def network() -> UNet2DModel:
    """Return a relief network with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return decided(build_relief_network((8, 8))).eval()
