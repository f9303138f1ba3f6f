"""What rays through the boxes of frames meet of the objects in them, and where photos show that."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from na_core.compose.mesh_rays import MeshTables, mesh_points
from na_core.layers.layers import Layers
from na_core.raster.boxmap import Hits, camera_in_box, of_hits, through_box
from na_core.raster.march import HULL, SURFACE, UNKNOWN, march
from na_core.raster.pixels import BoxTable, active, length, picked
from na_core.raster.surfaces import inward
from na_core.tensors.boxes import box_corners
from na_core.tensors.cameras import (
    affine_inverse,
    away_from_zero,
    camera_from_world,
    image_from_camera,
    project_local,
)
from na_core.tensors.frames import FrameBatch

UNKNOWN_DEPTH = 1e6
"""Metres by which what a photo cannot tell of stands back behind what another box's photo can."""

GUESS_DEPTH = 0.05
"""How far behind the seen surface, in units of the box's extent in depth, a point may have its colour."""


@dataclass(frozen=True)
class ObjectPoints:
    """What rays meet in the boxes that they hit, all (P,).

    Attributes:
        photo: int64, which photo shows it. x, y: float32, where, in its pixels.
        seen: bool, the photo showed this very point.
        usable: bool, the colour there is a guess at the object's; else only its colours around are.
        depth: float32, metres from the frame's camera, infinite where the box is empty.
    """

    photo: Tensor
    x: Tensor
    y: Tensor
    seen: Tensor
    usable: Tensor
    depth: Tensor


@dataclass(frozen=True)
class ObjectTables:
    """What is known of B frames' N boxes before any ray is: made once, for all that rays hit.

    Attributes:
        asset: (B, N, 3) int64: the photo, the object in it, and 1 where it shows anything.
        eye: (B, N, 3) float32, the frame's camera in the relabelled box, which is [-1, 1]^3.
        extent: (B, N, 1) float32, metres of depth that a box takes up in its photo.
        source_eye: (B, N, 3) float32, the photo's camera in the relabelled source box, likewise.
        size: (B, N, 3) float32, metres of that box's sides.
        photo_from_local: (B, N, 12) float32, see :func:`_photo_from_local`.
        meshes: that assets have; None where no asset of any frame has one.
    """

    asset: Tensor
    eye: Tensor
    extent: Tensor
    source_eye: Tensor
    size: Tensor
    photo_from_local: Tensor
    meshes: MeshTables | None = None

    @classmethod
    def of(cls, frames: FrameBatch, layers: Layers, meshes: MeshTables | None = None) -> Self:
        """Return the tables of frames, whose assets may have meshes."""
        may = frames.shown & frames.present & (affine_inverse(frames.source_boxes)[1] != 0)
        in_camera = camera_from_world(frames.source_cameras) @ frames.source_boxes
        depths = project_local(frames.source_cameras, box_corners(in_camera))[..., 2]
        return cls(
            torch.stack([frames.asset_photo, frames.asset_entry, may.long()], dim=-1),
            camera_in_box(frames.camera[:, None], frames.turned_boxes)[0].float(),
            (depths.amax(-1) - depths.amin(-1)).clamp_min(1e-9).float()[..., None],
            camera_in_box(frames.source_cameras, frames.turned_source_boxes)[0].float(),
            frames.turned_source_boxes[..., :3, :3].norm(dim=-2).float(),
            _photo_from_local(frames, layers),
            meshes,
        )


def object_points(tables: Sequence[ObjectTables], layers: Layers, hits: Hits) -> ObjectPoints:
    """Find what rays through boxes meet of the objects in them: of their meshes, or of what photos show.

    Where several photos show an object, a ray meets the surface that was seen from where it is seen now, or
    most nearly so; where none saw it, the object is where none of them saw it to be empty.

    Args:
        tables: of the frames; and of the frames as other views of their assets show these.
        layers: of their photos.
        hits: of the rays through the frames' relabelled boxes; of meshes, through boxes that hold them.
    """
    first, *others = tables
    if first.meshes is None:
        return _of_views(first, others, layers, hits)
    solid = first.meshes.among(hits.pixels.row, hits.box)
    meshes, reliefs = solid.nonzero()[:, 0], (~solid).nonzero()[:, 0]
    parts = _of_views(first, others, layers, hits.only(reliefs))
    found = hits.only(meshes)
    points = mesh_points(first.meshes, layers, found.pixels, found.box)
    exact = ObjectPoints(points.photo, points.x, points.y, points.seen, points.seen, points.depth)
    order = torch.cat([meshes, reliefs]).argsort()
    pairs = zip(vars(exact).values(), vars(parts).values(), strict=True)
    return ObjectPoints(*(torch.cat(pair)[order] for pair in pairs))


def _of_views(
    first: ObjectTables, others: Sequence[ObjectTables], layers: Layers, hits: Hits
) -> ObjectPoints:
    """Find what rays meet of objects that several photos may show."""
    points = _relief_points(first, layers, hits)
    nearest = _nearness(first, first, hits) if others else None
    for tables in others:
        there = BoxTable(tables.asset, hits.pixels.row, hits.box)[2] > 0
        some = active(there & (hits.box >= 0))
        if not len(some):
            continue
        more = _relief_points(tables, layers, hits.only(some))
        near = _nearness(first, tables, hits)
        known = picked(there, some)
        assert nearest is not None
        before = ObjectPoints(*(picked(each, some) for each in vars(points).values()))
        merged = _merged(before, more, picked(near > nearest, some))
        nearest = torch.where(there, torch.maximum(nearest, near), nearest)
        for plane, values in zip(vars(points).values(), vars(merged).values(), strict=True):
            plane.index_copy_(0, some, torch.where(known, values, picked(plane, some)))
    return points


def _nearness(first: ObjectTables, tables: ObjectTables, hits: Hits) -> Tensor:
    """Return how nearly rays look at objects as their photos did: cosines (P,) of the angle between."""
    size = of_hits(tables.size, hits)
    now = (of_hits(first.eye, hits) - hits.local) * size
    then = (of_hits(tables.source_eye, hits) - hits.local) * size
    return (now * then).sum(dim=0) / (length(now) * length(then)).clamp_min(1e-9)


def _merged(one: ObjectPoints, two: ObjectPoints, prefers_two: Tensor) -> ObjectPoints:
    """Return what rays meet of an object by what two photos tell of it.

    A surface that was seen counts before one that is guessed, and that of the preferred photo first. Of
    guesses the farther counts: the object is at most where both photos let it be.
    """
    seen = torch.where(one.seen & two.seen, prefers_two, two.seen)
    guessed = two.usable & (~one.usable | (two.depth > one.depth))
    takes = torch.where(one.seen | two.seen, seen, guessed)
    planes = (
        torch.where(takes, values, before)
        for before, values in zip(vars(one).values(), vars(two).values(), strict=True)
    )
    merged = ObjectPoints(*planes)
    known = (one.depth < UNKNOWN_DEPTH) & (two.depth < UNKNOWN_DEPTH)
    farther = torch.maximum(one.depth, two.depth)
    empty = one.depth.isinf() | two.depth.isinf()
    depth = torch.where(known | empty, farther, torch.minimum(one.depth, two.depth))
    return replace(merged, depth=torch.where(merged.seen, merged.depth, depth))


def _relief_points(tables: ObjectTables, layers: Layers, hits: Hits) -> ObjectPoints:
    """Find what rays through boxes meet of the objects in them, of which nothing is known but their photos.

    What the photo did not see has the colour of what the photo shows close in front of it; farther behind,
    of the point that is mirrored through the box, if the photo shows that; else it has no colour of its own.
    On an object's rim it is the colour beside the rim. An object that is not shown may fill its box.

    Args:
        tables: of the frames.
        layers: of their photos.
        hits: of the rays through the frames' relabelled boxes.
    """
    canvas, row, box = layers.canvas, hits.pixels.row, hits.box
    table = BoxTable(tables.asset, row, box)
    photo, entry, shows = table[0], table[1], table[2] > 0
    eye = of_hits(tables.eye, hits)
    enter, leave, _ = through_box(eye, hits)
    projection = BoxTable(tables.photo_from_local, row, box)
    start, stop = _projected(projection, enter), _projected(projection, leave)
    way = stop - start
    extents = BoxTable(tables.extent, row, box)[0]
    met = march(layers.surfaces, canvas, photo, entry, start, stop, extents)
    unknown = (met.kind == UNKNOWN) & ~_surely_empty(layers, met.kind, photo, entry, start, way)
    point = start.addcmul_(met.share, way)
    divisor = point[2].clamp_min(1e-9)
    x, y = point[0] / divisor, point[1] / divisor

    real = box >= 0
    filled = real & shows & (met.kind >= HULL)
    usable = filled.clone()
    local = enter + met.share * (leave - enter)
    guesses = active(met.kind == HULL)
    if len(guesses):
        values = (local, photo, entry, x, y, met.behind, extents, hits.face)
        some = (picked(each, guesses) for each in values)
        columns = BoxTable(tables.photo_from_local, picked(row, guesses), picked(box, guesses))
        hull = picked(met.kind, guesses) == HULL
        guessed_x, guessed_y, known = _guessed(layers, columns, *some)
        known &= picked(usable, guesses)
        for plane, guessed in ((x, guessed_x), (y, guessed_y), (usable, known)):
            plane.index_copy_(0, guesses, torch.where(hull, guessed, picked(plane, guesses)))

    whole = length(hits.local - eye).clamp_min(1e-9)
    distance = hits.depth * length(local - eye) / whole  # depth grows evenly along a ray
    far = UNKNOWN_DEPTH + hits.depth
    depth = torch.where(unknown, far, torch.where(filled, distance, torch.inf))
    depth = torch.where(shows, depth, hits.depth).masked_fill_(~real, torch.inf)
    return ObjectPoints(photo, x, y, filled & (met.kind == SURFACE), usable, depth)


def _surely_empty(
    layers: Layers, kind: Tensor, photo: Tensor, entry: Tensor, start: Tensor, way: Tensor
) -> Tensor:
    """Tell which rays (P,) pass an object where something hides its photo's view, but outside its hull.

    Args:
        layers: of the photos.
        kind: what rays meet.
        photo, entry: of their objects.
        start, way: (3, P), where the photo shows their entering the box, times depth, and from there on.
    """
    empty = torch.zeros_like(kind, dtype=torch.bool)
    some = active(kind == UNKNOWN)
    if not len(some):
        return empty
    across, down, depth = picked(start, some) + picked(way, some) / 2
    divisor = depth.clamp_min(1e-9)
    x, y = across / divisor, down / divisor
    photo, entry = picked(photo, some), picked(entry, some)
    outside = ~layers.colours.may_hide(photo * layers.objects + entry, x, y)
    outside &= (depth > 0) & layers.canvas.inside(photo, x, y)
    return empty.index_copy(0, some, outside)


def _guessed(
    layers: Layers,
    projection: BoxTable,
    local: Tensor,
    photo: Tensor,
    entry: Tensor,
    x: Tensor,
    y: Tensor,
    behind: Tensor,
    extent: Tensor,
    face: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return where the photo shows the colours of points (P,) that it did not see, and whether it does.

    Args:
        layers: of the photos.
        projection: of the points' boxes, see :func:`_photo_from_local`.
        local: (3, P), in the boxes' coordinates.
        photo, entry, x, y: what the photo shows in front of each point, and where.
        behind: how far behind that the point is, in units of the box's extent in depth.
        extent: of the box in depth, in metres.
        face: of the box, through which the ray came.
    """
    axis = face // 2
    mirrored = torch.stack([torch.where(axis == n, -values, values) for n, values in enumerate(local)])
    across, down, depth = _projected(projection, mirrored)
    divisor = away_from_zero(depth)
    across, down = across / divisor, down / divisor
    canvas = layers.canvas
    owner, seen = layers.surfaces.at(canvas.number(photo, across, down), photo)
    close = behind <= GUESS_DEPTH
    shown = (owner == entry) & (depth - seen <= GUESS_DEPTH * extent) & canvas.inside(photo, across, down)
    mirror = shown & ~close
    x, y = torch.where(mirror, across, x), torch.where(mirror, down, y)
    return *inward(layers.inward_steps, canvas, photo, x, y), close | shown


def _projected(projection: BoxTable, local: Tensor) -> Tensor:
    """Return (3, P): x and y in pixels, times depth, and depth, of local points (3, P)."""
    planes = [
        projection[first]
        .mul_(local[0])
        .addcmul_(projection[first + 1], local[1])
        .addcmul_(projection[first + 2], local[2])
        .add_(projection[first + 3])
        for first in (0, 4, 8)
    ]
    return torch.stack(planes)


def _photo_from_local(frames: FrameBatch, layers: Layers) -> Tensor:
    """Return (B, N, 12) float32, row by row the (3, 4) that project a point of an asset's box into its photo.

    From relabelled local coordinates in [-1, 1] and 1 to (x * depth, y * depth, depth), x and y in pixels.
    """
    cameras = frames.source_cameras
    inverse = affine_inverse(cameras.world_from_camera)[0]
    projection = image_from_camera(cameras) @ (inverse @ frames.turned_source_boxes)[..., :3, :]
    projection[..., :3] /= 2
    x, y, depth = projection.unbind(-2)
    width, height = layers.canvas.extent(frames.asset_photo[..., None])
    return torch.cat([x * width, y * height, depth], dim=-1).float()
