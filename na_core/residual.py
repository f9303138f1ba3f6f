"""The block that heads on the backbone are made of."""

import torch.nn.functional as F
from torch import Tensor, nn


class Residual(nn.Module):
    """Two convolutions and what came in."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.norms = nn.ModuleList(nn.GroupNorm(max(1, channels // 8), channels) for _ in range(2))
        self.skip = nn.Conv2d(inputs, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, h, w)."""
        y = F.silu(self.norms[0](self.first(x)))
        return F.silu(self.norms[1](self.second(y)) + self.skip(x))
