"""The verb: layers and frames to passes.

A frame in which nothing moved gives back its photo, bit for bit and valid everywhere.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from na_core.cancellation import poll
from na_core.compose.averaging import averaged
from na_core.compose.background import (
    STAYS,
    background_positions,
    plate_weight,
    presence,
    unmoved_positions,
)
from na_core.compose.blending import Planes, blend_over, covered_in_part, front_of
from na_core.compose.mesh_colours import paint_meshes
from na_core.compose.mesh_rays import MeshTables, Placed, reaching_boxes
from na_core.compose.objects import ObjectTables, object_points
from na_core.compose.passes import Passes
from na_core.compose.relighting import UNCHANGED, Relighting
from na_core.compose.seams import STILL, soften_seams
from na_core.compose.shadows import cast_shadows
from na_core.layers.layers import Layers
from na_core.layers.object_colours import CANVAS, ObjectColours
from na_core.raster.boxmap import box_map
from na_core.raster.pixels import ActivePixels, BoxTable
from na_core.raster.sampling import bilinear, sample_planes
from na_core.tensors.frames import FrameBatch

GREY = 0.5
"""Of an object that no photo shows."""


@torch.no_grad()
def compose(
    layers: Layers,
    frames: FrameBatch,
    width: int,
    height: int,
    oversampling: int = 1,
    *,
    meshes: Placed | None = None,
    others: Sequence[FrameBatch] = (),
    with_front: bool = False,
) -> Passes:
    """Compose frames from the layers of their photos.

    Args:
        layers: of every photo that the frames name by number; best at the scale of the frames, where an
            unmoved photo is reproduced exactly.
        frames: B of them.
        width, height: of the frames in pixels.
        oversampling: rays along each side of a pixel; layers are best at the scale of the rays then.
        meshes: of the frames' assets that have one.
        others: the frames as other views of their assets show these, see
            :func:`na_core.tensors.frames.other_views`.
        with_front: tell what is in front, too; of single rays.
    """
    if oversampling > 1:
        size = oversampling * width, oversampling * height
        larger = compose(layers, frames, *size, meshes=meshes, others=others)
        boxes = box_map(frames.camera, frames.turned_boxes, frames.present, width, height)
        return averaged(larger, boxes, oversampling)

    # 1. Which boxes a pixel's ray hits; a mesh may reach out of its asset's.
    boxes = reached = box_map(frames.camera, frames.turned_boxes, frames.present, width, height)
    if meshes:
        larger_boxes = reaching_boxes(meshes, frames.turned_boxes)
        reached = box_map(frames.camera, larger_boxes, frames.present, width, height)

    poll()

    # 2. What it shows of the background.
    canvas = layers.canvas
    x, y, validity = background_positions(frames, canvas, width, height)
    photo = frames.photo[:, :1, None].expand(x.shape).contiguous()
    still_x, still_y = unmoved_positions(frames, canvas, width, height)
    gone = _at_background(plate_weight(frames, layers), layers, photo, x, y)
    # An outline may reach over its box by a pixel's rounding: it is the photo until the camera moves.
    moved = torch.hypot(x - still_x, y - still_y).sub_(STILL).clamp_(0, 1)
    gone = torch.where(gone == STAYS, moved, gone)
    validity &= gone < 0.5

    poll()

    # 3. What it shows of the objects, over that: what is nearer covers what is farther.
    index, usable = torch.full_like(boxes.index[0], -1), torch.ones_like(validity)
    depth = torch.full_like(x, torch.inf)
    planes = Planes(index, photo, x, y, validity, usable, depth)
    backdrop = (
        planes.copied() if layers.soft else replace(planes, x=x.clone(), y=y.clone(), photo=photo.clone())
    )
    views = [frames, *others]
    solid = MeshTables.of(meshes, views, layers, width, height) if meshes else None
    tables = [ObjectTables.of(view, layers, solid) for view in views]
    inside = (tables[0].eye.abs() <= 1).all(dim=-1)
    if solid is not None:
        inside |= solid.present  # a mesh is cast into from wherever the camera is
    for layer in reached.hits:
        for hits in layer.before(depth, inside).parts():
            poll()
            points, pixels = object_points(tables, layers, hits), hits.pixels
            wins = points.depth < pixels.take(depth)
            found = (
                hits.box.int(),
                points.photo,
                points.x,
                points.y,
                points.seen,
                points.usable,
                points.depth,
            )
            planes.put(pixels, Planes(*found), wins)

    poll()

    # 4. The background's colour, where objects leave some of it to be seen.
    soft = covered_in_part(planes, layers)
    if solid is not None:
        rows = torch.arange(len(frames), device=soft.device)[:, None, None].expand(soft.shape)
        soft &= ~solid.among(rows, index)
    front = front_of(planes, soft, layers, views) if with_front else None
    ground = (index < 0) | soft
    background = _background_colours(layers, backdrop, gone, ground)
    poll()
    shadow = cast_shadows(background, ground, gone, layers, frames)

    poll()

    # 5. The objects' colours over it, in its light, and over other objects.
    relighting = Relighting.of_views(views, layers)
    proxy = background.clone() if layers.soft else background
    _colour(proxy, layers.foreground_planes, layers, planes, index >= 0, relighting)
    guessed = ActivePixels.of((index >= 0) & ~usable)
    _colour_unusable(proxy, layers, frames, guessed, index, usable, x, y, relighting)
    still = still_x, still_y
    if solid is not None:
        paint_meshes(proxy, planes, solid, layers, frames, relighting, still)
    if layers.soft:
        blend_over(
            proxy, background, planes, backdrop, soft, layers, views, tables, relighting, reached, still
        )

        _keep_still_rims(proxy, planes, moved, layers, frames, still)

    poll()

    # 6. How far that has moved, and softer seams between what lay apart.
    shift = torch.hypot(x - still_x, y - still_y)
    shift.masked_fill_(~validity | (photo != frames.photo[:, :1, None]), torch.inf)
    proxy = soften_seams(proxy, index, x, y, shift).transpose(0, 1)
    return Passes(proxy, validity, shift, index, depth, boxes, shadow, front)


def _keep_still_rims(
    proxy: Tensor,
    planes: Planes,
    moved: Tensor,
    layers: Layers,
    frames: FrameBatch,
    still: tuple[Tensor, Tensor],
) -> None:
    """Give pixels that objects' rims cover in part the photo's colours, in place, where nothing has moved.

    What is behind a rim is a guess, which such a pixel must not show.

    Args:
        proxy: (3, B, H, W).
        planes: what pixels show; of those that keep the photo's colours it becomes the photo itself.
        moved: (B, H, W) in [0, 1], how far what it shows of the background has moved.
        layers: of the photos.
        frames: B of them.
        still: where the background's photo shows the pixels' directions, (B, 1, W) and (B, H, 1).
    """
    shape = planes.index.shape
    x, y = (plane.expand(shape) for plane in still)
    photo = frames.photo[:, :1, None].expand(shape)
    number = layers.canvas.number(photo, x, y).flatten()
    alpha = layers.alpha.flatten().index_select(0, number).view(shape)
    # A rim's side is met before what it belongs to, or its depth is beyond the box by a rounding.
    astray = ((planes.x - x).abs() > 1e-3) | ((planes.y - y).abs() > 1e-3) | ~planes.validity
    pixels = ActivePixels.of((moved < 1) & (alpha > 0) & ((alpha < 255) | astray))

    photo, x, y = (pixels.take(plane) for plane in (photo, x, y))
    owner = layers.owner.flatten().index_select(0, number.index_select(0, pixels.at)).long()
    stays = presence(frames)
    there = frames.present & (frames.asset_view == 0)
    standing = torch.where(there, stays.gather(1, frames.asset_entry.clamp_max(stays.shape[1] - 1)), 0.0)
    index = pixels.take(planes.index)
    shown = torch.where(index < 0, 1.0, BoxTable(standing[..., None], pixels.row, index)[0])
    behind = torch.where(owner < 0, 0.0, BoxTable(stays[..., None], pixels.row, owner)[0])
    share = ((torch.minimum(shown, behind) - 0.9) * 10).clamp(0, 1).float() * (1 - pixels.take(moved))
    share = torch.where(layers.canvas.inside(photo, x, y), share, 0.0)
    colours = sample_planes(layers.picture_planes, layers.canvas, photo, x, y)
    for plane, values in zip(proxy, colours, strict=True):
        before = pixels.take(plane)
        pixels.put(torch.where(share == 1, values, before + (values - before) * share), plane)
    kept = share == 1
    for plane, values in zip((planes.photo, planes.x, planes.y), (photo, x, y), strict=True):
        pixels.put(torch.where(kept, values, pixels.take(plane)), plane)
    pixels.put(pixels.take(planes.validity) | kept, planes.validity)


def _background_colours(layers: Layers, backdrop: Planes, gone: Tensor, where: Tensor) -> Tensor:
    """Return the colours (3, B, H, W) of the background at some pixels; 0 elsewhere.

    Args:
        layers: of the photos.
        backdrop: what pixels show of the background.
        gone: (B, H, W), how far the plate replaces the photo.
        where: (B, H, W) bool, where it is needed.
    """
    colours = torch.zeros((3, *gone.shape), device=gone.device)
    _colour(colours, layers.picture_planes, layers, backdrop, where)
    _blend_plates(colours, layers, backdrop.photo, gone * where, backdrop.x, backdrop.y)
    return colours


def _colour(
    colours: Tensor,
    pictures: Tensor,
    layers: Layers,
    planes: Planes,
    where: Tensor,
    relighting: Relighting = UNCHANGED,
) -> None:
    """Give some pixels of (3, B, H, W) the colours that they show of planar pictures, in place."""
    pixels = ActivePixels.of(where)
    at = (pixels.take(plane) for plane in (planes.photo, planes.x, planes.y))
    some = len(pixels.at) < where.numel()
    sampled = sample_planes(pictures, layers.canvas, *at)
    sampled = relighting.relit(sampled, pixels.row, pixels.take(planes.index), pixels.take(planes.photo))
    for plane, values in zip(colours, sampled, strict=True):
        pixels.put(values if some else torch.where(where.flatten(), values, plane.flatten()), plane)


def _at_background(weight: Tensor, layers: Layers, photo: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return weights (B, h, w), in the pixels of the backgrounds' photos, at positions (B, H, W) there."""
    canvas = layers.canvas
    number = canvas.number(photo, x, y) - photo * canvas.size
    return weight.flatten(1).gather(1, number.flatten(1)).view(x.shape)


def _blend_plates(proxy: Tensor, layers: Layers, photo: Tensor, weight: Tensor, x: Tensor, y: Tensor) -> None:
    """Blend plates over pictures (3, B, H, W), in place, by weights (B, H, W)."""
    pixels = ActivePixels.of(weight > 0)
    share = pixels.take(weight)
    at = (pixels.take(plane) for plane in (photo, x, y))
    for plane, values in zip(proxy, sample_planes(layers.plate_planes, layers.canvas, *at), strict=True):
        pixels.put(pixels.take(plane).lerp_(values, share), plane)


def _colour_unusable(
    proxy: Tensor,
    layers: Layers,
    frames: FrameBatch,
    pixels: ActivePixels,
    index: Tensor,
    usable: Tensor,
    x: Tensor,
    y: Tensor,
    relighting: Relighting,
) -> None:
    """Give pixels whose point no photo shows their object's colours, in place; grey if it has none."""
    if not len(pixels.at):
        return
    slot, row = pixels.take(index), pixels.row
    keep = (slot < 0) | pixels.take(usable)
    guesses = _object_colour(layers.colours, frames, row, slot, pixels.take(x), pixels.take(y))
    guesses = relighting.relit(guesses, row, slot)
    for plane, values in zip(proxy, guesses, strict=True):
        pixels.put(torch.where(keep, pixels.take(plane), values), plane)


def _object_colour(
    colours: ObjectColours, frames: FrameBatch, row: Tensor, slot: Tensor, x: Tensor, y: Tensor
) -> Tensor:
    """Return colours (3, P) of points of assets; grey of an asset that is not shown.

    Args:
        colours: of the frames' photos.
        frames: B of them.
        row, slot: (P,) int64, the frame and the asset of each point.
        x, y: (P,) float32, where the asset's photo would show it, in pixels.
    """
    objects = colours.place.shape[1]
    number = frames.asset_photo * objects + frames.asset_entry
    place = colours.place.view(-1, 3)[number]
    shown = (frames.present & frames.shown).float()
    table = BoxTable(torch.cat([place, number[..., None].float(), shown[..., None]], dim=-1), row, slot)
    x = ((x - table[0]) * table[2] - 0.5).clamp_(0, CANVAS - 1)
    y = ((y - table[1]) * table[2] - 0.5).clamp_(0, CANVAS - 1)
    left, top = x.floor().clamp_(max=CANVAS - 2), y.floor().clamp_(max=CANVAS - 2)
    corner = (table[3].long() * CANVAS + top.long()) * CANVAS + left.long()
    planes = (colours.colours[:, channel].reshape(-1) for channel in range(3))
    sampled = [bilinear(plane, corner, 1, CANVAS, x - left, y - top) for plane in planes]
    return torch.stack([torch.where(table[4] > 0, values, GREY) for values in sampled])
