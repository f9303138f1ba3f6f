"""Proxy pictures of many frames: textured boxes over clean plates; see :mod:`na_core.geometry.proxy`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from na_core.geometry.proxy import MIRRORED as MIRRORED_BEHIND
from na_core.geometry.proxy import PLATE_MARGIN, UNKNOWN_DEPTH
from na_core.geometry.relief import HULL, SURFACE, UNKNOWN
from na_core.model.batched.backdrop import backdrop_points, backdrops
from na_core.model.batched.boxes import box_corners, boxes_in_camera
from na_core.model.batched.boxmap import (
    BoxMap,
    Hits,
    box_map,
    camera_in_box,
    hit_boxes,
    sees_face,
    sees_opposite_face,
    through_box,
)
from na_core.model.batched.cameras import (
    Cameras,
    affine_inverse,
    away_from_zero,
    camera_from_world,
    image_from_camera,
    project_local,
)
from na_core.model.batched.fill import push_pull, sample_bytes, sample_planes
from na_core.model.batched.frames import FrameBatch
from na_core.model.batched.object_fill import fill_objects
from na_core.model.batched.pixels import length, listed, lookup, pixels_of
from na_core.model.batched.rectangles import limits, within
from na_core.model.batched.reliefs import inward, march, unmixed
from na_core.model.batched.seams import soften_seams


@dataclass(frozen=True)
class Proxy:
    """Proxy pictures.

    Attributes:
        picture: (B, 3, H, W) float32 in [0, 1] sRGB, without holes.
        validity: (B, H, W) bool, True where the photo showed this very point.
        shift: (B, H, W) float32, pixels from where the background's photo showed this very point; infinite
            where it did not.
        boxes: the target box maps; indices count the frames' slots, local coordinates are in the assets'
            relabelled frames.
    """

    picture: Tensor
    validity: Tensor
    shift: Tensor
    boxes: BoxMap


@dataclass(frozen=True)
class Plates:
    """Photos without their objects: (B, 3, H, W) float32 pictures, filled, and (B, H, W) bool where real."""

    picture: Tensor
    real: Tensor


def proxy_pictures(frames: FrameBatch) -> Proxy:
    """Render the proxies of frames, at the size of their pictures.

    As numpy does but for how smooth fillings are interpolated; see
    :func:`na_core.model.batched.object_fill.fill_objects`.
    """
    width, height = frames.size
    boxes = box_map(frames.camera, frames.turned_boxes, frames.present, width, height)
    owners = source_owners(frames)
    covered, widened, leaving = _background_cover(frames, owners[:, 0])
    plates = _plates(frames, widened > 0)
    x, y, validity = _background(frames)
    gone = _at_pixel(leaving.masked_fill_(covered, 1), x, y)
    validity &= gone < 0.5
    owner, view = torch.full_like(boxes.index, -1), torch.zeros_like(boxes.index)
    usable = torch.zeros_like(validity)
    slots = frames.present.shape[1]
    depth = torch.full_like(boxes.index, torch.inf, dtype=torch.float32)
    # What is nearer covers what is farther. An object's two layers are filled apart.
    inner = None if frames.reliefs is None else unmixed(owners.flatten(0, 1))
    for hits, first in ((boxes.second, slots), (boxes.nearest, 0)):
        if inner is None:
            texture = _texture(frames, hits, owners)
        else:
            texture = _relief_texture(frames, hits, owners, inner)
        wins = texture.depth.isfinite() & (texture.depth <= hits.pixels.take(depth))
        for values, plane in (
            (texture.x, x),
            (texture.y, y),
            (texture.seen, validity),
            (texture.usable, usable),
            (texture.view, view),
            (texture.depth, depth),
            ((hits.box + first).int(), owner),
        ):
            hits.pixels.put(torch.where(wins, values, hits.pixels.take(plane)), plane)

    rows = _rows(frames)
    photo = frames.photo.flatten().index_select(0, (view + rows * frames.photo.shape[1]).flatten())
    picture = sample_bytes(frames.pictures, photo, x.flatten(), y.flatten()).view(3, *owner.shape)
    _cover_with_plates(picture, plates, gone.masked_fill_(owner >= 0, 0), x, y)
    fill_objects(picture, owner, usable, 2 * slots)

    columns = torch.arange(width, device=x.device) + 0.5
    shift = torch.hypot(x - columns, y - (torch.arange(height, device=x.device)[:, None] + 0.5))
    shift.masked_fill_(~validity | (view > 0), torch.inf)
    owner = torch.where(owner < 0, owner, owner % slots)
    return Proxy(soften_seams(picture, owner, x, y, shift).transpose(0, 1), validity, shift, boxes)


def _cover_with_plates(picture: Tensor, plates: Plates, weight: Tensor, x: Tensor, y: Tensor) -> None:
    """Blend plates over pictures in place.

    Args:
        picture: (3, B, H, W).
        plates: of the B frames.
        weight: (B, H, W) in [0, 1], how far they cover.
        x, y: (B, H, W), where their photos show what each pixel shows, in pixels.
    """
    pixels = pixels_of(weight > 0)
    share = pixels.take(weight)
    filler = sample_planes(plates.picture, pixels.row, pixels.take(x), pixels.take(y))
    for plane, values in zip(picture, filler, strict=True):
        pixels.put(pixels.take(plane).mul_(1 - share).add_(values.mul_(share)), plane)


def clean_plates(frames: FrameBatch) -> Plates:
    """Take the hidden boxes and the strips around them out of the backgrounds' photos and fill the holes."""
    _, widened, _ = _background_cover(frames, source_owners(frames)[:, 0])
    return _plates(frames, widened > 0)


def source_owners(frames: FrameBatch) -> Tensor:
    """Return which box of a view each of its pixels shows: (B, V, H, W) int32, -1 for none.

    The nearest box in whose object's 2D box the pixel lies; of more than two behind each other, the third
    counts for nothing. What is neither hidden nor an asset's counts for nothing either. Of photos with
    reliefs, these say it.
    """
    width, height = frames.size
    batch, views = frames.photo.shape
    linked = frames.linked
    filled = frames.view_filled & linked
    filled[:, 0] |= frames.hidden & frames.view_filled[:, 0]
    if frames.reliefs is not None:
        found = frames.reliefs[frames.photo.flatten()].owner
        return _counted(found, filled.flatten(0, 1)).view(batch, views, height, width)
    flat = Cameras(
        frames.view_camera.world_from_camera.flatten(0, 1), frames.view_camera.intrinsics.flatten(0, 1)
    )
    index, second = hit_boxes(flat, frames.view_boxes.flatten(0, 1), filled.flatten(0, 1), width, height)
    bounds = limits(frames.view_rectangles, linked, width, height).flatten(0, 1)
    owner = torch.full_like(index, -1)
    for layer in (second, index):
        pixels = pixels_of(layer >= 0)
        box = pixels.take(layer)
        opaque = (box >= 0) & within(lookup(bounds, pixels.row, box), *pixels.centre)
        pixels.put(torch.where(opaque, box, pixels.take(owner)), owner)
    return owner.view(batch, views, height, width)


def _counted(owner: Tensor, filled: Tensor) -> Tensor:
    """Return owners (B, H, W) with -1 where the box is not one of those that count, (B, K) bool."""
    row = torch.arange(len(owner), device=owner.device)[:, None, None]
    return torch.where(lookup(filled[..., None], row, owner)(0) & (owner >= 0), owner, -1)


def _background_cover(frames: FrameBatch, owner: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return what the background's photo shows of hidden objects and how far they have left.

    Args:
        frames: B frames.
        owner: (B, H, W), of the background's photo.

    Returns:
        (B, H, W) bool, pixels that show a hidden box. (B, H, W) float32, above 0 there and in the strips
        around. (B, H, W) float32, how far the object has left whose strip a pixel lies in, or that it shows.
    """
    hidden = frames.hidden & frames.view_filled[:, 0]
    left = torch.where(hidden, 1 - _presence(frames), 0.0)
    cover = owner
    if frames.reliefs is not None:
        cover = _counted(frames.reliefs.cover[frames.photo[:, 0]].int(), hidden)
    look = lookup(torch.stack([hidden.float(), left.float()], dim=-1), _rows(frames), cover)
    missed = cover < 0
    may_cover = look(0).masked_fill_(missed, 0)
    leaving = look(1).masked_fill_(missed, 0)
    widened = _widened(torch.stack([may_cover, leaving]))
    return _counted(owner, hidden) >= 0, widened[0], widened[1]


def _plates(frames: FrameBatch, gone: Tensor) -> Plates:
    pictures = frames.pictures.index_select(0, frames.photo[:, 0])
    planes = pictures.movedim(-1, 1).to(torch.float32, memory_format=torch.contiguous_format).div_(255)
    return Plates(push_pull(planes, (~gone)[:, None].float()), ~gone)


def _widened(weight: Tensor) -> Tensor:
    """Grow weights (..., H, W) by the plate's margin: the maximum over a square window."""
    radius = max(1, round(PLATE_MARGIN * max(weight.shape[-2:])))
    weight = F.pad(weight, (radius, radius, radius, radius))
    for axis in (-2, -1):
        reach = 1
        while reach <= 2 * radius:  # maxima of maxima: the reach doubles
            step = min(reach, 2 * radius + 1 - reach)
            length = weight.shape[axis] - step
            weight = torch.maximum(weight.narrow(axis, 0, length), weight.narrow(axis, step, length))
            reach += step
    return weight


def _presence(frames: FrameBatch) -> Tensor:
    """Return (B, K): 1 while an object stands where the photo shows it, falling to 0 as it leaves.

    It has left when a corner has moved by the strip's width in the photo.
    """
    camera = frames.view_camera[:, 0]
    each = Cameras(camera.world_from_camera[:, None, :, :], camera.intrinsics[:, None, :])
    stays = project_local(each, box_corners(boxes_in_camera(camera, frames.source_boxes)))
    moved = project_local(each, box_corners(boxes_in_camera(camera, frames.boxes)))
    shift = (moved - stays)[..., :2].norm(dim=-1).amax(dim=-1)  # (B, N)
    entries = torch.arange(frames.hidden.shape[1], device=shift.device)
    here = frames.present & (frames.asset_view == 0)
    same = here[..., None] & (frames.asset_entry[..., None] == entries)
    nearest = torch.where(same, shift[..., None], torch.inf).amin(dim=1)
    return (1 - nearest / PLATE_MARGIN).clamp_min(0)


@dataclass(frozen=True)
class _Texture:
    """What photos say of box surfaces, all (P,).

    Attributes:
        x, y: float32, pixels of the photo. view: int32, which photo.
        seen: the photo showed this very point. usable: the colour there is the asset's.
        depth: float32 metres from the frame's camera, infinite where the box is empty.
    """

    x: Tensor
    y: Tensor
    view: Tensor
    seen: Tensor
    usable: Tensor
    depth: Tensor


SEEN, MIRRORED, UNSEEN = 0, 1, 2


def _texture(frames: FrameBatch, hits: Hits, owners: Tensor) -> _Texture:
    """Look box-surface points up in their assets' photos.

    A face that the photo did not see takes the opposite face's place, mirrored through the box.

    Args:
        frames: B frames.
        hits: a layer of the target box maps.
        owners: (B, V, H, W) which box each photo pixel shows.
    """
    width, height = frames.size
    cameras, sources = frames.source_cameras, frames.turned_source_boxes
    flat_source = affine_inverse(sources)[1] == 0
    seen, opposite = sees_face(cameras, sources), sees_opposite_face(cameras, sources)
    faces = torch.where(seen, SEEN, torch.where(opposite, MIRRORED, UNSEEN))
    may = frames.shown & frames.present & ~flat_source
    whole = torch.stack([frames.asset_view.int(), frames.asset_entry.int(), may.int()], dim=-1)
    rectangles = frames.view_rectangles[frames.rows, frames.asset_view, frames.asset_entry]
    bounds = limits(rectangles, ~flat_source, width, height)

    row, box = hits.pixels.row, hits.box
    view, entry, allowed = (lookup(whole, row, box)(column) for column in range(3))
    slot = box.clamp_min(0) + row * frames.present.shape[1]
    sight = faces.flatten().index_select(0, 6 * slot + hits.face)
    side = 1 - 2 * (sight == MIRRORED).float()
    axis = hits.face // 2
    points = [torch.where(axis == number, values * side, values) for number, values in enumerate(hits.local)]

    look = lookup(_image_from_local(frames, width, height), row, box)
    across, down, depth = _projected(look, torch.stack(points))
    divisor = away_from_zero(depth)
    x, y = across / divisor, down / divisor
    opaque = (box >= 0) & within(lookup(bounds, row, box), x, y)
    at = _cells(x, y, width, height) + (view + row * owners.shape[1]) * (width * height)
    owned = owners.flatten().index_select(0, at) == entry
    usable = opaque & (allowed > 0) & (depth > 0) & _inside(x, y, width, height) & owned
    reached = hits.depth.masked_fill(~opaque, torch.inf)
    return _Texture(x, y, view, usable & (sight == SEEN), usable, reached)


def _relief_texture(frames: FrameBatch, hits: Hits, owners: Tensor, inner: Tensor) -> _Texture:
    """Look up what rays through boxes meet of the objects in them, in photos with reliefs.

    What the photo did not see has the colour of what the photo shows in front of it; far behind that, of the
    point that is mirrored through the box, if the photo shows the object there. On an object's rim it is the
    colour beside the rim. An object that is not shown may fill its box.

    Args:
        frames: B frames.
        hits: a layer of the target box maps.
        owners: (B, V, H, W) which box each photo pixel shows.
        inner: (B * V, H, W) which it shows unmixed.
    """
    assert frames.reliefs is not None
    width, height = frames.size
    may = frames.shown & frames.present
    photo = frames.photo.gather(1, frames.asset_view)
    whole = torch.stack([frames.asset_view, frames.asset_entry, photo, may.long()], dim=-1)
    each = Cameras(frames.camera.world_from_camera[:, None], frames.camera.intrinsics[:, None])
    origin = camera_in_box(each, frames.turned_boxes)[0].float()
    in_camera = camera_from_world(frames.source_cameras) @ frames.source_boxes
    depths = project_local(frames.source_cameras, box_corners(in_camera))[..., 2]
    extent = (depths.amax(-1) - depths.amin(-1)).clamp_min(1e-9).float()[..., None]

    row, box = hits.pixels.row, hits.box
    view, entry, picture, allowed = (lookup(whole, row, box)(column) for column in range(4))
    eye = lookup(origin, row, box)
    enter, leave, _ = through_box(eye, hits)
    look = lookup(_image_from_local(frames, width, height), row, box)
    start, stop = _projected(look, enter), _projected(look, leave)
    found = march(frames.reliefs, picture, entry, start, stop, lookup(extent, row, box)(0))
    point = start + found.share * (stop - start)
    divisor = point[2].clamp_min(1e-9)
    x, y = point[0] / divisor, point[1] / divisor

    local = enter + found.share * (leave - enter)
    axis = hits.face // 2
    mirrored = torch.stack([torch.where(axis == n, -values, values) for n, values in enumerate(local)])
    across, down, depth = _projected(look, mirrored)
    across, down = (at / away_from_zero(depth) for at in (across, down))
    cell = _cells(across, down, width, height) + (view + row * owners.shape[1]) * (width * height)
    there = (owners.flatten().index_select(0, cell) == entry) & _inside(across, down, width, height)
    guessed = there & (found.kind == HULL) & (found.behind > MIRRORED_BEHIND)
    x, y = torch.where(guessed, across, x), torch.where(guessed, down, y)
    unseen = listed(found.kind == HULL)
    some = (of.index_select(0, unseen) for of in (view + row * owners.shape[1], entry, x, y))
    inner_x, inner_y = inward(inner, *some)
    hull = (found.kind == HULL).index_select(0, unseen)
    x[unseen], y[unseen] = torch.where(hull, inner_x, x[unseen]), torch.where(hull, inner_y, y[unseen])

    real, shows = box >= 0, allowed > 0
    usable = real & shows & (found.kind >= HULL)
    start_of_ray = torch.stack([eye(axis) for axis in range(3)])
    whole_way, way = (length(at - start_of_ray) for at in (hits.local, local))
    met = hits.depth * way / whole_way.clamp_min(1e-9)  # depth grows evenly along a ray
    unknown = UNKNOWN_DEPTH + hits.depth
    reached = torch.where(found.kind == UNKNOWN, unknown, torch.where(usable, met, torch.inf))
    # An object that is not shown may fill its box.
    reached = torch.where(shows, reached, hits.depth).masked_fill(~real, torch.inf)
    return _Texture(x, y, view.int(), usable & (found.kind == SURFACE), usable, reached)


def _projected(look: Callable[[int], Tensor], local: Tensor) -> Tensor:
    """Return (3, P): x and y in pixels, times depth, and depth, of local points (3, P)."""
    planes = [
        look(first)
        .mul_(local[0])
        .add_(look(first + 1).mul_(local[1]))
        .add_(look(first + 2).mul_(local[2]))
        .add_(look(first + 3))
        for first in (0, 4, 8)
    ]
    return torch.stack(planes)


def _image_from_local(frames: FrameBatch, width: int, height: int) -> Tensor:
    """Return (B, N, 12) float32, row by row the (3, 4) that project a hit on an asset's box into its photo.

    From local coordinates in [-1, 1] and 1 to (x * depth, y * depth, depth), x and y in pixels.
    """
    cameras = frames.source_cameras
    inverse = affine_inverse(cameras.world_from_camera)[0]
    projection = image_from_camera(cameras) @ (inverse @ frames.turned_source_boxes)[..., :3, :]
    projection[..., :3] /= 2
    x, y, depth = projection.unbind(-2)
    return torch.cat([x * width, y * height, depth], dim=-1).float()


def _background(frames: FrameBatch) -> tuple[Tensor, Tensor, Tensor]:
    """Return where, in pixels, the background's photo shows what pixels' rays meet, and whether it does."""
    width, height = frames.size
    source = frames.view_camera[:, 0]
    surfaces = backdrops(source, frames.view_boxes[:, 0], frames.hidden & frames.view_filled[:, 0])
    x, y, z = backdrop_points(surfaces, source, frames.camera, width, height)
    fx, fy, cx, cy = source.intrinsics.float()[..., None, None].unbind(1)
    depth = -z
    divisor = away_from_zero(depth)
    column = (x / divisor * fx + cx) * width
    row = (cy - y / divisor * fy) * height
    return column, row, (depth > 0) & _inside(column, row, width, height)


def _rows(frames: FrameBatch) -> Tensor:
    """Return the batch index of every pixel, (B, 1, 1) int64."""
    return frames.rows[..., None]


def _inside(x: Tensor, y: Tensor, width: int, height: int) -> Tensor:
    low, high = -1e-6, 1 + 1e-6
    return (x >= low * width) & (x <= high * width) & (y >= low * height) & (y <= high * height)


def _cells(x: Tensor, y: Tensor, width: int, height: int) -> Tensor:
    """Return the number of the pixel at each position, clamped to the picture; int64."""
    return y.clamp(0, height - 1).long() * width + x.clamp(0, width - 1).long()


def _at_pixel(grid: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return the cells of grids (B, H, W) at positions (B, H, W) in pixels."""
    height, width = grid.shape[-2:]
    return grid.flatten(1).gather(1, _cells(x, y, width, height).flatten(1)).view(grid.shape)
