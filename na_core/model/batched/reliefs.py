"""Reliefs of many photos, and marching many rays into them; see :mod:`na_core.geometry.relief`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from na_core.geometry.relief import (
    EMPTY,
    HALVINGS,
    HULL,
    INWARD,
    SLACK,
    STEPS,
    SURFACE,
    THICKNESS,
    UNKNOWN,
)
from na_core.model.batched.pixels import listed, listing_pays, span

STEPS_OF_DEPTH = 65535
"""Depths are held in 16 bits, in units of a photo's own."""


@dataclass(frozen=True)
class Reliefs:
    """Reliefs of M photos.

    Attributes:
        packed: (M, H, W) int32: the owner's number + 1 (0 for none) times 2^16, plus its depth in units.
        thickness: (M, H, W) int16, how far its far side is behind that, in double units.
        cover: (M, H, W) int16, the object that a pixel may show, -1 for none.
        unit: (M,) float32 of depth in each photo, in metres.
    """

    packed: Tensor
    thickness: Tensor
    cover: Tensor
    unit: Tensor

    @property
    def owner(self) -> Tensor:
        """Which box each pixel shows, (M, H, W) int32, -1 for none."""
        return (self.packed >> 16) - 1

    @property
    def depth(self) -> Tensor:
        """How far what it shows of it is, (M, H, W) float32 in metres; 0 for none."""
        return (self.packed & STEPS_OF_DEPTH).float() * self.unit[:, None, None]

    @property
    def far(self) -> Tensor:
        """How far its far side is, (M, H, W) float32 in metres; 0 for none."""
        return self.depth + 2 * self.thickness * self.unit[:, None, None]

    def __getitem__(self, rows: Tensor) -> Reliefs:
        """Return some of the reliefs."""
        return self._of(lambda values: values[rows])

    def to(self, device: torch.device | str) -> Reliefs:
        """Return the reliefs on a device."""
        return self._of(lambda values: values.to(device))

    def _of(self, change: Callable[[Tensor], Tensor]) -> Reliefs:
        return Reliefs(**{field.name: change(getattr(self, field.name)) for field in fields(self)})


def joined(parts: Sequence[Reliefs]) -> Reliefs:
    """Return the reliefs of several groups of photos, one after another."""
    return Reliefs(
        **{field.name: torch.cat([getattr(part, field.name) for part in parts]) for field in fields(Reliefs)}
    )


def pack(owner: Tensor, depth: Tensor, far: Tensor, cover: Tensor) -> Reliefs:
    """Pack what photos show, all (M, H, W).

    Args:
        owner: -1 for none.
        depth, far: of it and of its far side, in metres, of any scale.
        cover: -1 for none.
    """
    shown = torch.where(owner < 0, 0.0, depth.float())
    unit = shown.flatten(1).amax(dim=1).clamp_min(1e-20) / STEPS_OF_DEPTH
    steps = (shown / unit[:, None, None]).round().clamp(0, STEPS_OF_DEPTH).int()
    packed = torch.where(owner < 0, 0, (owner.int() + 1) << 16 | steps)
    thickness = torch.where(owner < 0, 0.0, (far.float() - shown) / unit[:, None, None] / 2)
    thickness = thickness.round().clamp(0, STEPS_OF_DEPTH // 2).to(torch.int16)
    return Reliefs(packed, thickness, cover.to(torch.int16), unit)


@dataclass(frozen=True)
class Marched:
    """Where P rays meet objects; see :class:`na_core.geometry.relief.Marched`.

    Attributes:
        kind: (P,) int64. share: (P,) float32 of the way through the box. behind: (P,) float32.
    """

    kind: Tensor
    share: Tensor
    behind: Tensor


def march(
    reliefs: Reliefs, photo: Tensor, entry: Tensor, start: Tensor, stop: Tensor, extent: Tensor
) -> Marched:
    """Find where rays first meet objects.

    Args:
        reliefs: of photos.
        photo, entry: (P,) int64, each ray's photo, and its object's number there.
        start, stop: (3, P) float32, where the rays enter and leave the box: x and y in the photo's pixels,
            times depth; and depth in metres.
        extent: (P,) float32, of the boxes in depth, in metres.
    """
    count = len(photo)
    kind = torch.full((count,), EMPTY, dtype=torch.int64, device=photo.device)
    share = torch.zeros(count, device=photo.device)
    behind = torch.full_like(share, torch.inf)
    outside = torch.full_like(share, -1)  # of rays that come in from beside: where they still are outside
    left = torch.arange(count, device=photo.device)
    every = rays = _Rays(reliefs, photo, entry, start, stop - start, SLACK * extent)
    gap_before = past_before = torch.full_like(share, torch.inf)
    last = 0.0
    for number in range(STEPS + 1):
        here = number / STEPS
        gap, past, unknown = rays.look(here)
        known = gap.isfinite() & gap_before.isfinite()
        front = known & (gap_before < 0) & (gap >= 0)
        back = known & (past_before > 0) & (past <= 0)
        open_still = kind[left] < HULL
        found = (front | back | _inside(gap, past)) & open_still
        hidden = unknown & open_still
        some = listed(hidden)
        kind[left[some]] = torch.where(hidden[some], UNKNOWN, kind[left[some]])
        some = listed(found)
        rows, hit, front, back = (of[some] for of in (left, found, front, back))
        one, two = (
            torch.where(front, of[some], other[some])
            for of, other in ((gap_before, past_before), (gap, past))
        )
        part = torch.where(front | back, one / (one - two), 1.0)
        deep = torch.where(front, 0.0, gap[some] - torch.where(back, past[some], 0.0))
        kind[rows] = torch.where(hit, HULL, kind[rows])
        share[rows] = torch.where(hit, last + part * (here - last), share[rows])
        behind[rows] = torch.where(hit, deep, behind[rows])
        beside = hit & ~front & ~back & (number > 0)
        outside[rows] = torch.where(beside, last, outside[rows])
        gap_before, past_before, last = gap, past, here
        if listing_pays(photo.device):
            kept = (~found).nonzero()[:, 0]
            if not len(kept):
                break
            if len(kept) < 0.8 * len(left):
                left, rays = left[kept], rays.only(kept)
                gap_before, past_before = gap_before[kept], past_before[kept]
    _come_in(every, outside, share, behind)
    behind = behind.clamp_min(0) / extent
    kind = torch.where((kind == HULL) & (behind <= THICKNESS), SURFACE, kind)
    return Marched(kind, share, behind)


def _come_in(rays: _Rays, outside: Tensor, share: Tensor, behind: Tensor) -> None:
    """Find where rays come into objects from beside them, by halving, in place.

    Args:
        rays: P.
        outside: (P,) where a ray is still outside; -1 for those that do not come in from beside.
        share: (P,) where it is inside. behind: (P,) how far behind the seen surface that is, in metres.
    """
    chosen = listed(outside >= 0)
    rays = rays.only(chosen)
    out, into, deep = outside[chosen], share[chosen], behind[chosen]
    comes = out >= 0
    for step in range(HALVINGS + 1):
        middle = into if step == HALVINGS else (out + into) / 2
        gap, past, _ = rays.look(middle)
        within = comes & _inside(gap, past)
        into, out = torch.where(within, middle, into), torch.where(within, out, middle)
        deep = torch.where(within, gap, deep)
    share[chosen], behind[chosen] = into, deep


def _inside(gap: Tensor, past: Tensor) -> Tensor:
    """Tell which points lie between an object's two sides."""
    return gap.isfinite() & (gap >= 0) & (past <= 0)


def unmixed(owner: Tensor) -> Tensor:
    """Return the owners (M, H, W) of pixels all of whose eight neighbours show the same object; else -1."""
    return torch.where(span(owner) == 0, owner, -1)


def inward(inner: Tensor, photo: Tensor, entry: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Move points on objects' rims to the nearest pixel whose colour is the object's alone.

    Args:
        inner: (M, H, W), see :func:`unmixed`.
        photo, entry: (P,) int64, each point's photo, and its object's number there.
        x, y: (P,) in pixels. Those that lie well inside stay, and those without such a pixel near.
    """
    height, width = inner.shape[1:]
    column, row = x.floor().long(), y.floor().long()
    step_x, step_y = torch.zeros_like(column), torch.zeros_like(row)
    todo = torch.ones_like(column, dtype=torch.bool)
    for down, across in INWARD:
        j, i = row + down, column + across
        there = todo & (j >= 0) & (j < height) & (i >= 0) & (i < width)
        at = (photo * height + j.clamp(0, height - 1)) * width + i.clamp(0, width - 1)
        there &= inner.flatten().index_select(0, at) == entry
        step_x, step_y = torch.where(there, across, step_x), torch.where(there, down, step_y)
        todo &= ~there
    moves = (step_x != 0) | (step_y != 0)
    return (
        torch.where(moves, column + step_x + 0.5, x),
        torch.where(moves, row + step_y + 0.5, y),
    )


class _Rays:
    """Rays that look photos up as they go."""

    def __init__(
        self, reliefs: Reliefs, photo: Tensor, entry: Tensor, start: Tensor, way: Tensor, slack: Tensor
    ) -> None:
        self._reliefs, self._photo, self._entry = reliefs, photo, entry
        self._start, self._way, self._slack = start, way, slack
        self._unit = reliefs.unit[photo]

    def look(self, share: float | Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return, at a share of the way, how far rays are behind both sides, and what is unknown.

        Returns:
            Two (P,) float32: metres behind the seen surface and behind the far side, infinite where the photo
            shows none of the object; both are met early by the slack. And (P,) bool.
        """
        height, width = self._reliefs.packed.shape[1:]
        across, down, depth = (at + share * way for at, way in zip(self._start, self._way, strict=True))
        divisor = depth.clamp_min(1e-9)
        x, y = across / divisor, down / divisor
        inside = (x >= -0.01) & (x <= width + 0.01) & (y >= -0.01) & (y <= height + 0.01)
        column, row = x.clamp(0, width - 1).long(), y.clamp(0, height - 1).long()
        at = (self._photo * height + row) * width + column
        packed = self._reliefs.packed.flatten().index_select(0, at)
        owner, seen = (packed >> 16) - 1, (packed & STEPS_OF_DEPTH).float() * self._unit
        own = (owner == self._entry) & (depth > 0)
        behind = depth - seen
        thick = 2 * self._reliefs.thickness.flatten().index_select(0, at) * self._unit
        shows = own & inside
        gap = torch.where(shows, behind + self._slack, torch.inf)
        past = torch.where(shows, behind - thick - self._slack, torch.inf)
        return gap, past, torch.where(inside, (owner >= 0) & ~own & (behind > 0), own)

    def only(self, kept: Tensor) -> _Rays:
        """Return some of the rays."""
        some = (self._photo[kept], self._entry[kept], self._start[:, kept], self._way[:, kept])
        return _Rays(self._reliefs, *some, self._slack[kept])
