"""On a GPU nothing that is computed of a frame waits for the device: the next step is queued meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from na_core.compose.compose import compose
from na_core.geometry.boxes import box_matrix
from na_core.layers.take_apart import take_apart
from na_core.tensors.views import views_as_tensors
from tests.na_core.stage import Stage, random_frame, shot, together
from tests.na_core.sunlit import batch_of, layers_of, sunlit

READS_A_NUMBER = {"aten::_local_scalar_dense", "aten::is_nonzero", "aten::equal"}
SIZED_BY_VALUES = {"aten::nonzero", "aten::masked_select", "aten::_unique2", "aten::repeat_interleave"}
INDEXES = {"aten::index", "aten::index_put", "aten::index_put_"}


class Waits(TorchDispatchMode):
    """Notes the operations that would wait for a GPU: those whose size or value the CPU has to know.

    Copies between the two are not seen: without a GPU there are none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        name = func._schema.name
        masked = name in INDEXES and any(t is not None and t.dtype == torch.bool for t in args[1])
        if masked or name in READS_A_NUMBER | SIZED_BY_VALUES:
            self.names.append(name)
        return func(*args, **(kwargs or {}))


@pytest.fixture(params=[None, (50, 70)], ids=["photos of one size", "photos of two sizes"])
def several(request: pytest.FixtureRequest) -> Stage:
    """Return frames that share a batch: every kind of change is among them."""
    return together([random_frame(seed, (80, 64), request.param) for seed in range(6)])


@pytest.mark.usefixtures("every_pixel")
def test_composing_does_not_wait(several: Stage) -> None:
    layers, frames = several.layers, several.batch()
    assert not layers.has_shadows  # known once for all frames
    with Waits() as waits:
        compose(layers, frames, 80, 64)
    assert waits.names == []


@pytest.mark.usefixtures("every_pixel")
def test_throwing_shadows_does_not_wait() -> None:
    photos = [sunlit([box_matrix((0.2, 3.5, 0.5), (0.6, 0.4, 1.0))], *size) for size in ((80, 64), (50, 70))]
    photos[1] = replace(photos[1], shot=shot([photos[1].shot.boxes[0].world_from_box], 50, 70, seed=1))
    frames = [of.moved({0: (0.3, -0.2, 0.1)}) for of in photos]
    layers, batch = layers_of(frames, {of.shot.assets[0].photo: of for of in photos}), batch_of(frames)
    assert layers.has_shadows
    with Waits() as waits:
        compose(layers, batch, 80, 64)
    assert waits.names == []


@pytest.mark.usefixtures("every_pixel")
def test_taking_apart_into_filled_boxes_does_not_wait() -> None:
    stage = together([random_frame(seed) for seed in range(3)])
    pictures = torch.stack([torch.from_numpy(stage.photos[view.sha256]) for view in stage.views])
    views = views_as_tensors([*stage.views], pictures)
    with Waits() as waits:
        take_apart(views)
    assert waits.names == []


def test_lists_of_pixels_would_wait(several: Stage) -> None:
    layers, frames = several.layers, several.batch()
    with Waits() as waits:
        compose(layers, frames, 80, 64)
    assert {"aten::nonzero", "aten::_local_scalar_dense"} <= set(waits.names)
