"""Where the photo wins: how far a frame keeps the proxy's own pixels and withholds the decoder's correction.

What has not moved is the photo, and no decoder knows better. But what moves takes its shadow along: near
where it is and was, the decoder is free.
"""

from __future__ import annotations

import torch
from torch import Tensor

from na_core.compose.background import presence
from na_core.compose.passes import Passes
from na_core.tensors.boxes import bounds_2d
from na_core.tensors.frames import FrameBatch

KEPT_MOTION = 3.0
"""Pixels of the decoder's picture after whose motion nothing of the photo's own pixels is kept."""


def kept_share(
    frames: FrameBatch,
    passes: Passes,
    scale: float,
    *,
    keep_unmoved: bool,
    proxy_trust: float,
    surroundings: float,
) -> Tensor:
    """Return the share (B, H, W) of the correction that is withheld, in [0, 1].

    Args:
        frames: B of them.
        passes: of them.
        scale: the decoder's pixels per pixel of the passes.
        keep_unmoved: all of it, where the photo showed the same surface at the same place; fading out over
            :data:`KEPT_MOTION`, and towards what has moved, see :func:`disturbed`.
        proxy_trust: at least this share where the photo showed the surface, though elsewhere.
        surroundings: see :func:`disturbed`; 0 for none.
    """
    still = (1 - passes.shift * (scale / KEPT_MOTION)).clamp(0, 1) * float(keep_unmoved)
    if surroundings > 0 and keep_unmoved:
        height, width = still.shape[1:]
        still = still * (1 - disturbed(frames, width, height, surroundings))
    return torch.maximum(still, passes.validity * proxy_trust)


def disturbed(frames: FrameBatch, width: int, height: int, surroundings: float) -> Tensor:
    """Return how far what moved may have changed each pixel by its shadow or light, (B, H, W) in [0, 1].

    1 on the 2D bounds of where a moved object stands and stood, falling to 0 around them; less for what has
    hardly moved, so that nothing pops in an animation.

    Args:
        frames: B of them.
        width, height: in pixels.
        surroundings: over how many sizes of the object it falls; above 0.
    """
    boxes, departed = _moved(frames)
    bounds = bounds_2d(frames.camera, boxes).float()
    size = torch.tensor([width, height], dtype=torch.float32, device=bounds.device)
    columns = (torch.arange(width, device=bounds.device) + 0.5)[None, None]
    rows = (torch.arange(height, device=bounds.device) + 0.5)[None, :, None]
    found = torch.zeros((len(frames), height, width), device=bounds.device)
    for slot in range(boxes.shape[1]):
        x0, y0, x1, y1 = (bounds[:, slot].unflatten(-1, (2, 2)) * size).flatten(-2).T[..., None, None]
        reach = surroundings * torch.maximum(x1 - x0, y1 - y0)
        across = torch.maximum(x0 - columns, columns - x1).clamp_min(0)
        down = torch.maximum(y0 - rows, rows - y1).clamp_min(0)
        nearness = (1 - torch.hypot(across, down) / reach.clamp_min(1e-9)).clamp(0, 1)
        smooth = nearness * nearness * (3 - 2 * nearness) * (x1 > x0)
        found = torch.maximum(found, departed[:, slot, None, None] * smooth)
    return found


def _moved(frames: FrameBatch) -> tuple[Tensor, Tensor]:
    """Return the boxes (B, R, 4, 4) where objects stood and stand, and how far each has left, (B, R)."""
    hidden = frames.hidden_boxes
    departed = torch.where(hidden, 1 - presence(frames), 0.0).float()
    own = (frames.asset_view == 0) & hidden.gather(1, frames.asset_entry)
    arrived = torch.where(own, departed.gather(1, frames.asset_entry), 1.0) * frames.present
    boxes = torch.cat([frames.view_boxes[:, 0], frames.boxes], dim=1)
    return boxes, torch.cat([departed, arrived], dim=1)
