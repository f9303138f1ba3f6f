"""Marching rays through boxes into the objects that photos show there.

A photo's surfaces make of its boxes a scene that can be looked at from elsewhere. An object fills each of its
pixels' rays from what the photo shows to its far side, which is a guess; where the photo looks past the
object there is none of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from na_core.cancellation import poll
from na_core.raster.canvas import Canvas
from na_core.raster.pixels import active, listing_pays, picked
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

AT_ONCE, GPU_AT_ONCE = 1 << 17, 1 << 23
"""Samples that are looked at together: of few rays, many along each."""

TINY = 1e-9
"""The smallest depth that is divided by."""

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
    unit = surfaces.unit[photo]
    start, extent = start / unit, extent / unit
    rays = _Rays(
        surfaces,
        canvas,
        number=torch.arange(len(photo), device=photo.device),
        photo=photo,
        code=(entry + 1).int(),
        start=start,
        way=stop / unit - start,
        slack=SLACK * extent,
    )
    met = _Met.nothing(photo)
    for some in rays.lists():
        _march(some, met)
    _come_in(rays, met)
    behind = met.behind.clamp_min(0) / extent
    kind = torch.where((met.kind == HULL) & (behind <= THICKNESS), SURFACE, met.kind)
    return Marched(kind, met.share, behind)


@dataclass(frozen=True)
class _Met:
    """What P rays have met so far, changed in place.

    Attributes:
        kind, share: see :class:`Marched`.
        behind: (P,) float32, how far behind the seen surface, in the photo's units of depth.
        outside: (P,) float32, of rays that come in from beside: where they still are outside; -1 for others.
    """

    kind: Tensor
    share: Tensor
    behind: Tensor
    outside: Tensor

    @classmethod
    def nothing(cls, photo: Tensor) -> _Met:
        """Return what as many rays as there are photos (P,) have met before they start."""
        share = torch.zeros(len(photo), device=photo.device)
        outside, behind = torch.full_like(share, -1), torch.full_like(share, torch.inf)
        return cls(torch.full_like(photo, EMPTY), share, behind, outside)

    def note_unknown(self, rays: _Rays, unknown: Tensor) -> None:
        """Write down rays on which there is something unknown, (P,) bool."""
        some = active(unknown)
        rows = picked(rays.number, some)
        kind = torch.where(picked(unknown, some), UNKNOWN, picked(self.kind, rows))
        self.kind.index_copy_(0, rows, kind)


def _march(rays: _Rays, met: _Met) -> None:
    """Go along rays until they meet their object, and write down where."""
    in_front = beyond = torch.zeros_like(rays.photo, dtype=torch.bool)
    gap_before = past_before = rays.slack
    at_once = AT_ONCE if listing_pays(rays.photo.device) else GPU_AT_ONCE
    number = 0
    while number <= STEPS and len(rays.photo):
        poll()
        count, many = len(rays.photo), min(STEPS + 1 - number, max(1, at_once // len(rays.photo)))
        shares = torch.arange(number, number + many, device=rays.photo.device) / STEPS
        gap, past, shown, unknown = rays.look(shares[:, None])
        behind_front, before_back = (gap >= 0).logical_and_(shown), (past <= 0).logical_and_(shown)
        in_front = torch.cat([in_front[None], shown > behind_front])
        beyond = torch.cat([beyond[None], shown > before_back])
        front, back = in_front[:-1] & behind_front, beyond[:-1] & before_back
        meets = behind_front.logical_and_(before_back).logical_or_(front).logical_or_(back)

        open_still = picked(met.kind, rays.number) < HULL
        met.note_unknown(rays, unknown.any(dim=0).logical_and_(open_still))
        hit = meets.any(dim=0).logical_and_(open_still)
        some = active(hit)
        rows, step = picked(rays.number, some), picked(meets, some).byte().argmax(dim=0)
        here, at = (number + step) / STEPS, step * count + some
        front, back, gap_here, past_here = (picked(v.flatten(), at) for v in (front, back, gap, past))
        gap_last, past_last = (
            torch.where(step > 0, picked(values.flatten(), at - count * (step > 0)), picked(before, some))
            for values, before in ((gap, gap_before), (past, past_before))
        )
        one, two = torch.where(front, gap_last, past_last), torch.where(front, gap_here, past_here)
        share = torch.where(front | back, here - two / (two - one) / STEPS, here)
        deep = torch.where(front, 0.0, gap_here - torch.where(back, past_here, 0.0))
        beside = ~front & ~back & (here > 0)
        hits = picked(hit, some)
        for values, found, where in (
            (met.kind, HULL, hits),
            (met.share, share, hits),
            (met.behind, deep, hits),
            (met.outside, here - 1 / STEPS, hits & beside),
        ):
            values.index_copy_(0, rows, torch.where(where, found, picked(values, rows)))

        number += many
        in_front, beyond, gap_before, past_before = in_front[-1], beyond[-1], gap[-1], past[-1]
        if listing_pays(rays.photo.device):
            kept = active(~hit)
            rays = rays.only(kept)
            in_front, beyond, gap_before, past_before = (
                picked(values, kept) for values in (in_front, beyond, gap_before, past_before)
            )


def _come_in(rays: _Rays, met: _Met) -> None:
    """Find where rays come into objects from beside them, by halving."""
    chosen = active(met.outside >= 0)
    rays = rays.only(chosen)
    out, into, deep = met.outside[chosen], met.share[chosen], met.behind[chosen]
    comes = out >= 0
    for step in range(HALVINGS + 1):
        middle = into if step == HALVINGS else (out + into) / 2
        gap, past, shown, _ = rays.look(middle)
        within = comes & shown & (gap >= 0) & (past <= 0)
        into, out = torch.where(within, middle, into), torch.where(within, out, middle)
        deep = torch.where(within, gap, deep)
    met.share[chosen], met.behind[chosen] = into, deep


@dataclass(frozen=True)
class _Rays:
    """Rays that look photos up as they go. Depths are in the units of their photos.

    Attributes:
        surfaces, canvas: of the photos.
        number: (P,) int64, by which the caller knows each ray.
        photo: (P,) int64. code: (P,) int32, the object's number there + 1.
        start, way: (3, P) float32, x and y in pixels, times depth; and depth.
        slack: (P,) float32, by which surfaces are met early.
        bounded: whether all of the rays go nowhere near their photo's border or the camera.
    """

    surfaces: Surfaces
    canvas: Canvas
    number: Tensor
    photo: Tensor
    code: Tensor
    start: Tensor
    way: Tensor
    slack: Tensor
    bounded: bool = False

    def look(self, share: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return, at a share of the way, how far rays are behind both sides, and what is unknown.

        Returns:
            Two (P,) float32: how far behind the seen surface and behind the far side; both are met early by
            the slack. (P,) bool, whether the photo shows the object there: else they mean nothing. And
            (P,) bool, places that the photo cannot tell of.
        """
        across, down, depth = (torch.addcmul(*ends, share) for ends in zip(self.start, self.way, strict=True))
        divisor = depth if self.bounded else depth.clamp_min(TINY)
        x, y = across.div_(divisor), down.div_(divisor)
        at = self._pixel(x, y)
        surfaces = self.surfaces.packed, self.surfaces.thickness
        packed, thickness = (v.flatten().index_select(0, at.flatten()).view(at.shape) for v in surfaces)
        code = packed >> 16
        own, any_object = code == self.code, code > 0
        behind = depth - packed.bitwise_and_(DEPTH_STEPS)
        other = (any_object ^ own).logical_and_(behind > 0)
        gap = behind.add_(self.slack)
        past = torch.add(gap, thickness, alpha=-2).sub_(self.slack, alpha=2)
        if self.bounded:
            return gap, past, own, other
        own &= depth > 0
        inside = self.canvas.inside(self.photo, x, y, BORDER)
        return gap, past, own & inside, torch.where(inside, other, own)

    def _pixel(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the numbers (P,) of the pixels at positions in the flat stack of photos."""
        if not self.bounded:
            return self.canvas.number(self.photo, x, y)
        pixel = y.int().mul_(self.canvas.width).add_(x.int())
        return pixel if len(self.surfaces.unit) == 1 else self.photo * self.canvas.size + pixel

    def only(self, kept: Tensor, bounded: bool | None = None) -> _Rays:
        """Return some of the rays, which are bounded if these all are or if it is said."""
        names = ("number", "photo", "code", "start", "way", "slack")
        some: dict[str, Any] = {name: picked(getattr(self, name), kept) for name in names}
        return replace(self, **some, bounded=self.bounded if bounded is None else bounded)

    def lists(self) -> list[_Rays]:
        """Return the rays that may meet something: the bounded ones, and the others.

        A photo shows a ray as a line: all of it lies between its ends. Where there is no object in the
        rectangle around these, the ray meets none.
        """
        if not listing_pays(self.photo.device):
            return [self]
        ends = self.start, self.start + self.way
        before = (self.start[2] > 0) & (ends[1][2] > 0)
        x, y = (torch.stack([end[axis] / end[2].clamp_min(TINY) for end in ends]) for axis in (0, 1))
        left, right, top, bottom = x.amin(0), x.amax(0), y.amin(0), y.amax(0)
        width, height = self.canvas.extent(self.photo)
        bounded = before & (left >= 1) & (right <= width - 1) & (top >= 1) & (bottom <= height - 1)
        near = active(bounded)
        left, right, top, bottom = (picked(values, near) for values in (left, right, top, bottom))
        shows = self.surfaces.show_objects(picked(self.photo, near), left - 1, right + 1, top - 1, bottom + 1)
        some = self.only(picked(near, active(shows)), bounded=True), self.only(active(~bounded))
        return [rays for rays in some if len(rays.photo)]
