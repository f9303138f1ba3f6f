"""EfficientNet-Lite0 as it was published, with its classifier of ImageNet's 1000 classes."""

from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from na_core.backbone import CHANNELS, EfficientNetLite, SameConv, folded

CLASSES = 1000

WIDTH = 1280
"""Channels of the last convolution, whose mean over the picture is classified."""


class ImageClassifier(nn.Module):
    """The backbone and the layers that name what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = EfficientNetLite()
        self.widen = SameConv(CHANNELS[-1], WIDTH, 1)
        self.classify = nn.Linear(WIDTH, CLASSES)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the logits (B, 1000) of ImageNet's classes, in their usual order.

        Args:
            pixels: (B, 3, H, W) sRGB in [0, 1].
        """
        wide = F.relu6(self.widen(self.backbone(pixels)[-1]))
        logits: Tensor = self.classify(wide.mean(dim=(2, 3)))
        return logits

    def load_published(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of a published checkpoint of the ``efficientnet-pytorch`` layout.

        Raises:
            KeyError: one is missing.
            ValueError: one of the backbone's has another shape; the text names it.
        """
        self.backbone.load_published(weights)
        kernel, bias = folded(weights, "_conv_head", "_bn1")
        self.widen.load_state_dict({"weight": kernel, "bias": bias})
        self.classify.load_state_dict({"weight": weights["_fc.weight"], "bias": weights["_fc.bias"]})
