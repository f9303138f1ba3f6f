"""Marching rays through boxes into the objects that photos show there.

A photo's surfaces make of its boxes a scene that can be looked at from elsewhere. An object fills each of its
pixels' rays from what the photo shows to its far side, which is a guess; where the photo looks past the
object there is none of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from na_core.raster.canvas import Canvas
from na_core.raster.pixels import active, listing_pays
from na_core.raster.surfaces import DEPTH_STEPS, Surfaces

STEPS = 16
"""Samples along a ray through a box."""

HALVINGS = 4
"""Of the step between samples in which a ray comes into an object from beside it."""

THICKNESS = 0.02
"""How far behind the seen surface a point still counts as seen, in units of the box's extent in depth."""

SLACK = 1e-3
"""How far before the surface, in units of the box's extent in depth, it is met: depths are rounded."""

BORDER = 0.01
"""Pixels by which a ray may leave the photo and still be in it."""

EMPTY, UNKNOWN, HULL, SURFACE = 0, 1, 2, 3
"""What a ray meets in a box: nothing of the object; a place that the photo cannot tell of, behind another
object or beyond the photo's border; the object's hull, where the photo did not see it; the surface that the
photo saw."""


@dataclass(frozen=True)
class Marched:
    """Where P rays meet objects.

    Attributes:
        kind: (P,) int64, one of :data:`EMPTY`, :data:`UNKNOWN`, :data:`HULL`, :data:`SURFACE`.
        share: (P,) float32, of the way through the box.
        behind: (P,) float32, how far behind the seen surface that is, in units of the box's extent in depth;
            infinite where nothing is met.
    """

    kind: Tensor
    share: Tensor
    behind: Tensor


def march(
    surfaces: Surfaces,
    canvas: Canvas,
    photo: Tensor,
    entry: Tensor,
    start: Tensor,
    stop: Tensor,
    extent: Tensor,
) -> Marched:
    """Find where rays first meet objects.

    Args:
        surfaces: of photos.
        canvas: on which they lie.
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
    marching = torch.arange(count, device=photo.device)
    every = rays = _Rays(surfaces, canvas, photo, entry, start, stop - start, SLACK * extent)
    gap_before, past_before = share, share
    shown_before = torch.zeros_like(photo, dtype=torch.bool)
    last = 0.0
    for number in range(STEPS + 1):
        here = number / STEPS
        gap, past, shown, unknown = rays.look(here)
        behind_front, before_back = gap >= 0, past <= 0
        crossing = shown & shown_before
        front = crossing & behind_front & (gap_before < 0)
        back = crossing & before_back & (past_before > 0)
        open_still = kind[marching] < HULL
        met = (front | back | (shown & behind_front & before_back)) & open_still
        hidden = unknown & open_still
        some = active(hidden)
        kind[marching[some]] = torch.where(hidden[some], UNKNOWN, kind[marching[some]])
        some = active(met)
        rows, hit, front, back = (values[some] for values in (marching, met, front, back))
        one, two = (
            torch.where(front, near[some], far[some])
            for near, far in ((gap_before, past_before), (gap, past))
        )
        part = torch.where(front | back, one / (one - two), 1.0)
        deep = torch.where(front, 0.0, gap[some] - torch.where(back, past[some], 0.0))
        kind[rows] = torch.where(hit, HULL, kind[rows])
        share[rows] = torch.where(hit, last + part * (here - last), share[rows])
        behind[rows] = torch.where(hit, deep, behind[rows])
        beside = hit & ~front & ~back & (number > 0)
        outside[rows] = torch.where(beside, last, outside[rows])
        gap_before, past_before, shown_before, last = gap, past, shown, here
        if listing_pays(photo.device):
            kept = (~met).nonzero()[:, 0]
            if not len(kept):
                break
            if len(kept) < 0.8 * len(marching):
                marching, rays = marching[kept], rays.only(kept)
                gap_before, past_before = gap_before[kept], past_before[kept]
                shown_before = shown_before[kept]
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
    chosen = active(outside >= 0)
    rays = rays.only(chosen)
    out, into, deep = outside[chosen], share[chosen], behind[chosen]
    comes = out >= 0
    for step in range(HALVINGS + 1):
        middle = into if step == HALVINGS else (out + into) / 2
        gap, past, shown, _ = rays.look(middle)
        within = comes & shown & (gap >= 0) & (past <= 0)
        into, out = torch.where(within, middle, into), torch.where(within, out, middle)
        deep = torch.where(within, gap, deep)
    share[chosen], behind[chosen] = into, deep


class _Rays:
    """Rays that look photos up as they go."""

    def __init__(
        self,
        surfaces: Surfaces,
        canvas: Canvas,
        photo: Tensor,
        entry: Tensor,
        start: Tensor,
        way: Tensor,
        slack: Tensor,
    ) -> None:
        self._surfaces, self._canvas = surfaces, canvas
        self._photo, self._entry = photo, entry
        self._start, self._way, self._slack = start, way, slack
        self._unit = surfaces.unit[photo]

    def look(self, share: float | Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return, at a share of the way, how far rays are behind both sides, and what is unknown.

        Returns:
            Two (P,) float32: metres behind the seen surface and behind the far side; both are met early by
            the slack. (P,) bool, whether the photo shows the object there: else they mean nothing. And
            (P,) bool, places that the photo cannot tell of.
        """
        across, down, depth = (at + share * way for at, way in zip(self._start, self._way, strict=True))
        divisor = depth.clamp_min(1e-9)
        x, y = across / divisor, down / divisor
        inside = self._canvas.inside(self._photo, x, y, BORDER)
        at = self._canvas.number(self._photo, x, y)
        packed = self._surfaces.packed.flatten().index_select(0, at)
        owner, seen = (packed >> 16) - 1, (packed & DEPTH_STEPS).float() * self._unit
        own = (owner == self._entry) & (depth > 0)
        behind = depth - seen
        thick = self._surfaces.thickness.flatten().index_select(0, at) * (2 * self._unit)
        gap, past = behind + self._slack, behind - thick - self._slack
        return gap, past, own & inside, torch.where(inside, (owner >= 0) & ~own & (behind > 0), own)

    def only(self, kept: Tensor) -> _Rays:
        """Return some of the rays."""
        some = (self._photo[kept], self._entry[kept], self._start[:, kept], self._way[:, kept])
        return _Rays(self._surfaces, self._canvas, *some, self._slack[kept])
