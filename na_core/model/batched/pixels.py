"""Lists of pixels: work is done where it is needed and written back into pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Pixels:
    """P pixels of B pictures of one size.

    Attributes:
        at: (P,) int64, numbers in (B, H, W).
        shape: B, H and W.
    """

    at: Tensor
    shape: tuple[int, int, int]

    @property
    def row(self) -> Tensor:
        """The picture of each pixel, (P,) int64."""
        return self.at // (self.shape[1] * self.shape[2])

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


def listing_pays(device: torch.device) -> bool:
    """Tell whether to count what is to be done: on a GPU, waiting for the count costs more than it saves."""
    return device.type == "cpu"


def listed(mask: Tensor) -> Tensor:
    """Return the numbers of what a mask (P,) holds, or all of them where lists do not pay."""
    if listing_pays(mask.device):
        return mask.nonzero()[:, 0]
    return torch.arange(len(mask), device=mask.device)


def pixels_of(mask: Tensor) -> Pixels:
    """List the pixels of a mask (B, H, W).

    Where lists do not pay, the list holds all pixels: what is computed for the others has to be finite, and
    is thrown away.
    """
    batch, height, width = mask.shape
    return Pixels(listed(mask.flatten()), (batch, height, width))


def length(vectors: Tensor) -> Tensor:
    """Return the lengths (P,) of vectors (3, P): several times faster than a norm over the first axis."""
    x, y, z = vectors
    return (x * x).addcmul_(y, y).addcmul_(z, z).sqrt_()


def span(values: Tensor) -> Tensor:
    """Return by how much values (B, H, W) differ among each pixel and its eight neighbours."""
    high = low = values
    for axis in (1, 2):
        high, low = _widest(high, axis, torch.maximum), _widest(low, axis, torch.minimum)
    return high.sub_(low)


def _widest(values: Tensor, axis: int, choose: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Return the chosen of each value and the two beside it along an axis, a new tensor."""
    size = values.shape[axis]
    if size == 1:
        return values.clone()
    pairs = choose(values.narrow(axis, 0, size - 1), values.narrow(axis, 1, size - 1))
    middle = choose(pairs.narrow(axis, 0, size - 2), pairs.narrow(axis, 1, size - 2))
    return torch.cat([pairs.narrow(axis, 0, 1), middle, pairs.narrow(axis, size - 2, 1)], dim=axis)


def lookup(table: Tensor, row: Tensor, box: Tensor) -> Callable[[int], Tensor]:
    """Return a function that gives one column of a table of boxes for every pixel.

    Column by column, so that what follows works on whole planes of numbers.

    Args:
        table: (B, N, C), numbers of boxes.
        row: the picture of each pixel, int64, of any shape that broadcasts with ``box``.
        box: the box of each pixel; below 0 stands for box 0.

    Returns:
        From a column's number to a new tensor like ``box``, of the table's type.
    """
    flat = box.clamp_min(0) + row * table.shape[1]
    columns = table.flatten(0, 1).t().contiguous()
    return lambda column: columns[column].index_select(0, flat.flatten()).view(flat.shape)
