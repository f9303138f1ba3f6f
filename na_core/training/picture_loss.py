"""How wrong pictures are: in colour, in structure, and to a network that has seen photographs."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

from na_core.backbone import EfficientNetLite

COLOUR, STRUCTURE, FEATURES = 4.0, 0.1, 0.6
"""Weights of squared errors of colours, of structure and of features."""

SCALES = 3
"""Of the structure: each is half as large as the one before."""

SMALLEST = 41
"""Pixels along a picture's side that so many scales take."""

DEPTH = 11
"""Blocks of the backbone, from the first, whose features are compared: down to 1/16 of the size."""


class PictureLoss(nn.Module):
    """The loss of pictures: squared errors, multi-scale SSIM (Wang et al. 2003) and features of a backbone.

    Squared, because their best guess is the mean of what might be there. Of absolute errors it is the median,
    which where most might be as it is, is to change nothing.

    Args:
        backbone: whose features are compared, as LPIPS does (Zhang et al. 2018); it does not learn. None for
            colours alone.
    """

    def __init__(self, backbone: EfficientNetLite | None) -> None:
        super().__init__()
        self._features = None
        if backbone is not None:
            backbone.blocks = backbone.blocks[:DEPTH]
            # No submodule: it is not of what learns, is averaged and is saved.
            self._features = backbone.requires_grad_(False).eval().forward

    def forward(self, pictures: Tensor, truth: Tensor, weight: Tensor, faithful: Tensor) -> Tensor:
        """Return the loss of pictures.

        Args:
            pictures, truth: (B, 3, H, W) float32 in [-1, 1].
            weight: (B, H, W) of pixels' colours.
            faithful: (B,) weights of structure and features: little is to be asked of noisy ones.
        """
        colour = (pictures - truth).square().mean(dim=1)
        loss = COLOUR * (colour * weight).sum() / weight.sum()
        if self._features is None:
            return loss
        made, true = (picture * 0.5 + 0.5 for picture in (pictures, truth))
        with torch.autocast(pictures.device.type, enabled=False):
            similarity = multiscale_structural_similarity_index_measure(
                made.clamp(0, 1),
                true,
                reduction="none",
                data_range=1.0,
                betas=(1 / SCALES,) * SCALES,
                normalize="relu",
            )
        loss = loss + STRUCTURE * ((1 - similarity) * faithful).mean()
        with torch.no_grad():
            wanted = self._features(true)
        distances = [
            (F.normalize(found.float(), dim=1) - F.normalize(want.float(), dim=1))
            .square()
            .sum(1)
            .mean((1, 2))
            for found, want in zip(self._features(made), wanted, strict=True)
        ]
        return loss + FEATURES * (torch.stack(distances).mean(dim=0) * faithful).mean()
