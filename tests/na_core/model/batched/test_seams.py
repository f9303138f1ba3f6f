"""Many pictures' seams are softened as numpy softens one's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from na_core.geometry import seams as one_by_one
from na_core.model.batched.proxy import proxy_pictures
from na_core.model.batched.seams import soften_seams


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), width=st.integers(1, 20), height=st.integers(1, 20))
def test_it_is_numpys(seed: int, width: int, height: int) -> None:
    rng = np.random.default_rng(seed)
    picture = rng.random((2, height, width, 3), dtype=np.float32)
    owner = rng.integers(-1, 2, (2, height, width)).astype(np.int32)
    at = (rng.random((2, height, width, 2)) * 12).astype(np.float32)
    shift = np.where(rng.random((2, height, width)) < 0.3, np.inf, rng.random((2, height, width)) * 2)
    shift = shift.astype(np.float32)
    x, y = torch.from_numpy(at).unbind(-1)
    found = soften_seams(
        torch.from_numpy(picture).permute(3, 0, 1, 2).contiguous(),
        torch.from_numpy(owner),
        x.contiguous(),
        y.contiguous(),
        torch.from_numpy(shift),
    )
    for row in range(2):
        expected = one_by_one.soften_seams(picture[row], owner[row], at[row], shift[row])
        np.testing.assert_allclose(found[:, row].permute(1, 2, 0), expected, atol=1e-6)


@pytest.mark.parametrize("reliefs", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_a_frame_in_which_nothing_moved_gives_back_its_photo(
    seed: int, reliefs: bool, make_frame: Callable[..., Any], make_relief: Callable[..., Any]
) -> None:
    stage = make_frame(seed, still=True)
    stage = make_relief(stage, seed) if reliefs else stage
    photo = stage.pictures[stage.frames[0].background.photo.sha256]
    np.testing.assert_array_equal(proxy_pictures(stage.batch()).picture[0].permute(1, 2, 0), photo)
