"""Passes of smaller pixels, averaged: smooth outlines where the photo has finer detail than the frame."""

import torch.nn.functional as F
from torch import Tensor

from na_core.compose.passes import Passes
from na_core.raster.boxmap import BoxMap


def averaged(passes: Passes, boxes: BoxMap, times: int) -> Passes:
    """Return passes (B, ..., times * H, times * W) at (H, W).

    Colours are means; a pixel is valid where most of it is, has moved as far as any of its parts, and shows
    what its middle shows.

    Args:
        passes: of the smaller pixels.
        boxes: the box map of the larger ones.
        times: smaller pixels along a side of a larger one.
    """
    middle = (..., slice(times // 2, None, times), slice(times // 2, None, times))
    return Passes(
        proxy=F.avg_pool2d(passes.proxy, times),
        validity=F.avg_pool2d(passes.validity[:, None].float(), times)[:, 0] >= 0.5,
        shift=F.max_pool2d(passes.shift[:, None], times)[:, 0] / times,
        index=passes.index[middle],
        depth=passes.depth[middle],
        boxes=boxes,
        shadow=_averaged_shadow(passes.shadow, times),
    )


def _averaged_shadow(shadow: Tensor, times: int) -> Tensor:
    """Return the means of factors (B, 3, times * H, times * W); of a spread number, at no cost."""
    if shadow.stride(-1) == 0:
        return shadow[..., ::times, ::times]
    return F.avg_pool2d(shadow, times)
