"""On a GPU nothing that is computed of a batch waits for the device: the next step is queued meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from na_core.model.batched import augment
from na_core.model.batched.conditioning import background_pictures, conditions, object_pictures
from na_core.model.batched.frames import FrameBatch

Stage = Any  # of conftest

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


def everything(frames: FrameBatch) -> Tensor:
    """Compute all that a training step asks for."""
    random = torch.Generator().manual_seed(0)
    frames = augment.jitter_boxes(frames, random, 0.5)
    frames = augment.relabel_corners(frames, random, 0.5)
    frames = augment.drop_objects(frames, random, 0.5, ~frames.present)
    frames = augment.mask_sources(frames, random, 0.5)
    object_pictures(frames)
    background_pictures(frames)
    proxy = conditions(frames, factor=8, guided=True).proxy
    proxy = augment.drop_proxies(proxy, random, 0.5)
    return augment.blur_proxies(proxy, random, 0.5).picture


@pytest.mark.usefixtures("every_pixel")
def test_nothing_waits(several: Stage) -> None:
    frames = several.batch()
    with Waits() as waits:
        everything(frames)
    assert waits.names == []


def test_lists_of_pixels_would_wait(several: Stage) -> None:
    frames = several.batch()
    with Waits() as waits:
        everything(frames)
    assert {"aten::nonzero", "aten::_local_scalar_dense"} <= set(waits.names)
