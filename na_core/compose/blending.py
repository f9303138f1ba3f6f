"""Soft outlines: objects that cover a pixel in part, over what a ray meets behind them.

While an object stands where its photo shows it, the photo is the mixture already; as it moves, the mixture is
made anew, from its own colours and from what is behind it now. Continuous, so nothing pops in an animation.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from na_core.compose.mesh_colours import mesh_colours
from na_core.compose.objects import ObjectTables, object_points
from na_core.compose.passes import Front
from na_core.compose.relighting import Relighting
from na_core.compose.seams import STILL
from na_core.layers.layers import Layers
from na_core.raster.boxmap import BoxMap, Hits
from na_core.raster.pixels import ActivePixels, BoxTable, active, picked
from na_core.raster.sampling import sample_covered, sample_planes
from na_core.tensors.frames import FrameBatch

MAJORITY = 0.5
"""Alpha from which a pixel shows the object; below it, it shows what is behind."""


@dataclass(frozen=True)
class Planes:
    """What pixels show, all (B, H, W), changed in place.

    Attributes:
        index: int32, the asset's slot, -1 for the background.
        photo: int64, which photo shows it. x, y: float32, where, in its pixels.
        validity: bool, the photo showed this very point.
        usable: bool, the colour there is a guess at the object's.
        depth: float32, metres.
    """

    index: Tensor
    photo: Tensor
    x: Tensor
    y: Tensor
    validity: Tensor
    usable: Tensor
    depth: Tensor

    def take(self, pixels: ActivePixels) -> "Planes":
        """Return the values (P,) at pixels."""
        return Planes(*(pixels.take(plane) for plane in vars(self).values()))

    def put(self, pixels: ActivePixels, values: "Planes", where: Tensor) -> None:
        """Write values (P,) where that is so, (P,) bool."""
        for plane, value in zip(vars(self).values(), vars(values).values(), strict=True):
            pixels.put(torch.where(where, value, pixels.take(plane)), plane)

    def copied(self) -> "Planes":
        """Return planes that do not change with these."""
        return Planes(*(plane.clone() for plane in vars(self).values()))


def covered_in_part(planes: Planes, layers: Layers) -> Tensor:
    """Return the pixels (B, H, W) whose object may cover them in part; none of layers that are hard."""
    if not layers.soft:
        return torch.zeros_like(planes.validity)
    number = layers.canvas.number(planes.photo, planes.x, planes.y)
    rim = layers.rim.flatten().index_select(0, number.flatten()).view(number.shape)
    return (planes.index >= 0) & planes.validity & rim


def front_of(planes: Planes, where: Tensor, layers: Layers, views: Sequence[FrameBatch]) -> Front:
    """Return what is in front of everything else, before it is blended over what is behind.

    Args:
        planes: what pixels show if objects cover all of them.
        where: (B, H, W) bool, where they may cover them in part.
        layers, views: what is composed.
    """
    alpha = (planes.index >= 0).float()
    pixels = ActivePixels.of(where)
    shown = planes.take(pixels)
    stack = layers.foreground, layers.alpha, layers.owner, layers.canvas
    entry = _entries(views, pixels.row, shown)
    _, share = sample_covered(*stack, shown.photo, entry, shown.x, shown.y)
    pixels.put(torch.where(pixels.take(where), share, pixels.take(alpha)), alpha)
    kept = planes.copied()
    return Front(kept.index, kept.photo, kept.x, kept.y, kept.validity, alpha)


def blend_over(
    proxy: Tensor,
    background: Tensor,
    planes: Planes,
    backdrop: Planes,
    where: Tensor,
    layers: Layers,
    views: Sequence[FrameBatch],
    tables: Sequence[ObjectTables],
    relighting: Relighting,
    boxes: BoxMap,
    still: tuple[Tensor, Tensor],
) -> None:
    """Blend objects over what is behind them, in place: colours, and what pixels show.

    Args:
        proxy: (3, B, H, W), what pixels show if objects cover all of them.
        background: (3, B, H, W), the background's colour at the pixels.
        planes: what pixels show; where less than :data:`MAJORITY` is the object's, what is behind it.
        backdrop: what they show of the background.
        where: (B, H, W) bool, where to blend, see :func:`covered_in_part`.
        layers, views, tables, relighting, boxes: what is composed.
        still: x and y where the background's photo shows the pixels' directions, of any shape that
            broadcasts with (B, H, W).
    """
    pixels = ActivePixels.of(where)
    shown, behind, soft = planes.take(pixels), backdrop.take(pixels), pixels.take(where)
    entry = _entries(views, pixels.row, shown)
    stack = layers.foreground, layers.alpha, layers.owner, layers.canvas
    colours, alpha = sample_covered(*stack, shown.photo, entry, shown.x, shown.y)
    colours = relighting.relit(colours, pixels.row, shown.index, shown.photo)

    # 1. What is behind: another object, or the background.
    beyond = torch.stack([pixels.take(plane) for plane in background])
    beyond = _met_behind(_other_box(boxes, pixels, shown.index), behind, beyond, layers, tables, relighting)

    # 2. How much of the mixture is made anew.
    shape = planes.index.shape
    shift = torch.hypot(
        *(at - pixels.take(s.expand(shape)) for at, s in zip((shown.x, shown.y), still, strict=True))
    )
    other = shown.photo != views[0].photo[:, 0].index_select(0, pixels.row)
    anew = torch.where(other, 1.0, (shift - STILL).clamp(0, 1)) * soft

    photos = sample_planes(layers.picture_planes, layers.canvas, shown.photo, shown.x, shown.y)
    for plane, own, back, before in zip(proxy, colours, beyond, photos, strict=True):
        mixed = before + anew * (back + alpha * (own - back) - before)
        pixels.put(torch.where(soft, mixed, pixels.take(plane)), plane)
    planes.put(pixels, behind, soft & (alpha < MAJORITY))


def _other_box(boxes: BoxMap, pixels: ActivePixels, shown: Tensor) -> tuple[Hits, Tensor]:
    """Return where rays hit the other of their two boxes, and which of the pixels these are.

    Args:
        boxes: of all rays.
        pixels: P of them.
        shown: (P,), the box that is shown.
    """
    chosen = torch.full_like(pixels.at, -1)
    first = 0
    for hits in boxes.hits:
        number = torch.full((math.prod(pixels.shape),), -1, dtype=torch.int64, device=chosen.device)
        number.index_copy_(0, hits.pixels.at, torch.arange(len(hits.pixels.at), device=chosen.device))
        place = number.index_select(0, pixels.at)
        box = hits.box.index_select(0, place.clamp_min(0)) if len(hits.box) else place
        other = (place >= 0) & (box >= 0) & (box != shown)
        chosen = torch.where((chosen < 0) & other, place + first, chosen)
        first += len(hits.box)
    hit = active(chosen >= 0)
    chosen = picked(chosen, hit)
    box, local, face, depth = (
        picked(torch.cat([getattr(hits, name) for hits in boxes.hits], dim=-1), chosen.clamp_min(0))
        for name in ("box", "local", "face", "depth")
    )
    some = ActivePixels(picked(pixels.at, hit), pixels.shape)
    return Hits(some, torch.where(chosen < 0, -1, box), local, face, depth), hit


def _met_behind(
    other: tuple[Hits, Tensor],
    behind: Planes,
    colours: Tensor,
    layers: Layers,
    tables: Sequence[ObjectTables],
    relighting: Relighting,
) -> Tensor:
    """Look for what rays meet of another object behind the one that is shown.

    ``other`` says where to look, see :func:`_other_box`. Writes it into ``behind`` (P,) where it is nearer
    than what is there; returns the colours (3, P).
    """
    hits, hit = other
    if not len(hit):
        return colours
    points = object_points(tables, layers, hits)
    nearer = points.depth < picked(behind.depth, hit)
    sampled = sample_planes(layers.foreground_planes, layers.canvas, points.photo, points.x, points.y)
    sampled = relighting.relit(sampled, hits.pixels.row, hits.box, points.photo)
    usable = points.usable
    meshes = tables[0].meshes
    if meshes is not None:
        solid = meshes.among(hits.pixels.row, hits.box)
        painted, _ = mesh_colours(meshes, layers, hits.pixels, hits.box, relighting)
        sampled, usable = torch.where(solid, painted, sampled), usable | solid
    nearer &= usable & (hits.box >= 0)
    found = Planes(hits.box.int(), points.photo, points.x, points.y, points.seen, usable, points.depth)
    for plane, values in zip(vars(behind).values(), vars(found).values(), strict=True):
        plane.index_copy_(0, hit, torch.where(nearer, values, picked(plane, hit)))
    colours = colours.clone()
    colours.index_copy_(1, hit, torch.where(nearer, sampled, picked(colours, hit)))
    return colours


def _entries(views: Sequence[FrameBatch], row: Tensor, shown: Planes) -> Tensor:
    """Return the numbers (P,) of what pixels show, in the photos that show it."""
    first, *others = views
    entry = BoxTable(first.asset_entry[..., None], row, shown.index)[0]
    for frames in others:
        table = BoxTable(torch.stack([frames.asset_photo, frames.asset_entry], dim=-1), row, shown.index)
        own = BoxTable(first.asset_photo[..., None], row, shown.index)[0] == shown.photo
        entry = torch.where(~own & (table[0] == shown.photo), table[1], entry)
    return entry
