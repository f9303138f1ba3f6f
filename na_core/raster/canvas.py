"""Pictures of several sizes as one stack, and the pixels that positions in them fall on."""

from dataclasses import dataclass

import torch
from torch import Tensor

EDGE = 1e-6
"""How far outside a picture, in units of its sides, a position still counts as inside: rounding."""


@dataclass(frozen=True)
class Canvas:
    """M pictures in the upper left corners of a stack (M, height, width), whose edges repeat beyond them.

    Attributes:
        width, height: of the stack in pixels.
        extents: (M, 2) float32, width and height of each picture; None where all fill the stack.
    """

    width: int
    height: int
    extents: Tensor | None = None

    @property
    def size(self) -> int:
        """Pixels of a picture of the stack."""
        return self.width * self.height

    def extent(self, photo: Tensor) -> tuple[Tensor | int, Tensor | int]:
        """Return the width and height of pictures by number; plain numbers if all are alike."""
        if self.extents is None:
            return self.width, self.height
        width, height = (column.index_select(0, photo.flatten()) for column in self.extents.unbind(1))
        return width.view(photo.shape), height.view(photo.shape)

    def within(self, values: Tensor, beyond: int) -> Tensor:
        """Return values (M, height, width) of the stack with another one beyond the pictures."""
        if self.extents is None:
            return values
        width, height = self.extents[:, :, None, None].unbind(1)
        columns = torch.arange(self.width, device=values.device)
        rows = torch.arange(self.height, device=values.device)[:, None]
        return values.masked_fill((columns >= width) | (rows >= height), beyond)

    def inside(self, photo: Tensor, x: Tensor, y: Tensor, margin: float = 0.0) -> Tensor:
        """Tell which positions lie in their pictures.

        Args:
            photo: int64, the picture of each position; x and y have its shape.
            x, y: in pixels; the first pixel's centre is at 0.5.
            margin: pixels by which they may lie outside.
        """
        width, height = self.extent(photo)
        across, down = width * EDGE + margin, height * EDGE + margin
        return (x >= -across) & (x <= width + across) & (y >= -down) & (y <= height + down)

    def number(self, photo: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Return the number, in the flat stack, of the pixel at each position, clamped to its picture."""
        width, height = self.extent(photo)
        column, row = clamped(x, width - 1).long(), clamped(y, height - 1).long()
        return (photo * self.height + row) * self.width + column


def clamped(values: Tensor, last: Tensor | int) -> Tensor:
    """Return values (...,) that are at least 0 and at most ``last``, a new tensor."""
    if isinstance(last, Tensor):
        return torch.minimum(values.clamp_min(0), last)
    return values.clamp(0, last)
