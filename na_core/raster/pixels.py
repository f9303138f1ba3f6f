"""The pixels that something has to be computed for: work is done where it is needed and written back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor


def listing_pays(device: torch.device) -> bool:
    """Tell whether to count what is to be done: on a GPU, waiting for the count costs more than it saves."""
    return device.type == "cpu"


def active(mask: Tensor) -> Tensor:
    """Return the numbers (P,) of what a mask holds, or all of them where lists do not pay."""
    if listing_pays(mask.device):
        return mask.nonzero()[:, 0]
    return torch.arange(len(mask), device=mask.device)


def picked(values: Tensor, numbers: Tensor) -> Tensor:
    """Return values (..., P) of numbers (R,) along the last axis: faster than indexing with them."""
    return values.index_select(-1, numbers)


@dataclass(frozen=True)
class ActivePixels:
    """P pixels of B pictures of one size.

    Where lists do not pay these are all pixels: what is computed for the others has to be finite, and is
    thrown away.

    Attributes:
        at: (P,) int64, numbers in (B, H, W).
        shape: B, H and W.
    """

    at: Tensor
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, mask: Tensor) -> Self:
        """Return the pixels that a mask (B, H, W) holds."""
        batch, height, width = mask.shape
        return cls(active(mask.flatten()), (batch, height, width))

    @property
    def row(self) -> Tensor:
        """The picture of each pixel, (P,) int64."""
        batch, height, width = self.shape
        if batch == 1:
            return torch.zeros_like(self.at)
        return self.at // (height * width)

    @property
    def centre(self) -> tuple[Tensor, Tensor]:
        """x and y of each pixel's centre, (P,) float32; the first pixel's is at 0.5."""
        _, height, width = self.shape
        return (self.at % width).float() + 0.5, (self.at // width % height).float() + 0.5

    def take(self, planes: Tensor) -> Tensor:
        """Return the values (P,) of planes (B, H, W) at the pixels."""
        return planes.flatten().index_select(0, self.at)

    def put(self, values: Tensor, planes: Tensor) -> None:
        """Write values (P,) into contiguous planes (B, H, W), in place."""
        planes.view(-1).index_copy_(0, self.at, values)


class BoxTable:
    """Numbers of boxes, looked up column by column for every pixel, so that planes are worked on whole.

    Args:
        table: (B, N, C), numbers of boxes.
        row: the picture of each pixel, int64, of any shape that broadcasts with ``box``.
        box: the box of each pixel; below 0 stands for box 0.
    """

    def __init__(self, table: Tensor, row: Tensor, box: Tensor) -> None:
        self._at = box.clamp_min(0) + row * table.shape[1]
        self._columns = table.flatten(0, 1).t().contiguous()

    def __getitem__(self, column: int) -> Tensor:
        """Return a new tensor like ``box`` with one column of the table, of the table's type."""
        return self._columns[column].index_select(0, self._at.flatten()).view(self._at.shape)


def length(vectors: Tensor) -> Tensor:
    """Return the lengths (P,) of vectors (3, P): several times faster than a norm over the first axis."""
    x, y, z = vectors
    return (x * x).addcmul_(y, y).addcmul_(z, z).sqrt_()


def span(values: Tensor) -> Tensor:
    """Return by how much values (B, H, W) differ among each pixel and its eight neighbours."""
    high = low = values
    for axis in (1, 2):
        high, low = _of_three(high, axis, torch.maximum), _of_three(low, axis, torch.minimum)
    return high.sub_(low)


def _of_three(values: Tensor, axis: int, choose: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Return the chosen of each value and the two beside it along an axis, a new tensor."""
    size = values.shape[axis]
    if size == 1:
        return values.clone()
    pairs = choose(values.narrow(axis, 0, size - 1), values.narrow(axis, 1, size - 1))
    middle = choose(pairs.narrow(axis, 0, size - 2), pairs.narrow(axis, 1, size - 2))
    return torch.cat([pairs.narrow(axis, 0, 1), middle, pairs.narrow(axis, size - 2, 1)], dim=axis)
