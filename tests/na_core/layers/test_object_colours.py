"""Objects go on behind others within their convex hulls alone."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial import Delaunay

from na_core.layers.object_colours import CANVAS, object_colours

SIDE = 96


def may_hide(owner: NDArray[np.int64], number: int, x: NDArray, y: NDArray) -> NDArray[np.bool_]:
    pictures = torch.zeros((1, *owner.shape, 3), dtype=torch.uint8)
    found = object_colours(pictures, torch.from_numpy(owner)[None], 2)
    places = (torch.as_tensor(values, dtype=torch.float32) for values in (x, y))
    return found.may_hide(torch.full((len(x),), number), *places).numpy()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(3, 12))
def test_an_object_may_be_hidden_where_its_pixels_lie_around(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    owner = np.full((SIDE, SIDE), -1)
    middle, reach = random.uniform(20, SIDE - 20, 2), random.uniform(6, 19)
    pixels = np.unique((middle + random.uniform(-reach, reach, (count, 2))).astype(int), axis=0)
    owner[pixels[:, 1], pixels[:, 0]] = 0
    corners = (pixels[:, None] + np.array([[0, 0], [1, 0], [0, 1], [1, 1]])).reshape(-1, 2)
    x, y = random.uniform(0, SIDE, (2, 500))
    inside = Delaunay(corners).find_simplex(np.stack([x, y], axis=1)) >= 0
    found = may_hide(owner, 0, x, y)
    assert found[inside].all()
    # A cell of the canvas, and what a hull of so many directions is too wide by.
    slack = 2.5 * max(np.ptp(corners, axis=0)) / CANVAS
    distance = np.linalg.norm(np.stack([x, y], axis=1)[:, None] - corners, axis=-1).min(axis=1)
    assert not found[~inside & (distance > slack + reach)].any()


def test_in_the_corner_of_an_l_it_may_be_and_beyond_the_diagonal_not() -> None:
    owner = np.full((SIDE, SIDE), -1)
    owner[20:80, 20:30] = owner[70:80, 20:80] = 1
    found = may_hide(owner, 1, np.array([40.0, 75.0, 25.0, 10.0]), np.array([55.0, 25.0, 50.0, 50.0]))
    assert found.tolist() == [True, False, True, False]


def test_an_object_that_its_photo_does_not_show_is_hidden_nowhere() -> None:
    owner = np.full((SIDE, SIDE), -1)
    owner[20:40, 20:40] = 1
    x, y = np.random.default_rng(0).uniform(0, SIDE, (2, 100))
    assert not may_hide(owner, 0, x, y).any()
