"""RoIAlign with a separable tent filter, as two small matrix products (paper reference, section 1)."""

import torch
from torch import Tensor


def tent_weights(start: Tensor, length: Tensor, cells: int, size: int) -> Tensor:
    """Return the filter of one axis.

    For a RoI that begins at ``a`` and is ``L`` long, in feature pixels, with cell size ``c = L / cells`` and
    sample positions ``s_j = a + (j + 1/2) c - 1/2``, feature i weighs max(0, 1 - |s_j - i| / max(c, 1)); the
    weights of a sample sum to 1, and are zero where s_j lies outside [-1/2, size - 1/2].

    Args:
        start, length: (...,) in feature pixels.
        cells: output cells.
        size: features along the axis.

    Returns:
        (..., cells, size).
    """
    cell = (length / cells)[..., None]
    j = torch.arange(cells, device=start.device, dtype=start.dtype)
    sample = start[..., None] + (j + 0.5) * cell - 0.5
    i = torch.arange(size, device=start.device, dtype=start.dtype)
    weight = (1 - (sample[..., None] - i).abs() / cell.clamp(min=1.0)[..., None]).clamp(min=0)
    weight = weight / weight.sum(dim=-1, keepdim=True).clamp(min=1e-12)
    inside = (sample >= -0.5) & (sample <= size - 0.5)
    return weight * inside[..., None]


def roi_align(features: Tensor, rectangles: Tensor, cells: int) -> Tensor:
    """Pool rectangles of a feature map.

    Args:
        features: (B, H, W, C).
        rectangles: (B, N, 4), x0, y0, x1, y1 in [0, 1]. Empty rectangles (no width or no height) pool to
            zero.
        cells: cells per side.

    Returns:
        (B, N, cells * cells, C), rows first.
    """
    rows, columns = features.shape[1:3]
    x0, y0, x1, y1 = rectangles.to(features.dtype).unbind(-1)
    across = tent_weights(x0 * columns, (x1 - x0) * columns, cells, columns)
    down = tent_weights(y0 * rows, (y1 - y0) * rows, cells, rows)
    pooled = torch.einsum("bnih,bhwc->bniwc", down, features)
    pooled = torch.einsum("bnjw,bniwc->bnijc", across, pooled)
    filled = ((x1 > x0) & (y1 > y0)).to(features.dtype)
    return pooled.flatten(2, 3) * filled[..., None, None]
