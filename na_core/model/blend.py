"""Where the photo wins: how far a frame keeps the proxy's own pixels and withholds the decoder's correction.

What has not moved is the photo, and no decoder knows better.
"""

from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor

from na_core.compose.passes import Passes

KEPT_MOTION = 3.0
"""Pixels of the decoder's picture after whose motion nothing of the photo's own pixels is kept."""

BORDER = 8
"""Pixels of the decoder's picture over which what is kept fades into background that no photo showed: a
correction that began at once would draw a ring around what it fills."""


def kept_share(
    passes: Passes,
    scale: float,
    *,
    keep_unmoved: bool,
    proxy_trust: float,
    plate_trust: float,
    object_trust: float = 0.0,
    meshes: Collection[int] = (),
) -> Tensor:
    """Return the share (B, H, W) of the correction that is withheld, in [0, 1].

    Args:
        passes: of B frames.
        scale: the decoder's pixels per pixel of the passes.
        keep_unmoved: all of it, where the photo showed the same surface at the same place; fading out over
            :data:`KEPT_MOTION`.
        proxy_trust: at least this share where the background's photo showed the surface, though elsewhere.
            What comes from another photo stood in another light: there the decoder is free.
        plate_trust: at least this share of the background, seen or not. What is kept of it because it
            did not move fades into what the photo did not show of it over :data:`BORDER`.
        object_trust: at least this share of objects where a photo showed this very point of them.
        meshes: slots of assets whose shape is a mesh: of these, all of it. Their shapes are exact and what no
            photo shows has the mesh's own colour, while a decoder knows them from the photo's tokens alone.
            (Measured on half turns of rendered scenes, the embedded one costs 1.9 dB over objects.)
    """
    still = (1 - passes.shift * (scale / KEPT_MOTION)).clamp(0, 1) * float(keep_unmoved)
    seen = passes.shift.isfinite() * proxy_trust
    is_background = passes.index < 0
    background = is_background * plate_trust
    objects = ((passes.index >= 0) & passes.validity) * object_trust
    kept = torch.stack([still, seen, background, objects]).amax(dim=0)
    around = _spread(still * is_background, scale)
    kept = torch.where(is_background & passes.shift.isinf(), torch.maximum(kept, around), kept)
    for slot in meshes:
        kept = torch.where(passes.index == slot, 1.0, kept)
    return kept


def _spread(kept: Tensor, scale: float) -> Tensor:
    """Return shares (B, H, W), each fading around it over :data:`BORDER` pixels of the decoder's picture."""
    height, width = kept.shape[1:]
    size = max(1, round(height * scale)), max(1, round(width * scale))
    spread = F.interpolate(kept[:, None], size, mode="area")
    for _ in range(BORDER):
        spread = torch.maximum(spread, F.max_pool2d(spread, 3, stride=1, padding=1) - 1 / BORDER)
    return F.interpolate(spread, (height, width), mode="bilinear", align_corners=False)[:, 0]
