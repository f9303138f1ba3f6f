"""Cameras and boxes that the geometry tests share."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from na_core.scene import Camera


def _rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    if np.linalg.det(q) < 0:
        q[:, 0] *= -1
    return q


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def any_camera(rng: np.random.Generator) -> Callable[[], Camera]:
    """Return a maker of cameras anywhere, turned anyhow, with off-centre principal points."""

    def make() -> Camera:
        matrix = np.eye(4)
        matrix[:3, :3] = _rotation(rng)
        matrix[:3, 3] = rng.normal(scale=2, size=3)
        return Camera(matrix, *rng.uniform(0.4, 2.5, 2), *rng.uniform(0.2, 0.8, 2))

    return make


@pytest.fixture
def any_box(rng: np.random.Generator) -> Callable[[], NDArray[np.float64]]:
    """Return a maker of boxes anywhere: rotated, scaled and sheared."""

    def make() -> NDArray[np.float64]:
        matrix = np.eye(4)
        shear = np.eye(3) + np.triu(rng.normal(scale=0.3, size=(3, 3)), 1)
        matrix[:3, :3] = _rotation(rng) @ shear @ np.diag(rng.uniform(0.2, 2, 3))
        matrix[:3, 3] = rng.normal(scale=2, size=3)
        return matrix

    return make
