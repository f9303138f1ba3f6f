"""The colours of meshes that artists gave to assets.

A point of a mesh has the photo's colour where the photo shows it: nothing of the mesh is before it there, and
the pixel is the object's. Elsewhere, and where the photo sees it at a slant, it has the mesh's own colour in
the light that the photo tells of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from na_core.compose.mesh_rays import MeshTables, Met, Sight
from na_core.compose.relighting import Relighting
from na_core.compose.seams import STILL
from na_core.layers.layers import Layers
from na_core.meshes.casting import Array
from na_core.meshes.placed import PlacedMesh, facing_viewer
from na_core.raster.colour import linear_from_srgb, srgb_from_linear
from na_core.raster.pixels import ActivePixels
from na_core.raster.sampling import sample_planes
from na_core.raster.surfaces import inward
from na_core.tensors.frames import FrameBatch

if TYPE_CHECKING:
    from na_core.compose.blending import Planes

RELIT = 0.6
"""How far the photo's colours follow the light as an object turns: part of what they show is paint."""

MATCHED, MOST_EXPOSURE = 0.5, 3.0
"""How far another photo's colours are brought to the light of the asset's own, and the factor up to which."""

BLENDING = 4
"""Power of what photos' colours count by: the best counts most, without a seam where another takes over."""


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
        sights = tables.sights[key]
        made = _colours(tables.placed[key], tables.rays[key], sights, met, layers)
        made = relighting.relit(made, pixels.row[met.at], slot[met.at])
        if still is not None and unmoved is not None:
            seen, entry = met.seen[0], sights[0].entry
            shift = torch.hypot(seen.x - still[0][met.at], seen.y - still[1][met.at])
            stays = torch.from_numpy(seen.clear & ((seen.owner == entry) | (seen.owner < 0))).to(device)
            share = (1 - (shift - STILL).clamp(0, 1)) * (stays & unmoved[met.at])
            photo = torch.full_like(met.at, sights[0].photo)
            pictures = sample_planes(layers.picture_planes, layers.canvas, photo, seen.x, seen.y)
            made = torch.where(share == 1, pictures, made + (pictures - made) * share)
            kept[met.at] = share
        colours[:, met.at] = made
    return colours, kept


def _colours(mesh: PlacedMesh, rays: Array, sights: Sequence[Sight], met: Met, layers: Layers) -> Tensor:
    """Return the colours (3, P) of what rays meet of a mesh, sRGB, in the light of its asset's photo.

    Of several photos each counts by how straight and how sharply it shows the point.
    """
    device = layers.picture.device
    here = facing_viewer(mesh.shape.normals_at(met.hits, mesh.world_from_box), met.ways)
    pixel = met.depth * np.linalg.norm(sights[0].world_from_box[:3, :3] @ rays[:, 0])
    light = sights[0].tone.light(here)
    paint = mesh.base.at(met.hits, pixel) * sights[0].tone.gains[mesh.base.material_at(met.hits)]
    own = _tensor((paint * light).T, device)

    sharpest = max(sight.sharpness for sight in sights)
    sharpness = np.array([[sight.sharpness / sharpest] for sight in sights])
    counts = (np.stack([each.weight for each in met.seen]) * sharpness) ** BLENDING
    counts /= np.maximum(counts.sum(axis=0), 1e-12)
    shown = torch.zeros_like(own)
    for sight, each, count in zip(sights, met.seen, counts, strict=True):
        photo = torch.full_like(met.at, sight.photo)
        x, y = inward(layers.inward_steps, layers.canvas, photo, each.x, each.y)
        colours = linear_from_srgb(sample_planes(layers.foreground_planes, layers.canvas, photo, x, y))
        exposure = sights[0].tone.exposure / sight.tone.exposure
        turned = light / sight.tone.light(each.normals) / exposure
        gain = turned**RELIT * np.clip(exposure, 1 / MOST_EXPOSURE, MOST_EXPOSURE) ** MATCHED
        shown += _tensor(count, device) * colours * _tensor(gain.T, device)
    share = _tensor(np.stack([each.weight for each in met.seen]).max(axis=0), device)
    return srgb_from_linear(own + share * (shown - own))


def _tensor(values: Array, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).float().to(device)


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
