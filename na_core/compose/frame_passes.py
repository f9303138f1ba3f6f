"""What a frame shows, pass by pass, for compositors and other programs, in the units that they know.

Depth, position, normal, index and motion are of the middle of each pixel; colours and alphas are means.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from na_core.compose.averaging import averaged
from na_core.compose.compose import compose
from na_core.compose.passes import Front, Passes
from na_core.geometry.camera import camera_from_world, pixel_centres, project_points, rays
from na_core.layers.layers import Layers
from na_core.layers.pictures import normals_of
from na_core.meshes.casting import MeshHits
from na_core.meshes.placed import MeshFiles, PlacedMesh
from na_core.raster.backdrop import backdrop_points, backdrops
from na_core.scene import Frame, PlacedAsset
from na_core.tensors.frames import FrameBatch, other_views

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class FramePasses:
    """The passes of one frame, the top row first.

    Attributes:
        proxy: (H, W, 3) sRGB in [0, 1], what the decoder starts from.
        plate: (H, W, 3) likewise, the frame without its assets.
        shadow: (H, W, 3), what their shadows multiply the plate by, in linear light; 1 where none is.
        validity: (H, W), 1 where a photo showed this very point, else 0.
        alpha: (N, H, W), how much of each pixel shows each asset.
        index: (H, W) int32, the asset's number from 1 on; 0 for the background.
        depth: (H, W) metres along the viewing direction, of assets and of the ground or dome behind.
        position: (H, W, 3) in the world.
        normal: (H, W, 3) unit vectors in the world.
        hits: by the slots of assets with a mesh, where on it the pixels with the asset's index are, row by
            row.
    """

    proxy: Plane
    plate: Plane
    shadow: Plane
    validity: Plane
    alpha: Plane
    index: NDArray[np.int32]
    depth: Plane
    position: Plane
    normal: Plane
    hits: Mapping[int, MeshHits] = field(default_factory=dict)


@torch.no_grad()
def frame_passes(
    layers: Layers,
    frame: Frame,
    batch: FrameBatch,
    width: int,
    height: int,
    oversampling: int = 1,
    meshes: Mapping[int, PlacedMesh] | None = None,
) -> FramePasses:
    """Return the passes of a frame.

    Args:
        layers: of its photos, see :func:`na_core.compose.compose.compose`.
        frame: what to show.
        batch: the same as tensors.
        width, height: in pixels.
        oversampling: rays along each side of a pixel, for colours and alphas.
        meshes: of the frame's assets that have one, by their slots.
    """
    placed = {(0, slot): mesh for slot, mesh in (meshes or {}).items()}
    others = other_views(batch, [frame])
    middle = compose(layers, batch, width, height, meshes=placed, others=others, with_front=True)
    fine = middle
    if oversampling > 1:
        larger = oversampling * width, oversampling * height
        fine = compose(layers, batch, *larger, meshes=placed, others=others, with_front=True)
    shown = fine if oversampling == 1 else averaged(fine, middle.boxes, oversampling)
    gone = replace(batch, present=torch.zeros_like(batch.present))
    plate = compose(layers, gone, width, height, oversampling).proxy
    depth = depths(middle, frame, batch)
    index = middle.index[0].cpu().numpy()
    ways = rays(frame.camera, pixel_centres(width, height))
    hits = {slot: mesh.seen(frame.camera, ways[index == slot]) for slot, mesh in (meshes or {}).items()}
    return FramePasses(
        proxy=_picture(shown.proxy),
        plate=_picture(plate),
        shadow=_picture(shown.shadow),
        validity=middle.validity[0].float().cpu().numpy(),
        alpha=_alphas(fine, len(frame.assets), oversampling),
        index=index + 1,
        depth=depth.astype(np.float32),
        position=_positions(frame, depth).astype(np.float32),
        normal=_normals(middle, layers, frame, batch, depth, meshes or {}, hits),
        hits=hits,
    )


def motion(frame: Frame, passes: FramePasses, other: Frame | None, meshes: MeshFiles | None = None) -> Plane:
    """Return where what pixels show is in another frame: (H, W, 2) pixels to the right and down from here.

    Exact for what stands still, moves as a box does, or deforms as a mesh does. An asset that the other frame
    lacks stays where it is.

    Args:
        frame: that is shown.
        passes: of it.
        other: the frame before or after it; None: there is none, and nothing moves.
        meshes: what the files of meshes hold, by SHA-256; without them meshes move as their boxes do.
    """
    height, width = passes.index.shape
    here = pixel_centres(width, height)
    if other is None:
        return np.zeros((height, width, 2), np.float32)
    after = project_points(other.camera, moved_points(frame, passes, other, meshes))[..., :2]
    return ((after - here) * (width, height)).astype(np.float32)


def moved_points(
    frame: Frame, passes: FramePasses, other: Frame, meshes: MeshFiles | None = None
) -> NDArray[np.float64]:
    """Return where in the world what pixels show is in another frame, (H, W, 3); see :func:`motion`."""
    index, moved = passes.index, passes.position.astype(np.float64)
    for number, there in enumerate(_placed_in(frame, other), 1):
        placed, own, box = frame.assets[number - 1], index == number, there.box.world_from_box
        if there.deformed != placed.deformed and meshes is not None and number - 1 in passes.hits:
            points = _points_of(there, passes.hits[number - 1], meshes)
            moved[own] = points @ box[:3, :3].T + box[:3, 3]
        else:
            way = box @ np.linalg.inv(placed.box.world_from_box)
            moved[own] = moved[own] @ way[:3, :3].T + way[:3, 3]
    return moved


def _points_of(placed: PlacedAsset, hits: MeshHits, meshes: MeshFiles) -> NDArray[np.float64]:
    """Return where points on an asset's mesh are (P, 3), in the coordinates of its box."""
    assert placed.asset.mesh is not None
    mesh = meshes[placed.asset.mesh.file.sha256]
    now = mesh if placed.deformed is None else meshes[placed.deformed.sha256]
    assert mesh.triangles is not None
    corners = now.vertices.astype(np.float64)[mesh.triangles[hits.triangle]]
    points: NDArray[np.float64] = (corners * hits.weights[..., None]).sum(axis=1)
    return points


def _placed_in(frame: Frame, other: Frame) -> list[PlacedAsset]:
    """Return how a frame's assets stand in another, of the same name, photo and source box."""

    def keys(of: Frame) -> list[tuple[object, ...]]:
        names = [(p.asset.name, p.asset.photo, p.asset.source_box) for p in of.assets]
        return [(*name, names[:number].count(name)) for number, name in enumerate(names)]

    known = dict(zip(keys(other), other.assets, strict=True))
    pairs = zip(keys(frame), frame.assets, strict=True)
    return [known.get(key, placed) for key, placed in pairs]


def _picture(values: torch.Tensor) -> Plane:
    planes: Plane = values[0].float().movedim(0, -1).cpu().numpy()
    return planes


def _alphas(fine: Passes, count: int, times: int) -> Plane:
    """Return how much of each pixel shows each asset, (N, H, W)."""
    front = _front(fine)
    each = [
        F.avg_pool2d(torch.where(front.index == slot, front.alpha, 0.0), times)[0] for slot in range(count)
    ]
    height, width = (side // times for side in front.index.shape[1:])
    return torch.stack(each).cpu().numpy() if each else np.zeros((0, height, width), np.float32)


def depths(passes: Passes, frame: Frame, batch: FrameBatch) -> NDArray[np.float64]:
    """Return depths (H, W) in metres: of assets, and of the ground or dome where none is seen.

    Args:
        passes: of one frame.
        frame, batch: that frame, as a message and as tensors.
    """
    depth = passes.depth[0].double().cpu().numpy()
    height, width = depth.shape
    source = batch.view_camera[:, 0]
    surfaces = backdrops(source, batch.view_boxes[:, 0], batch.hidden_boxes)
    local = torch.stack(backdrop_points(surfaces, source, batch.camera, width, height), dim=-1)[0].double()
    away = camera_from_world(frame.camera) @ frame.background.source_camera.world_from_camera
    behind = -(local.cpu().numpy() @ away[2, :3] + away[2, 3])
    return np.where(np.isfinite(depth), depth, behind)


def _positions(frame: Frame, depth: NDArray[np.float64]) -> NDArray[np.float64]:
    height, width = depth.shape
    directions = rays(frame.camera, pixel_centres(width, height))
    return frame.camera.world_from_camera[:3, 3] + directions * depth[..., None]


def _normals(
    passes: Passes,
    layers: Layers,
    frame: Frame,
    batch: FrameBatch,
    depth: NDArray[np.float64],
    meshes: Mapping[int, PlacedMesh],
    hits: Mapping[int, MeshHits],
) -> Plane:
    """Return normals (H, W, 3): of meshes, those that a network saw, turned with boxes, or of depths."""
    front, index = _front(passes), passes.index[0].cpu().numpy()
    normals = normals_of(frame.camera, depth, index)
    number = layers.canvas.number(front.photo, front.x, front.y).flatten()
    seen = layers.normals.view(-1, 3).index_select(0, number)[: index.size].cpu().numpy()
    seen = seen.reshape(*index.shape, 3).astype(np.float64)
    usable = (front.index[0].cpu().numpy() == index) & front.seen[0].cpu().numpy() & seen.any(axis=-1)
    sources = batch.source_boxes[0].cpu().numpy()
    directions = rays(frame.camera, pixel_centres(*index.shape[::-1]))
    for slot, placed in enumerate(frame.assets):
        own = (index == slot) if slot in meshes else usable & (index == slot)
        if not own.any():
            continue
        if slot in meshes:
            normals[own] = meshes[slot].normals_at(hits[slot], directions[own])
            continue
        way = (placed.box.world_from_box @ np.linalg.inv(sources[slot]))[:3, :3]
        turned = np.linalg.inv(way).T @ placed.asset.source_camera.world_from_camera[:3, :3]
        there = seen[own] @ turned.T
        there /= np.linalg.norm(there, axis=1, keepdims=True)
        facing = (there * directions[own]).sum(axis=1, keepdims=True) < 0
        normals[own] = np.where(facing, there, normals[own])
    return normals


def _front(passes: Passes) -> Front:
    assert passes.front is not None
    return passes.front
