"""Where objects' shadows lie on the ground of frames, and where their photos show them."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from na_core.layers.layers import Layers
from na_core.raster.backdrop import Backdrops
from na_core.raster.ground import ground_from_pixel, ground_heights, image_from_ground, undersides
from na_core.tensors.boxes import box_corners
from na_core.tensors.cameras import Cameras
from na_core.tensors.frames import FrameBatch

LOWEST_LIGHT = 0.14
"""Height of a light, in units of its distance, below which it stands no lower: shadows stay near."""

SCALES = (1e-4, 1e4)
"""Least and largest scale of an object: what is beyond has no shadow to see."""

LEAST_HEIGHT = 0.05
"""Height of an object, in units of its size, below which it counts as no flatter while it sinks."""

SAME_LIGHT, DIFFERENT_LIGHT = math.cos(math.radians(20)), math.cos(math.radians(40))
"""Cosines of the angle between two photos' lights up to which they are the same, and from which they
differ."""


@dataclass(frozen=True)
class GroundLayers:
    """The shadows of N boxes as B frames see them on their ground.

    Attributes:
        photo, entry: (B, N) int64, the photo that shows each, and its box there.
        strength: (B, N) float32, factors of their logarithms, of at least 0.
        photo_from_frame: (B, N, 3, 3) float64, from a frame's pixel (column, row, 1) to (x * w, y * w, w), x
            and y being in the photo's pixels. Where w is not positive the photo does not show that ground.
        windows: (B, N, 4) float64, left, top, right and bottom in pixels of frames of what may be shadowed.
    """

    photo: Tensor
    entry: Tensor
    strength: Tensor
    photo_from_frame: Tensor
    windows: Tensor


def asset_layers(
    frames: FrameBatch, layers: Layers, ground: Backdrops, width: int, height: int
) -> GroundLayers:
    """Return the shadows that assets throw where they stand.

    Args:
        frames: B of them.
        layers: of their photos.
        ground: of the frames.
        width, height: of the frames in pixels.
    """
    photo = frames.asset_photo
    hidden = torch.zeros_like(frames.view_filled)
    hidden[:, 0] = frames.hidden
    source_ground = ground_heights(frames.view_boxes, hidden, frames.view_filled)
    source_ground = source_ground.gather(1, frames.asset_view)

    before, after = frames.source_boxes, frames.boxes
    old, new = (boxes[..., :3, :3].flatten(-2).norm(dim=-1) for boxes in (before, after))
    scale = (new / old.clamp_min(1e-9)).clamp(*SCALES)
    size = (new / 3**0.5).clamp_min(1e-9)
    raised = undersides(after) - ground.ground[:, None] - scale * (undersides(before) - source_ground)
    lift = raised.clamp_min(0)
    heights = box_corners(after)[..., 2]
    tall = torch.maximum(heights.amax(-1) - heights.amin(-1), LEAST_HEIGHT * size)
    fade = (1 + raised / tall).clamp(0, 1) / (1 + (lift / size).square())
    there = frames.present & frames.shown & (old > 1e-9)
    alike = _same_light(layers.light, photo, frames.photo[:, :1])
    strength = torch.where(there, frames.shadow_strength * fade * alike, 0.0)

    light = layers.light[photo].double()
    slope = light[..., :2] / light[..., 2:].clamp_min(LOWEST_LIGHT)
    source_foot = before[..., :2, 3]
    target_foot = after[..., :2, 3] - lift[..., None] * slope
    source_from_target = _placed(1 / scale, source_foot - target_foot / scale[..., None])
    target_from_source = _placed(scale, target_foot - source_foot * scale[..., None])
    return _ground_layers(
        frames, layers, ground, frames.source_cameras, source_ground,
        source_from_target, target_from_source, photo, frames.asset_entry, strength.float(), width, height,
    )  # fmt: skip


def _same_light(light: Tensor, photo: Tensor, background: Tensor) -> Tensor:
    """Return how far the light of assets' photos (B, N) is that of the backgrounds' photos (B, 1), in [0, 1].

    Another light would throw another shadow. Photos whose lights are unknown are alike.
    """
    own, other = light[photo], light[background]
    known, other_known = own.any(dim=-1), other.any(dim=-1)
    cosine = (own * other).sum(dim=-1)
    apart = ((cosine - DIFFERENT_LIGHT) / (SAME_LIGHT - DIFFERENT_LIGHT)).clamp(0, 1)
    alike = torch.where(known & other_known, apart, (known == other_known).float())
    return torch.where(photo == background, 1.0, alike)


def background_layers(
    frames: FrameBatch, layers: Layers, ground: Backdrops, width: int, height: int
) -> GroundLayers:
    """Return the shadows of hidden objects where the backgrounds' photos show them.

    Args:
        frames: B of them.
        layers: of their photos.
        ground: of the frames.
        width, height: of the frames in pixels.
    """
    hidden = frames.hidden_boxes
    entry = torch.arange(hidden.shape[1], device=hidden.device).clamp_max(layers.objects - 1)
    entry = entry.expand(hidden.shape)
    photo = frames.photo[:, :1].expand(hidden.shape)
    same = torch.eye(3, dtype=torch.float64, device=hidden.device).expand(*hidden.shape, 3, 3)
    source = frames.view_camera[:, :1]
    return _ground_layers(
        frames, layers, ground, source, ground.ground[:, None],
        same, same, photo, entry, hidden.float(), width, height,
    )  # fmt: skip


def _placed(scale: Tensor, step: Tensor) -> Tensor:
    """Return (..., 3, 3) that scales points (x, y, 1) by (...,) and moves them by steps (..., 2)."""
    zero, one = torch.zeros_like(scale), torch.ones_like(scale)
    x, y = step.unbind(-1)
    rows = [(scale, zero, x), (zero, scale, y), (zero, zero, one)]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def _ground_layers(
    frames: FrameBatch,
    layers: Layers,
    ground: Backdrops,
    source: Cameras,
    source_ground: Tensor,
    source_from_target: Tensor,
    target_from_source: Tensor,
    photo: Tensor,
    entry: Tensor,
    strength: Tensor,
    width: int,
    height: int,
) -> GroundLayers:
    """Return layers of photos with cameras (B, N) and ground heights (B, N), and ways between grounds."""
    across, down = (torch.as_tensor(size, device=photo.device) for size in layers.canvas.extent(photo))
    size = torch.stack([side.double().expand(photo.shape) for side in (across, down)], dim=-1)
    pixels = torch.cat([size, torch.ones_like(size[..., :1])], dim=-1)[..., None]
    target = Cameras(frames.camera.world_from_camera[:, None], frames.camera.intrinsics[:, None])
    seen = ground_from_pixel(target, ground.ground[:, None], width, height)
    photo_from_frame = pixels * (image_from_ground(source, source_ground) @ source_from_target @ seen)
    largest = photo_from_frame.abs().amax(dim=(-2, -1), keepdim=True)
    photo_from_frame = photo_from_frame / largest.clamp_min(1e-300)
    photo_from_frame = torch.where(largest.isfinite(), photo_from_frame, 0.0)  # of boxes beyond all measure

    # Around what the photo shows of the shadow, and the pixel beside it, as the frame sees it.
    left, top, right, bottom = layers.shadows.bounds[photo, entry].unbind(-1)
    shows = right > left
    columns = torch.stack([left - 1, right + 1, right + 1, left - 1], dim=-1) / size[..., :1]
    rows = torch.stack([top - 1, top - 1, bottom + 1, bottom + 1], dim=-1) / size[..., 1:]
    corners = torch.stack([columns - 0.5, rows - 0.5, torch.ones_like(rows)], dim=-2)  # (B, N, 3, 4)
    at = ground_from_pixel(source, source_ground, 1, 1) @ corners
    on = image_from_ground(target, ground.ground[:, None]) @ target_from_source @ at
    before = (at[..., 2, :] > 1e-9).all(-1) & (on[..., 2, :] > 1e-9).all(-1)
    behind = (at[..., 2, :] > 1e-9).all(-1) & (on[..., 2, :] <= 0).all(-1)
    position = on[..., :2, :] / on[..., 2:, :].clamp_min(1e-9)
    position = position * torch.tensor([[width], [height]], dtype=torch.float64, device=photo.device)
    low, high = position.amin(-1).floor() - 1, position.amax(-1).ceil() + 1
    whole = torch.tensor([0.0, 0.0, width, height], dtype=torch.float64, device=photo.device)
    windows = torch.where(before[..., None], torch.cat([low, high], dim=-1), whole)
    windows = torch.minimum(windows.clamp_min(0), whole[2:].repeat(2))
    nothing = ~shows | behind | (strength <= 0)
    return GroundLayers(photo, entry, strength, photo_from_frame, windows.masked_fill(nothing[..., None], 0))
