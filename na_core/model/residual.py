"""What the decoder diffuses where it starts from the proxy: the residual to it, in units of what is expected.

Training divides the residual by :func:`residual_scale`, rendering multiplies by it. The scale is one number,
or differs per latent cell: the variance of the residual is then predicted from what the box map says of the
cell, so that the diffusion's noise is small where the photo showed the surface and large where the proxy
guesses.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from na_core.model.box_channels import COVERAGE, VALIDITY

MIN_VARIANCE_SHARE = 0.02
"""Of the mean variance: no cell is expected to be surer than that."""


def residual_scale(maps: Tensor, scale: float, variance: Sequence[float] | None) -> Tensor:
    """Return the standard deviation that the residual is measured in, (B, 1, h, w) or (1, 1, 1, 1), float32.

    Args:
        maps: (B, 11, h, w) box channels.
        scale: of all cells together.
        variance: weights of :func:`_predictors`, as :func:`fit_variance` finds them; None for one scale.
    """
    if variance is None:
        return torch.full((1, 1, 1, 1), scale, device=maps.device)
    weights = torch.tensor(list(variance), dtype=torch.float32, device=maps.device)
    predicted = (_predictors(maps) * weights[:, None, None]).sum(dim=1, keepdim=True)
    return predicted.clamp(min=MIN_VARIANCE_SHARE * scale**2).sqrt()


def fit_variance(residual: Tensor, maps: Tensor) -> tuple[float, list[float]]:
    """Fit what :func:`residual_scale` takes: by least squares on the squared residual of many cells.

    A cell's expected square is the mean of its pixels', so it is linear in the shares of its kinds of pixels.

    Args:
        residual: (P, c, h, w), the targets' latents less the proxies'.
        maps: (P, 11, h, w) their box channels.

    Returns:
        The standard deviation of all cells together, and the four weights.
    """
    squares = residual.double().square().mean(dim=1).flatten()
    predictors = _predictors(maps).double().movedim(1, -1).reshape(-1, 4)
    gram = predictors.T @ predictors
    # A little weight decay: a data set without unseen or uncovered cells leaves some weights free.
    gram += 1e-6 * len(squares) * torch.eye(4, dtype=gram.dtype, device=gram.device)
    weights = torch.linalg.solve(gram, predictors.T @ squares)
    return float(squares.mean().sqrt()), [float(weight) for weight in weights]


def _predictors(maps: Tensor) -> Tensor:
    """Return what the variance is linear in, (B, 4, h, w): one, unseen, covered, unseen of the covered."""
    maps = maps.float()
    covered, unseen = maps[:, COVERAGE], 1 - maps[:, VALIDITY]
    return torch.stack([torch.ones_like(covered), unseen, covered, unseen * covered], dim=1)
