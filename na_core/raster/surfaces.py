"""Surfaces of objects as photos show them: whose a pixel is, and where its ray meets and leaves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from na_core.raster.canvas import Canvas
from na_core.raster.pixels import active, picked, span

DEPTH_STEPS = 65535
"""Depths are held in 16 bits, in units of a photo's own."""

RIM = 2
"""Pixels from an object's outline within which its colours are mixed with what is beside it."""

INWARD = sorted(
    ((down, across) for down in range(-RIM, RIM + 1) for across in range(-RIM, RIM + 1)),
    key=lambda step: (step[0] ** 2 + step[1] ** 2, step),
)
"""Steps in pixels (down, across) to where an unmixed colour is looked for, the nearest first."""

WINDOW = 2 * RIM + 1
STAY = WINDOW * WINDOW // 2
"""Side of the square that steps lead to; they are kept as numbers of its cells, of which this is no step."""


@dataclass(frozen=True)
class Surfaces:
    """What M photos show of their objects.

    Attributes:
        packed: (M, H, W) int32: the owner's number + 1 (0 for none) times 2^16, plus its depth in units.
        thickness: (M, H, W) int16, how far its far side is behind that, in double units.
        unit: (M,) float32 of depth in each photo, in metres.
    """

    packed: Tensor
    thickness: Tensor
    unit: Tensor

    @property
    def owner(self) -> Tensor:
        """Which box each pixel shows, (M, H, W) int32, -1 for none."""
        return (self.packed >> 16) - 1

    @property
    def near(self) -> Tensor:
        """How far what it shows of it is, (M, H, W) float32 in metres; 0 for none."""
        return (self.packed & DEPTH_STEPS).float() * self.unit[:, None, None]

    @property
    def far(self) -> Tensor:
        """How far its far side is, (M, H, W) float32 in metres; 0 for none."""
        return self.near + self.thickness * (2 * self.unit[:, None, None])

    @cached_property
    def _objects_before(self) -> Tensor:
        """How many pixels above and left of each corner of pixels show an object, (M, H + 1, W + 1) int32."""
        shows = (self.packed > 0).cumsum(1, dtype=torch.int32).cumsum(2, dtype=torch.int32)
        return F.pad(shows, (1, 0, 1, 0))

    def show_objects(self, photo: Tensor, left: Tensor, right: Tensor, top: Tensor, bottom: Tensor) -> Tensor:
        """Tell which rectangles of photos (P,) show an object anywhere: (P,) bool.

        Args:
            photo: int64, which of them.
            left, right, top, bottom: in pixels, within the photos.
        """
        _, rows, columns = self._objects_before.shape
        flat, first = self._objects_before.flatten(), photo * rows
        left, top, right, bottom = left.long(), top.long(), right.ceil().long(), bottom.ceil().long()
        above, below = (first + top) * columns, (first + bottom) * columns
        counts = [flat.index_select(0, line + at) for line in (below, above) for at in (right, left)]
        return counts[0] - counts[1] != counts[2] - counts[3]

    def at(self, pixel: Tensor, photo: Tensor) -> tuple[Tensor, Tensor]:
        """Return the owners (P,) int32 at pixels (P,) of the flat stack, and how far they are in metres."""
        packed = self.packed.flatten().index_select(0, pixel)
        return (packed >> 16) - 1, packed.bitwise_and_(DEPTH_STEPS) * self.unit[photo]

    def changed(self, change: Callable[[Tensor], Tensor]) -> Surfaces:
        """Return the surfaces with every tensor changed alike: moved to a device, or some of the photos."""
        return Surfaces(**{field.name: change(getattr(self, field.name)) for field in fields(self)})


def pack(owner: Tensor, near: Tensor, far: Tensor) -> Surfaces:
    """Pack what photos show, all (M, H, W).

    Args:
        owner: -1 for none.
        near, far: depths of it and of its far side, in metres, of any scale.
    """
    shown = torch.where(owner < 0, 0.0, near.float())
    unit = shown.flatten(1).amax(dim=1).clamp_min(1e-20) / DEPTH_STEPS
    steps = (shown / unit[:, None, None]).round().clamp(0, DEPTH_STEPS).int()
    packed = torch.where(owner < 0, 0, (owner.int() + 1) << 16 | steps)
    thickness = torch.where(owner < 0, 0.0, (far.float() - shown) / unit[:, None, None] / 2)
    return Surfaces(packed, thickness.round().clamp(0, DEPTH_STEPS // 2).to(torch.int16), unit)


def unmixed(owner: Tensor) -> Tensor:
    """Return the owners (M, H, W) of pixels all of whose eight neighbours show the same object; else -1."""
    return torch.where(span(owner) == 0, owner, -1)


def inward_steps(owner: Tensor, canvas: Canvas) -> Tensor:
    """Return the step of :data:`INWARD` that leads from objects' pixels to an unmixed colour, (M, H, W) int8.

    :data:`STAY` where the colour is unmixed already, where no such pixel is near and where no object is.

    Args:
        owner: (M, H, W), what each pixel shows, -1 for none.
        canvas: on which the photos lie.
    """
    inner = unmixed(owner)
    steps = torch.full_like(owner, STAY, dtype=torch.int8)
    at = active(((owner >= 0) & (inner < 0)).flatten())
    photo, row, column = at // canvas.size, at // canvas.width % canvas.height, at % canvas.width
    width, height = canvas.extent(photo)
    own = picked(owner.flatten(), at)
    todo = (own >= 0) & (picked(inner.flatten(), at) < 0)
    step = torch.full_like(at, STAY)
    for down, across in INWARD[1:]:
        j, i = row + down, column + across
        there = todo & (j >= 0) & (j < height) & (i >= 0) & (i < width)
        there &= picked(inner.flatten(), canvas.number(photo, i, j)) == own
        step = torch.where(there, STAY + down * WINDOW + across, step)
        todo &= ~there
    steps.view(-1).index_copy_(0, at, step.to(torch.int8))
    return steps


def inward(steps: Tensor, canvas: Canvas, photo: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Move points on objects' rims to the nearest pixel whose colour is the object's alone.

    Args:
        steps: (M, H, W), see :func:`inward_steps`.
        canvas: on which the photos lie.
        photo: (P,) int64, each point's photo.
        x, y: (P,) in pixels. Those that lie well inside stay, and those without such a pixel near.
    """
    step = picked(steps.flatten(), canvas.number(photo, x, y))
    down, across = step // WINDOW - RIM, step % WINDOW - RIM
    moves = step != STAY
    return (
        torch.where(moves, x.floor() + across + 0.5, x),
        torch.where(moves, y.floor() + down + 0.5, y),
    )
