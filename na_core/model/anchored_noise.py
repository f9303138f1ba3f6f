"""Noise that sticks to what a frame shows: to the faces of its boxes and to its backdrop.

Where two frames of a film show the same surface, their diffusion starts from nearly the same noise, so that
what the decoder invents moves with the surface (design, section 4.4; the idea of noise as a texture is
EquiVDM's, see the paper reference, section 10). Every surface is divided into texels, each of which has a
normal random number for every channel. A latent is the sum of the texels in its cell over the root of their
count. A texel counts in one cell alone: that keeps the variance at one and neighbours uncorrelated.

Each frame's noise is a function of the frame and the seed.
"""

import math

import torch
from torch import Tensor

from na_core.raster.backdrop import backdrop_points, backdrops
from na_core.raster.boxmap import BoxMap
from na_core.raster.canvas import Canvas
from na_core.tensors.cameras import camera_from_world
from na_core.tensors.frames import FrameBatch

TEXEL = 3.0
"""Side of a texel in pixels, where its surface is seen from as near as the source camera is."""

STRIDE = 2
"""Pixel stride at which surface IDs are sampled."""

FRESH = 0.2
"""Share of the variance that is the same noise on every frame's screen."""

MAX_TEXELS = 4096
"""Along a side."""

_WORD = 0xFFFFFFFF
_BUCKETS = 16
"""Per sample, of the table in which texels find their cells."""


def box_texels(dimensions: Tensor, depth: Tensor, focal: Tensor) -> Tensor:
    """Return how many texels boxes are divided into along each axis, (..., 3) int64.

    Args:
        dimensions: (..., 3) metres.
        depth: (...,) metres to the box's centre along the source camera's viewing direction.
        focal: (...,) of the source camera, in pixels.
    """
    seen = dimensions * (focal / depth.abs().clamp_min(1e-6))[..., None]
    return (seen / TEXEL).round().clamp(1, MAX_TEXELS).long()


def surface_addresses(
    index: Tensor, local: Tensor, keys: Tensor, texels: Tensor, direction: Tensor, focal: Tensor
) -> Tensor:
    """Return the texel that each pixel shows, as a 32-bit number: (B, h, w) int64.

    Args:
        index: (B, h, w), the asset whose box is hit, -1 for the backdrop.
        local: (B, 3, h, w), where, in its coordinates in [-1, 1].
        keys: (B, N) int64, by which assets are told apart.
        texels: (B, N, 3), see :func:`box_texels`.
        direction: (B, 3, h, w), of the backdrop's points from the source camera; the texels are on a cube
            around it.
        focal: (B,) of that camera, in pixels.
    """
    size = direction.abs()
    longest, axis = size.max(dim=1)
    cube = direction / longest.clamp_min(1e-20)[:, None]
    side = 2 * axis + (direction.gather(1, axis[:, None])[:, 0] > 0)
    across = (2 * focal / TEXEL).round().clamp(1, MAX_TEXELS).long()[:, None, None, None]
    behind = _cells(cube, across.expand(-1, 3, 1, 1))
    if keys.shape[1] == 0:
        return _mixed(*behind.unbind(1), side)
    batch, _, height, width = direction.shape
    number = index.clamp_min(0).long().flatten(1)
    counts = texels.gather(1, number[..., None].expand(-1, -1, 3)).movedim(-1, 1)
    before = _cells(local, counts.view(batch, 3, height, width))
    asset = keys.gather(1, number).view(batch, height, width) + 6  # after the six sides of the cube
    hit = (index >= 0)[:, None]
    return _mixed(*torch.where(hit, before, behind).unbind(1), torch.where(hit[:, 0], asset, side))


def anchored_noise(addresses: Tensor, seeds: Tensor, channels: int, cell: int, fresh: Tensor) -> Tensor:
    """Return noise of unit variance (B, C, H, W) for latents, float32.

    Args:
        addresses: (B, h, w), see :func:`surface_addresses`, of every :data:`STRIDE`-th pixel.
        seeds: (B,) int64; another one, other noise.
        channels: C.
        cell: pixels along a latent's side, a multiple of the stride.
        fresh: (B, C, H, W) standard normal noise: of which a share is mixed in, and where a cell holds no
            texel of its own.
    """
    batch, height, width = addresses.shape
    side = cell // STRIDE
    rows, columns = height // side, width // side
    named = _mixed(addresses, seeds[:, None, None].expand_as(addresses)).flatten()
    # A texel belongs to the first pixel that shows it. Of two in one bucket one is lost, which harms nothing.
    buckets = _BUCKETS * height * width
    order = torch.arange(len(named), device=named.device)
    frame = order // (height * width)
    bucket = _hash(named) % buckets + frame * buckets
    first = torch.full((batch * buckets,), len(named), dtype=order.dtype, device=order.device)
    first.scatter_reduce_(0, bucket, order, "amin")
    chosen = order[first[bucket] == order]
    row, column = chosen // width % height // side, chosen % width // side
    at = (frame[chosen] * rows + row) * columns + column
    values = _normal(named[chosen, None] ^ _hash(torch.arange(1, channels + 1, device=named.device)))
    total = torch.zeros((batch * rows * columns, channels), device=named.device)
    total.index_add_(0, at, values)
    count = torch.bincount(at, minlength=len(total)).to(total.dtype)
    held = (total / count.clamp_min(1).sqrt()[:, None]).view(batch, rows, columns, channels).movedim(-1, 1)
    mixed = math.sqrt(1 - FRESH) * held + math.sqrt(FRESH) * fresh
    return torch.where(count.view(batch, 1, rows, columns) > 0, mixed, fresh)


def _cells(at: Tensor, counts: Tensor) -> Tensor:
    """Return which of so many equal parts of [-1, 1] numbers lie in, int64."""
    return torch.minimum(((at + 1) / 2 * counts).floor().long().clamp_min(0), counts - 1)


def _mixed(*words: Tensor) -> Tensor:
    """Return one 32-bit number of several."""
    mixed = torch.zeros_like(words[0], dtype=torch.int64)
    for word in words:
        mixed = _hash(mixed ^ (word.long() & _WORD))
    return mixed


def _hash(word: Tensor) -> Tensor:
    """Scatter 32-bit numbers (Wellons, "lowbias32", 2018); products may wrap, their low bits stay right."""
    word = word & _WORD
    word = (word ^ word >> 16) * 0x7FEB352D & _WORD
    word = (word ^ word >> 15) * 0x846CA68B & _WORD
    return word ^ word >> 16


def _normal(words: Tensor) -> Tensor:
    """Return a standard normal number for each 32-bit number, float32."""
    uniform = ((_hash(words) >> 9).float() + 0.5) / 2**23
    return torch.special.ndtri(uniform)


def noise_ids(frames: FrameBatch, boxes: BoxMap, canvas: Canvas) -> Tensor:
    """Return the texels that frames show, (B, h, w) int64, of every :data:`STRIDE`-th pixel.

    An asset keeps its texels whatever else is in the frame.

    Args:
        frames: B of them.
        boxes: their box map.
        canvas: on which their photos lie, at the scale of the frames.
    """
    height, width = boxes.index.shape[2:]
    local = torch.zeros((3, *boxes.index.shape[1:]), device=boxes.index.device)
    hits = boxes.hits[0]
    for axis, plane in enumerate(local):
        hits.pixels.put(hits.local[axis], plane)
    cameras, sources = frames.source_cameras, frames.turned_source_boxes
    away = camera_from_world(cameras)[..., 2, :]
    centre = sources[..., :3, 3]
    depth = -((away[..., :3] * centre).sum(-1) + away[..., 3])
    focal = cameras.intrinsics[..., 0] * canvas.extent(frames.asset_photo)[0]
    texels = box_texels(sources[..., :3, :3].norm(dim=-2), depth, focal)
    source = frames.view_camera[:, 0]
    surfaces = backdrops(source, frames.view_boxes[:, 0], frames.hidden_boxes)
    direction = torch.stack(backdrop_points(surfaces, source, frames.camera, width, height), dim=1)
    some = (..., slice(None, None, STRIDE), slice(None, None, STRIDE))
    focal = source.intrinsics[:, 0] * canvas.extent(frames.photo[:, 0])[0]
    return surface_addresses(
        boxes.index[0][some],
        local.transpose(0, 1)[some],
        frames.noise_keys,
        texels,
        direction[some],
        focal,
    )
