"""Box maps as channels beside the noisy latents: what the network sees of where boxes are."""

import torch
import torch.nn.functional as F
from torch import Tensor

from na_core.compose.passes import Passes
from na_core.model.poses import POSE_LIMIT, scene_scale
from na_core.tensors.frames import FrameBatch

BOX_CHANNELS = 11
"""Coverage, local xyz and inverse depth of both hits, and the proxy's validity."""

COVERAGE, VALIDITY = 0, BOX_CHANNELS - 1
"""Channels: the share of a cell that boxes cover, and that the photo showed."""


def box_channels(frames: FrameBatch, passes: Passes, factor: int, guided: bool) -> Tensor:
    """Average what boxes show over latent cells: (B, :data:`BOX_CHANNELS`, H / factor, W / factor) float32.

    Args:
        frames: B of them.
        passes: of them, whose sides are multiples of ``factor``.
        factor: pixels per latent.
        guided: inverse depths in units of the source scene's, else in metres.
    """
    scale = scene_scale(frames) if guided else torch.ones(len(frames), device=frames.photo.device)
    scale = scale.float()
    channels = torch.zeros((BOX_CHANNELS, *passes.validity.shape), device=scale.device)
    for first, index, hits in zip((0, 5), passes.boxes.index, passes.boxes.hits, strict=True):
        channels[first] = index >= 0
        near = scale.index_select(0, hits.pixels.row) / hits.depth.clamp_min(1e-6)
        missed = hits.box < 0
        for plane, values in enumerate((*hits.local, near.clamp_max_(POSE_LIMIT)), start=first + 1):
            hits.pixels.put(values.masked_fill(missed, 0), channels[plane])
    channels[VALIDITY] = passes.validity
    return F.avg_pool2d(channels, factor).transpose(0, 1)


def spatial_channels(latent_channels: int) -> int:
    """Return how many channels spatial conditioning adds to ``conv_in`` for a VAE with so many latents."""
    return latent_channels + BOX_CHANNELS
