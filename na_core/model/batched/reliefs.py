"""Reliefs of many photos, and marching many rays into them; see :mod:`na_core.geometry.relief`."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from na_core.geometry.relief import EMPTY, HULL, SLACK, STEPS, SURFACE, THICKNESS, UNKNOWN
from na_core.model.batched.pixels import listing_pays

STEPS_OF_DEPTH = 65535
"""Depths are held in 16 bits, in units of a photo's own."""


@dataclass(frozen=True)
class Reliefs:
    """Reliefs of M photos.

    Attributes:
        packed: (M, H, W) int32: the owner's number + 1 (0 for none) times 2^16, plus its depth in units.
        cover: (M, H, W) int16, the object that a pixel may show, -1 for none.
        unit: (M,) float32 of depth in each photo, in metres.
    """

    packed: Tensor
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

    def __getitem__(self, rows: Tensor) -> Reliefs:
        """Return some of the reliefs."""
        return Reliefs(self.packed[rows], self.cover[rows], self.unit[rows])

    def to(self, device: torch.device | str) -> Reliefs:
        """Return the reliefs on a device."""
        return Reliefs(self.packed.to(device), self.cover.to(device), self.unit.to(device))


def pack(owner: Tensor, depth: Tensor, cover: Tensor) -> Reliefs:
    """Pack owners (M, H, W), -1 for none, their depths (M, H, W) in metres, of any scale, and covers."""
    shown = torch.where(owner < 0, 0.0, depth.float())
    unit = shown.flatten(1).amax(dim=1).clamp_min(1e-20) / STEPS_OF_DEPTH
    steps = (shown / unit[:, None, None]).round().clamp(0, STEPS_OF_DEPTH).int()
    packed = torch.where(owner < 0, 0, (owner.int() + 1) << 16 | steps)
    return Reliefs(packed, cover.to(torch.int16), unit)


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
    left = torch.arange(count, device=photo.device)
    rays = _Rays(reliefs, photo, entry, start, stop - start)
    before = torch.full_like(share, torch.inf)
    last = 0.0
    for number in range(STEPS + 1):
        here = number / STEPS
        gap, unknown = rays.look(here)
        gap = gap + SLACK * extent[left]
        found = gap.isfinite() & (gap >= 0)
        crossed = found & before.isfinite() & (before < 0) & (number > 0)
        part = torch.where(crossed, before / (before - gap).clamp_max(-1e-20), 1.0)
        far = torch.where(crossed, 0.0, gap / extent[left])
        known = torch.where(far <= THICKNESS, SURFACE, HULL)
        old = kind[left]
        kind[left] = torch.where(found, known, torch.where(unknown, UNKNOWN, old))
        share[left] = torch.where(found, last + part * (here - last), share[left])
        behind[left] = torch.where(found, far, behind[left])
        before, last = gap, here
        if listing_pays(photo.device):
            kept = (~found).nonzero()[:, 0]
            if not len(kept):
                break
            if len(kept) < 0.8 * len(left):
                left, before, rays = left[kept], before[kept], rays.only(kept)
                continue
        # A ray that has met its object is done: nothing more is found on it.
        rays.finish(found)
    return Marched(kind, share, behind)


class _Rays:
    """Rays that look photos up as they go."""

    def __init__(self, reliefs: Reliefs, photo: Tensor, entry: Tensor, start: Tensor, way: Tensor) -> None:
        self._reliefs, self._photo, self._entry = reliefs, photo, entry
        self._start, self._way = start, way
        self._unit = reliefs.unit[photo]
        self._done = torch.zeros_like(photo, dtype=torch.bool)

    def look(self, share: float) -> tuple[Tensor, Tensor]:
        """Return, at a share of the way, how far rays are behind the seen surface, and what is unknown.

        Returns:
            (P,) float32 metres, infinite where the photo shows none of the object; (P,) bool.
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
        gap = torch.where(own & inside & ~self._done, behind, torch.inf)
        unknown = torch.where(inside, (owner >= 0) & ~own & (behind > 0), own)
        return gap, unknown & ~self._done

    def only(self, kept: Tensor) -> _Rays:
        """Return some of the rays."""
        rays = _Rays(
            self._reliefs,
            self._photo[kept],
            self._entry[kept],
            self._start[:, kept],
            self._way[:, kept],
        )
        rays._done = self._done[kept]
        return rays

    def finish(self, found: Tensor) -> None:
        """Take rays out that have met their objects."""
        self._done |= found
