"""Training frames as use will have them: boxes that are wrong, photos that hide things, proxies that fail.

Every function returns a changed copy, draws all its numbers from the generator it is given, as many whatever
the probability, and is the identity at probability 0 (paper reference, sections 8.4 and 9.3).
"""

import dataclasses
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from na_core.compose.passes import Passes
from na_core.model.encoder import GREY
from na_core.tensors.boxes import front_scores, moved_along
from na_core.tensors.cameras import Cameras
from na_core.tensors.frames import FrameBatch

DIMENSIONS = 0.1
"""Largest error of a detector's dimensions, as a share of them."""

YAW = math.radians(5)
"""Largest error of a detector's yaw, in radians."""

CENTRE = 0.03
"""Largest error of a detector's centre along each axis, as a share of the distance to the camera."""

SWITCH = math.radians(10)
"""How near to 45 degrees, in radians, a box's yaw leaves open which of its sides is the front."""

BLUR = 4
"""How many times smaller the picture is that a blurred proxy is enlarged from."""


def jitter_boxes(frames: FrameBatch, generator: torch.Generator, probability: float) -> FrameBatch:
    """Get source boxes wrong as a detector would, and move the assets' target boxes along with them.

    target' = target @ inverse(source) @ source': the target is the same motion of the wrong box, so that the
    relation between the two stays true, and what stood still stands still. Each box of each view is changed
    with the given probability.
    """
    old = frames.view_boxes
    draws = 2 * _draw(frames, (*old.shape[:3], 7), generator) - 1
    wrong = _draw(frames, old.shape[:3], generator) < probability
    new = wrong_boxes(old, frames.view_camera, draws)
    boxes = torch.where(wrong[..., None, None], new, old)
    changed = dataclasses.replace(frames, view_boxes=boxes)
    moved = moved_along(frames.boxes, frames.source_boxes, changed.source_boxes)
    wrong_asset = wrong[frames.rows, frames.asset_view, frames.asset_entry]
    return dataclasses.replace(changed, boxes=torch.where(wrong_asset[..., None, None], moved, frames.boxes))


def wrong_boxes(boxes: Tensor, cameras: Cameras, draws: Tensor) -> Tensor:
    """Return boxes (..., K, 4, 4) as a detector would get them wrong.

    Args:
        boxes: right ones.
        cameras: (...,) that see them.
        draws: (..., K, 7) in [-1, 1], the errors in units of the largest: of the centre, the yaw and the
            dimensions.
    """
    eye = cameras.world_from_camera[..., None, :3, 3]
    distance = (boxes[..., :3, 3] - eye).norm(dim=-1, keepdim=True)
    x, y, z = boxes[..., :3, :3].unbind(-1)
    dx, dy = (axis.norm(dim=-1, keepdim=True).clamp_min(1e-12) for axis in (x, y))
    angle = draws[..., 3:4] * YAW
    c, s = angle.cos(), angle.sin()
    turned = torch.stack([c * x + s * dx / dy * y, c * y - s * dy / dx * x, z], dim=-1)
    new = boxes.clone()
    new[..., :3, :3] = turned * (1 + DIMENSIONS * draws[..., None, 4:])
    new[..., :3, 3] += CENTRE * distance * draws[..., :3]
    return new


def relabel_corners(frames: FrameBatch, generator: torch.Generator, probability: float) -> FrameBatch:
    """Take the other of two labels that a detector might as well have taken, on source and target alike.

    Of a box whose front is within :data:`SWITCH` of 45 degrees to its source camera, either side may
    be the front. Others keep their label, as do those with neither of the two. A probability of 1/2 makes
    both labels equally likely.
    """
    drawn = _draw(frames, frames.present.shape, generator) < probability
    scores, labels = front_scores(frames.source_boxes, frames.source_cameras).topk(2, dim=-1)
    best, other = labels.unbind(-1)
    length = scores.norm(dim=-1)  # of an upright box the two are cosine and sine
    open_ = scores[..., 0] - scores[..., 1] <= length * math.sqrt(2) * math.sin(SWITCH)
    turns = frames.quarter_turns
    swapped = torch.where(turns == best, other, torch.where(turns == other, best, turns))
    return dataclasses.replace(frames, quarter_turns=torch.where(drawn & open_, swapped, turns))


def drop_objects(
    frames: FrameBatch, generator: torch.Generator, probability: float, unseen: Tensor
) -> FrameBatch:
    """Take assets out of frames whose pictures do not show them.

    They leave the conditions and stay hidden from the background, as if an artist had deleted them. The
    picture to be learnt must then be without them as well, so only objects that it does not show can go:
    outside the picture, or behind others. Dropping a visible one would teach the decoder to invent objects.

    Args:
        probability: of each unseen asset.
        unseen: (B, N) bool, assets that the target picture does not show; see
            :func:`na_core.tensors.boxes.bounds_2d` for those outside it.
    """
    drawn = _draw(frames, frames.present.shape, generator) < probability
    return dataclasses.replace(frames, present=frames.present & ~(drawn & unseen))


def mask_sources(frames: FrameBatch, generator: torch.Generator, probability: float) -> FrameBatch:
    """Hide objects in their photos: from the encoder's pictures, the proxy, and with them their source boxes.

    Target boxes stay. An object that several assets come from is hidden from all of them.
    """
    drawn = _draw(frames, frames.view_filled.shape, generator) < probability
    masked = drawn[frames.rows, frames.asset_view, frames.asset_entry]
    return dataclasses.replace(frames, shown=frames.shown & ~masked)


def drop_proxies(passes: Passes, generator: torch.Generator, probability: float) -> Passes:
    """Replace whole proxies by grey that is nowhere valid, each with the given probability."""
    dropped = _draw_like(passes, generator) < probability
    return dataclasses.replace(
        passes,
        proxy=passes.proxy.masked_fill(dropped[:, None], GREY),
        validity=passes.validity & ~dropped,
        shift=passes.shift.masked_fill(dropped, torch.inf),
    )


def blur_proxies(passes: Passes, generator: torch.Generator, probability: float) -> Passes:
    """Take the detail out of proxies, each with the given probability: that of a smaller photo stays.

    Validity stays: the photo still shows those points, only not sharply.
    """
    blurred = _draw_like(passes, generator) < probability
    size = passes.proxy.shape[-2:]
    small = [max(1, side // BLUR) for side in size]
    coarse = F.interpolate(passes.proxy, small, mode="area")
    smooth = F.interpolate(coarse, list(size), mode="bilinear", align_corners=False)
    return dataclasses.replace(passes, proxy=torch.where(blurred[:, None], smooth, passes.proxy))


def _draw(frames: FrameBatch, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw uniform numbers in [0, 1), float64."""
    drawn = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float64)
    return drawn.to(frames.boxes.device)


def _draw_like(passes: Passes, generator: torch.Generator) -> Tensor:
    """Draw a uniform number in [0, 1) per picture, (B, 1, 1)."""
    drawn = torch.rand((len(passes.proxy), 1, 1), generator=generator, device=generator.device)
    return drawn.to(passes.proxy.device)
