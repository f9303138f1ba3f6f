"""What rays meet of meshes that artists gave to assets, and in what colour.

A point of a mesh has the photo's colour where the photo shows it: nothing of the mesh is before it there, and
the pixel is the object's. Elsewhere, and where the photo sees it at a slant, it has the mesh's own colour in
the light that the photo tells of. Shapes are exact: there is no outline to blend over what is behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from na_core.compose.relighting import Relighting
from na_core.compose.seams import STILL
from na_core.layers.layers import Layers
from na_core.meshes.casting import Array, MeshHits
from na_core.meshes.placed import PlacedMesh, facing_viewer
from na_core.raster.boxmap import box_from_pixel
from na_core.raster.colour import linear_from_srgb, srgb_from_linear
from na_core.raster.pixels import ActivePixels
from na_core.raster.sampling import sample_planes
from na_core.raster.surfaces import inward
from na_core.tensors.cameras import affine_inverse, image_from_camera
from na_core.tensors.frames import FrameBatch

if TYPE_CHECKING:
    from na_core.compose.blending import Planes

Placed = Mapping[tuple[int, int], PlacedMesh]
"""Meshes by frame and slot."""

NEARLY = 1 - 1e-3
"""Share of the way to a point on a mesh on which the mesh may hide it."""

SLANTED, STRAIGHT = 0.1, 0.35
"""Cosines between normal and the photo's view up to which the mesh's own colour counts, and from which the
photo's does: at a slant few pixels show much."""

RELIT = 0.5
"""How far the photo's colours follow the light as an object turns: part of what they show is paint."""


@dataclass(frozen=True)
class _Sight:
    """One mesh before any ray: numbers of its frame and its photo.

    Attributes:
        rays: (3, 4), a pixel's (column, row, 1) ray in box coordinates, a metre of depth long; their start.
        eye: (3,), the photo's camera in the coordinates of the source box.
        photo_from_box: (3, 4), from there to (x * depth, y * depth, depth), x and y in the photo's pixels.
        photo, entry: the number of the photo, and the object's there.
    """

    rays: Array
    eye: Array
    photo_from_box: Array
    photo: int
    entry: int


@dataclass(frozen=True)
class _Met:
    """What P rays meet of one mesh.

    Attributes:
        number: (P,) int64, by which the caller knows the rays; those that meet nothing are left out.
        hits: where. ways: (P, 3) their directions in the frame's world.
        depth: (P,) metres.
        x, y: (P,) where the photo shows it, in its pixels, if nothing is before it.
        inside: (P,) bool, whether that is in the photo.
        clear: (P,) bool, whether nothing of the mesh itself is before it.
        points: (P, 3) in the source box.
    """

    number: NDArray[np.int64]
    hits: MeshHits
    ways: Array
    depth: Array
    x: Tensor
    y: Tensor
    inside: NDArray[np.bool_]
    clear: NDArray[np.bool_]
    points: Array


@dataclass(frozen=True)
class MeshTables:
    """What is known of frames' meshes before any ray.

    Attributes:
        placed: the meshes.
        present: (B, N) bool, slots that have one.
        sights: by frame and slot.
    """

    placed: Placed
    present: Tensor
    sights: Mapping[tuple[int, int], _Sight]

    @classmethod
    def of(cls, placed: Placed, frames: FrameBatch, layers: Layers, width: int, height: int) -> MeshTables:
        """Return the tables of frames of a size in pixels."""
        present = torch.zeros_like(frames.present)
        rays = box_from_pixel(frames.camera, frames.boxes, width, height).cpu().numpy()
        cameras = frames.source_cameras
        in_camera = affine_inverse(cameras.world_from_camera)[0] @ frames.source_boxes
        projection = image_from_camera(cameras) @ in_camera[..., :3, :]
        across, down = layers.canvas.extent(frames.asset_photo[..., None])
        x, y, depth = projection.unbind(-2)
        projections = torch.stack([x * across, y * down, depth], dim=-2).cpu().numpy()
        eyes = affine_inverse(in_camera)[0][..., :3, 3].cpu().numpy()
        sights = {}
        for row, slot in placed:
            present[row, slot] = True
            sights[row, slot] = _Sight(
                rays[row, slot],
                eyes[row, slot],
                projections[row, slot],
                int(frames.asset_photo[row, slot]),
                int(frames.asset_entry[row, slot]),
            )
        return cls(placed, present, sights)

    def among(self, row: Tensor, slot: Tensor) -> Tensor:
        """Tell which assets (P,) have a mesh; a slot below 0 is none."""
        found = self.present[row, slot.clamp_min(0).long()]
        return found & (slot >= 0)

    def met(
        self, pixels: ActivePixels, slot: Tensor, layers: Layers
    ) -> Iterator[tuple[tuple[int, int], _Met]]:
        """Yield what the rays of pixels meet of the meshes in their slots (P,), mesh by mesh."""
        row = pixels.row
        column, line = (centre - 0.5 for centre in pixels.centre)
        for (frame, number), sight in self.sights.items():
            own = ((row == frame) & (slot == number)).nonzero()[:, 0]
            if len(own):
                at = torch.stack([column[own], line[own]], dim=1).double().cpu().numpy()
                key = frame, number
                yield key, _meet(self.placed[key], sight, own.cpu().numpy(), at, layers)


def reaching_boxes(placed: Placed, boxes: Tensor) -> Tensor:
    """Return boxes (B, N, 4, 4) of which those with a mesh hold all of it, and little more."""
    boxes = boxes.clone()
    for (row, slot), mesh in placed.items():
        boxes[row, slot] = torch.from_numpy(mesh.reach).to(boxes)
    return boxes


def _meet(mesh: PlacedMesh, sight: _Sight, number: NDArray[np.int64], pixels: Array, layers: Layers) -> _Met:
    """Cast the rays of pixels (P, 2) into a mesh."""
    ways = pixels @ sight.rays[:, :2].T + sight.rays[:, 2]
    hits = mesh.shape.caster.cast(sight.rays[:, 3], ways)
    met = (hits.triangle >= 0) & (hits.distance > 0)
    hits = MeshHits(hits.triangle[met], hits.weights[met], hits.distance[met])
    points = (mesh.source.caster.corners[hits.triangle] * hits.weights[..., None]).sum(axis=1)
    across, down, depth = (points @ sight.photo_from_box[:, :3].T + sight.photo_from_box[:, 3]).T
    divisor = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
    device = layers.picture.device
    x, y = (torch.from_numpy(each / divisor).float().to(device) for each in (across, down))
    photo = torch.full((len(x),), sight.photo, dtype=torch.int64, device=device)
    inside = layers.canvas.inside(photo, x, y).cpu().numpy() & (depth > 1e-9)
    clear = ~mesh.source.caster.hides(sight.eye, points, NEARLY)
    turned = ways[met] @ mesh.world_from_box[:3, :3].T
    return _Met(number[met], hits, turned, hits.distance, x, y, inside, clear, points)


def _owners(met: _Met, sight: _Sight, layers: Layers) -> tuple[Tensor, NDArray[np.int64]]:
    """Return the number of the photo (P,), and whose the pixels are that show what rays met."""
    photo = torch.full((len(met.x),), sight.photo, dtype=torch.int64, device=met.x.device)
    at = layers.canvas.number(photo, met.x, met.y)
    owner: NDArray[np.int64] = layers.owner.flatten().index_select(0, at).long().cpu().numpy()
    return photo, owner


@dataclass(frozen=True)
class MeshPoints:
    """What P rays meet of meshes: see :class:`na_core.compose.objects.ObjectPoints`."""

    x: Tensor
    y: Tensor
    seen: Tensor
    depth: Tensor


def mesh_points(tables: MeshTables, layers: Layers, pixels: ActivePixels, slot: Tensor) -> MeshPoints:
    """Return what the rays of pixels meet of the meshes in their slots (P,)."""
    device, count = layers.picture.device, len(slot)
    found = MeshPoints(
        torch.zeros(count, device=device),
        torch.zeros(count, device=device),
        torch.zeros(count, dtype=torch.bool, device=device),
        torch.full((count,), torch.inf, device=device),
    )
    for key, met in tables.met(pixels, slot, layers):
        sight = tables.sights[key]
        _, owner = _owners(met, sight, layers)
        at = torch.from_numpy(met.number).to(device)
        found.x[at], found.y[at] = met.x, met.y
        found.seen[at] = torch.from_numpy(met.inside & met.clear & (owner == sight.entry)).to(device)
        found.depth[at] = torch.from_numpy(met.depth).float().to(device)
    return found


def mesh_colours(
    tables: MeshTables,
    layers: Layers,
    pixels: ActivePixels,
    slot: Tensor,
    relighting: Relighting,
    still: tuple[Tensor, Tensor] | None = None,
    unmoved: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the colours (3, P) of what rays meet of meshes, and how far they are the photo as it is, (P,).

    Args:
        tables, layers: of the frames.
        pixels: of the rays, which all meet the mesh in their slot (P,).
        slot: of the meshes.
        relighting: of the frames.
        still: where the background's photo shows the rays' directions, two (P,), in its pixels.
        unmoved: (P,) bool, assets that come from the background's photo. Where such a mesh has moved by less
            than a pixel it shows the photo itself, even where it reaches over the object's outline.
    """
    device = layers.picture.device
    colours = torch.zeros((3, len(slot)), device=device)
    kept = torch.zeros(len(slot), device=device)
    for key, met in tables.met(pixels, slot, layers):
        sight = tables.sights[key]
        photo, owner = _owners(met, sight, layers)
        at = torch.from_numpy(met.number).to(device)
        shown = met.inside & met.clear
        made = _colours(tables.placed[key], sight, met, layers, photo, shown & (owner == sight.entry))
        made = relighting.relit(made, pixels.row[at], slot[at])
        if still is not None and unmoved is not None:
            shift = torch.hypot(met.x - still[0][at], met.y - still[1][at])
            stays = torch.from_numpy(shown & ((owner == sight.entry) | (owner < 0))).to(device)
            share = (1 - (shift - STILL).clamp(0, 1)) * (stays & unmoved[at])
            pictures = sample_planes(layers.picture_planes, layers.canvas, photo, met.x, met.y)
            made = torch.where(share == 1, pictures, made + (pictures - made) * share)
            kept[at] = share
        colours[:, at] = made
    return colours, kept


def _colours(
    mesh: PlacedMesh, sight: _Sight, met: _Met, layers: Layers, photo: Tensor, seen: NDArray[np.bool_]
) -> Tensor:
    """Return the colours (3, P) of what rays meet of a mesh, sRGB."""
    device = layers.picture.device
    source_box = mesh.asset.source_box.world_from_box
    here = facing_viewer(mesh.shape.normals_at(met.hits, mesh.world_from_box), met.ways)
    ways = (met.points - sight.eye) @ source_box[:3, :3].T
    ways /= np.maximum(np.linalg.norm(ways, axis=1, keepdims=True), 1e-12)
    there = facing_viewer(mesh.source.normals_at(met.hits, source_box), ways)
    facing = -(there * ways).sum(axis=1)
    slant = np.clip((facing - SLANTED) / (STRAIGHT - SLANTED), 0, 1)
    share = np.where(seen, slant * slant * (3 - 2 * slant), 0)

    pixel = met.depth * np.linalg.norm(source_box[:3, :3] @ sight.rays[:, 0])
    light = mesh.tone.light(here)
    base = mesh.base.at(met.hits, pixel) * light
    turn = (light / mesh.tone.light(there)) ** RELIT

    x, y = inward(layers.inward_steps, layers.canvas, photo, met.x, met.y)
    colours = linear_from_srgb(sample_planes(layers.foreground_planes, layers.canvas, photo, x, y))
    own, turned = (torch.from_numpy(each.T.copy()).float().to(device) for each in (base, turn))
    weight = torch.from_numpy(share).float().to(device)
    return srgb_from_linear(own + weight * (colours * turned - own))


def paint_meshes(
    proxy: Tensor,
    planes: Planes,
    tables: MeshTables,
    layers: Layers,
    frames: FrameBatch,
    relighting: Relighting,
    still: tuple[Tensor, Tensor],
) -> None:
    """Give pixels that show meshes their colours, in place, and note where that is the photo as it is.

    Args:
        proxy: (3, B, H, W).
        planes: what pixels show.
        tables, layers, frames, relighting: what is composed.
        still: where the background's photo shows the pixels' directions, (B, 1, W) and (B, H, 1).
    """
    shape = planes.index.shape
    rows = torch.arange(shape[0], device=proxy.device)[:, None, None].expand(shape)
    pixels = ActivePixels.of(tables.among(rows, planes.index))
    slot = pixels.take(planes.index).long()
    unmoved = frames.asset_view[pixels.row, slot] == 0
    at = tuple(pixels.take(plane.expand(shape)) for plane in still)
    colours, kept = mesh_colours(tables, layers, pixels, slot, relighting, (at[0], at[1]), unmoved)
    for plane, values in zip(proxy, colours, strict=True):
        pixels.put(values, plane)
    pixels.put(pixels.take(planes.validity) | (kept == 1), planes.validity)
