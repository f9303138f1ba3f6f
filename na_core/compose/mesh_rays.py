"""What rays meet of meshes that artists gave to assets, and where photos show that.

Shapes are exact: there is no outline to blend over what is behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from na_core.layers.layers import Layers
from na_core.meshes.casting import Array, MeshHits
from na_core.meshes.placed import PlacedMesh, facing_viewer
from na_core.meshes.tone import Tone
from na_core.raster.boxmap import box_from_pixel
from na_core.raster.pixels import ActivePixels
from na_core.tensors.cameras import affine_inverse, image_from_camera
from na_core.tensors.frames import FrameBatch

Placed = Mapping[tuple[int, int], PlacedMesh]
"""Meshes by frame and slot."""

EYES, EYE_SPREAD, FADING = 7, 0.08, 2
"""Places around a photo's camera from which a point is looked for, too; how far they are from it, in units of
its distance; and a power of the share of them, beyond half, that see it, by which the photo counts there.
What is about to be hidden fades to the mesh's own colour: a mesh never fits so well that the photo shows the
very edge."""

NEARLY = 1 - 1e-3
"""Share of the way to a point on a mesh on which the mesh may hide it."""

SLANTED, STRAIGHT = 0.1, 0.35
"""Cosines between normal and the photo's view up to which the mesh's own colour counts, and from which the
photo's does: at a slant few pixels show much."""


@dataclass(frozen=True)
class Sight:
    """A photo of one mesh.

    Attributes:
        eye: (3,), its camera in the coordinates of the box there.
        world_from_box: (4, 4) of that box.
        photo_from_box: (3, 4), from there to (x * depth, y * depth, depth), x and y in the photo's pixels.
        photo, entry: the number of the photo, and the object's there.
        tone: the light on the mesh there.
    """

    eye: Array
    world_from_box: Array
    photo_from_box: Array
    photo: int
    entry: int
    tone: Tone

    @property
    def sharpness(self) -> float:
        """Pixels of the photo on a metre of the object, about."""
        scale = np.linalg.norm(self.world_from_box[:3, :3], axis=0).mean()
        return float(np.linalg.norm(self.photo_from_box[:2, :3]) / scale / self.photo_from_box[2, 3])


@dataclass(frozen=True)
class Met:
    """What P rays meet of one mesh.

    Attributes:
        at: (P,) int64, by which the caller knows the rays; those that meet nothing are left out.
        hits: where. points: (P, 3), that in the source box. ways: (P, 3), the rays' directions in the world.
        depth: (P,) metres.
        seen: in each photo.
    """

    at: Tensor
    hits: MeshHits
    points: Array
    ways: Array
    depth: Array
    seen: tuple[Seen, ...]

    @property
    def best(self) -> NDArray[np.int64]:
        """Which photo shows each point best, (P,); the first where none does."""
        found: NDArray[np.int64] = np.stack([each.weight for each in self.seen]).argmax(axis=0)
        return found


@dataclass(frozen=True)
class Seen:
    """Points of a mesh in a photo, (P,).

    Attributes:
        x, y: float32 pixels.
        clear: bool, whether they are in the photo, and nothing of the mesh is before them.
        owner: int64, whose the pixels are; -1 for nobody's.
        own: bool, whether the photo shows them: clear, and the object's.
        weight: how well it does, in [0, 1]; 0 where it does not, or at a slant.
        normals: (P, 3) unit vectors in the photo's world.
    """

    x: Tensor
    y: Tensor
    clear: NDArray[np.bool_]
    owner: NDArray[np.int64]
    own: NDArray[np.bool_]
    weight: Array
    normals: Array


@dataclass(frozen=True)
class MeshTables:
    """What is known of frames' meshes before any ray.

    Attributes:
        placed: the meshes.
        present: (B, N) bool, slots that have one.
        rays: by frame and slot (3, 4): a pixel's (column, row, 1) ray in box coordinates, a metre of depth
            long, and where all rays start.
        sights: by frame and slot, the photos of a mesh, its asset's own first.
    """

    placed: Placed
    present: Tensor
    rays: Mapping[tuple[int, int], Array]
    sights: Mapping[tuple[int, int], tuple[Sight, ...]]

    @classmethod
    def of(
        cls, placed: Placed, views: Sequence[FrameBatch], layers: Layers, width: int, height: int
    ) -> MeshTables:
        """Return the tables of frames of a size in pixels.

        Args:
            placed: the meshes.
            views: the frames, and the frames as other views of their assets show these.
            layers: of their photos.
            width, height: in pixels.
        """
        frames = views[0]
        present = torch.zeros_like(frames.present)
        rays = box_from_pixel(frames.camera, frames.boxes, width, height).cpu().numpy()
        tables = [_sights(view, layers) for view in views]
        sights = {}
        for row, slot in placed:
            present[row, slot] = True
            tones = placed[row, slot].tones
            sights[row, slot] = tuple(
                Sight(
                    eyes[row, slot],
                    boxes[row, slot],
                    projections[row, slot],
                    int(view.asset_photo[row, slot]),
                    int(view.asset_entry[row, slot]),
                    tone,
                )
                for view, (eyes, boxes, projections), tone in zip(views, tables, tones, strict=False)
            )
        return cls(placed, present, {key: rays[key] for key in placed}, sights)

    def among(self, row: Tensor, slot: Tensor) -> Tensor:
        """Tell which assets (P,) have a mesh; a slot below 0 is none."""
        found = self.present[row, slot.clamp_min(0).long()]
        return found & (slot >= 0)

    def met(
        self, pixels: ActivePixels, slot: Tensor, layers: Layers
    ) -> Iterator[tuple[tuple[int, int], Met]]:
        """Yield what the rays of pixels meet of the meshes in their slots (P,), mesh by mesh."""
        row = pixels.row
        column, line = (centre - 0.5 for centre in pixels.centre)
        for frame, number in self.placed:
            own = ((row == frame) & (slot == number)).nonzero()[:, 0]
            if len(own):
                at = torch.stack([column[own], line[own]], dim=1).double().cpu().numpy()
                key = frame, number
                yield key, _meet(self.placed[key], self.rays[key], self.sights[key], own, at, layers)


def reaching_boxes(placed: Placed, boxes: Tensor) -> Tensor:
    """Return boxes (B, N, 4, 4) of which those with a mesh hold all of it, and little more."""
    boxes = boxes.clone()
    for (row, slot), mesh in placed.items():
        boxes[row, slot] = torch.from_numpy(mesh.reach).to(boxes)
    return boxes


def _sights(frames: FrameBatch, layers: Layers) -> tuple[Array, Array, Array]:
    """Return where assets' photos are taken from (B, N, 3), their boxes (B, N, 4, 4), and projections.

    The last (B, N, 3, 4) are :attr:`Sight.photo_from_box`.
    """
    cameras = frames.source_cameras
    in_camera = affine_inverse(cameras.world_from_camera)[0] @ frames.source_boxes
    projection = image_from_camera(cameras) @ in_camera[..., :3, :]
    across, down = layers.canvas.extent(frames.asset_photo[..., None])
    x, y, depth = projection.unbind(-2)
    projections = torch.stack([x * across, y * down, depth], dim=-2)
    eyes = affine_inverse(in_camera)[0][..., :3, 3]
    return eyes.cpu().numpy(), frames.source_boxes.cpu().numpy(), projections.cpu().numpy()


def _meet(
    mesh: PlacedMesh, rays: Array, sights: Sequence[Sight], number: Tensor, pixels: Array, layers: Layers
) -> Met:
    """Cast the rays of pixels (P, 2) into a mesh."""
    ways = pixels @ rays[:, :2].T + rays[:, 2]
    hits = mesh.shape.caster.cast(rays[:, 3], ways)
    met = (hits.triangle >= 0) & (hits.distance > 0)
    hits = MeshHits(hits.triangle[met], hits.weights[met], hits.distance[met])
    points = (mesh.source.caster.corners[hits.triangle] * hits.weights[..., None]).sum(axis=1)
    seen = tuple(_look(mesh, sight, hits, points, layers) for sight in sights)
    at = number[torch.from_numpy(met).to(number.device)]
    return Met(at, hits, points, ways[met] @ mesh.world_from_box[:3, :3].T, hits.distance, seen)


def _look(mesh: PlacedMesh, sight: Sight, hits: MeshHits, points: Array, layers: Layers) -> Seen:
    """Return how a photo shows points (P, 3) of a mesh, in the coordinates of its source box."""
    across, down, depth = (points @ sight.photo_from_box[:, :3].T + sight.photo_from_box[:, 3]).T
    divisor = np.where(np.abs(depth) < 1e-9, 1e-9, depth)
    device = layers.picture.device
    x, y = (torch.from_numpy(each / divisor).float().to(device) for each in (across, down))
    photo = torch.full((len(x),), sight.photo, dtype=torch.int64, device=device)
    clear = layers.canvas.inside(photo, x, y).cpu().numpy() & (depth > 1e-9)
    clear &= ~mesh.source.caster.hides(sight.eye, points, NEARLY)
    number = layers.canvas.number(photo, x, y)
    owner = layers.owner.flatten().index_select(0, number).long().cpu().numpy()
    ways = (points - sight.eye) @ sight.world_from_box[:3, :3].T
    ways /= np.maximum(np.linalg.norm(ways, axis=1, keepdims=True), 1e-12)
    normals = facing_viewer(mesh.source.normals_at(hits, sight.world_from_box), ways)
    slant = np.clip((-(normals * ways).sum(axis=1) - SLANTED) / (STRAIGHT - SLANTED), 0, 1)
    own = clear & (owner == sight.entry)
    weight = np.where(own, slant * slant * (3 - 2 * slant), 0)
    weight[own] *= _openness(mesh, sight, points[own])
    return Seen(x, y, clear, owner, own, weight, normals)


def _openness(mesh: PlacedMesh, sight: Sight, points: Array) -> Array:
    """Return how far points (P, 3) are from being hidden from a photo's camera, in [0, 1]."""
    metric = sight.world_from_box[:3, :3]
    box_from_world = np.linalg.inv(metric)
    forward = -metric @ sight.eye  # towards the box's middle
    distance = np.linalg.norm(forward)
    helper = np.eye(3)[np.abs(forward).argmin()]
    across = np.cross(forward, helper)
    across /= np.linalg.norm(across)
    up = np.cross(across, forward / distance)
    seen = np.zeros(len(points))
    for angle in np.arange(EYES) * (2 * np.pi / EYES):
        offset = EYE_SPREAD * distance * (np.cos(angle) * across + np.sin(angle) * up)
        seen += ~mesh.source.caster.hides(sight.eye + box_from_world @ offset, points, NEARLY)
    share: Array = np.clip(2 * seen / EYES - 1, 0, 1)
    return np.asarray(share**FADING)


@dataclass(frozen=True)
class MeshPoints:
    """What P rays meet of meshes: see :class:`na_core.compose.objects.ObjectPoints`."""

    photo: Tensor
    x: Tensor
    y: Tensor
    seen: Tensor
    depth: Tensor


def mesh_points(tables: MeshTables, layers: Layers, pixels: ActivePixels, slot: Tensor) -> MeshPoints:
    """Return what the rays of pixels meet of the meshes in their slots (P,), where it is seen best."""
    device, count = layers.picture.device, len(slot)
    found = MeshPoints(
        torch.zeros(count, dtype=torch.int64, device=device),
        torch.zeros(count, device=device),
        torch.zeros(count, device=device),
        torch.zeros(count, dtype=torch.bool, device=device),
        torch.full((count,), torch.inf, device=device),
    )
    for key, met in tables.met(pixels, slot, layers):
        found.depth[met.at] = torch.from_numpy(met.depth).float().to(device)
        best = met.best
        for number, (sight, each) in enumerate(zip(tables.sights[key], met.seen, strict=True)):
            mine = torch.from_numpy(best == number).to(device)
            at = met.at[mine]
            found.photo[at] = sight.photo
            found.x[at], found.y[at] = each.x[mine], each.y[mine]
            found.seen[at] = torch.from_numpy(each.own).to(device)[mine]
    return found
