"""The backbone: image features that layers and metrics share, of a network that has seen photographs.

EfficientNet-Lite0 (Tan and Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
2019; its Lite variants have neither squeeze-and-excitation nor swish). Batch normalisation is folded into the
convolutions, so that training and use are one function.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STEM = 32
"""Channels of the first layer."""

NORM_EPSILON = 1e-3
"""Of the batch normalisation that published weights have."""

CHANNELS = (16, 24, 40, 112, 320)
"""Channels of the features, at 1/2, 1/4, 1/8, 1/16 and 1/32 of the picture's size."""

STRIDE = 32
"""Pixels of the picture along a side of a cell of the coarsest features."""


@dataclass(frozen=True)
class Stage:
    """Blocks of one shape: their factor of expansion, kernel, first stride, output channels and number."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    blocks: int


STAGES = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)

TAPS = (0, 2, 4, 10, 15)
"""Blocks after which features are taken."""


class SameConv(nn.Conv2d):
    """A convolution whose padding is TensorFlow's "same": the odd pixel is added below and on the right.

    On the CPU those that filter each channel by itself are computed in float32 under autocast, too: their
    gradients take two to four times as long in bfloat16.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, ceil(H / stride), ceil(W / stride))."""
        if self.groups > 1 and x.device.type == "cpu" and torch.is_autocast_enabled("cpu"):
            with torch.autocast("cpu", enabled=False):
                return self._convolved(x.float())
        return self._convolved(x)

    def _convolved(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        if kernel == 1:
            return super().forward(x)
        down, across = (max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in x.shape[2:])
        if down == across and down % 2 == 0:
            return F.conv2d(x, self.weight, self.bias, stride, down // 2, 1, self.groups)
        x = F.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2))
        return F.conv2d(x, self.weight, self.bias, stride, 0, 1, self.groups)


class InvertedResidual(nn.Module):
    """Expand, filter each channel by itself, project; the input is added where shapes allow it."""

    def __init__(self, stage: Stage, inputs: int, stride: int) -> None:
        super().__init__()
        wide = inputs * stage.expansion
        self.expand = SameConv(inputs, wide, 1) if stage.expansion > 1 else nn.Identity()
        self.depthwise = SameConv(wide, wide, stage.kernel, stride, groups=wide)
        self.project = SameConv(wide, stage.channels, 1)
        self.expands = stage.expansion > 1
        self.adds = stride == 1 and inputs == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, h, w)."""
        y = F.relu6(self.expand(x)) if self.expands else x
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if self.adds else y


class EfficientNetLite(nn.Module):
    """EfficientNet-Lite0 without its classifier.

    Args:
        depth: how many of its 16 blocks there are, from the first.
    """

    def __init__(self, depth: int = 16) -> None:
        super().__init__()
        self.stem = SameConv(3, STEM, 3, 2)
        blocks, inputs = [], STEM
        for stage in STAGES:
            for number in range(stage.blocks):
                blocks.append(InvertedResidual(stage, inputs, stage.stride if number == 0 else 1))
                inputs = stage.channels
        self.blocks = nn.ModuleList(blocks[:depth])

    def forward(self, pixels: Tensor) -> list[Tensor]:
        """Return the features of pictures.

        Args:
            pixels: (B, 3, H, W) sRGB in [0, 1], of any size.

        Returns:
            (B, C, h, w) for each of :data:`CHANNELS`, from fine to coarse; with fewer blocks, for those that
            there are and for the last block.
        """
        x = F.relu6(self.stem((pixels * 255 - 127) / 128))
        features = []
        for number, block in enumerate(self.blocks):
            x = block(x)
            if number in TAPS or number + 1 == len(self.blocks):
                features.append(x)
        return features

    def freeze(self, blocks: int) -> None:
        """Keep the weights of the stem and of so many blocks, from the first; 0 lets all of them learn."""
        for part in (self.stem, *self.blocks[:blocks]):
            part.requires_grad_(blocks == 0)

    def load_published(self, weights: Mapping[str, Tensor]) -> None:
        """Take the weights of a published checkpoint of the ``efficientnet-pytorch`` layout.

        Raises:
            KeyError: one is missing.
            ValueError: one has another shape; the text names it.
        """
        state = self.state_dict()
        for ours, theirs, norm in _names():
            shape, expected = weights[f"{theirs}.weight"].shape, state[f"{ours}.weight"].shape
            if shape != expected:
                raise ValueError(f"{theirs}: expected {tuple(expected)}, got {tuple(shape)}")
            state[f"{ours}.weight"], state[f"{ours}.bias"] = folded(weights, theirs, norm)
        self.load_state_dict(state)


def folded(weights: Mapping[str, Tensor], convolution: str, norm: str) -> tuple[Tensor, Tensor]:
    """Return the kernel (O, I, h, w) and bias (O,) of a published convolution with its batch normalisation.

    Args:
        weights: of the published checkpoint.
        convolution, norm: names there.

    Raises:
        KeyError: one is missing.
    """
    scale = weights[f"{norm}.weight"] / (weights[f"{norm}.running_var"] + NORM_EPSILON).sqrt()
    kernel = weights[f"{convolution}.weight"] * scale[:, None, None, None]
    return kernel, weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale


def _names() -> Iterator[tuple[str, str, str]]:
    """Yield the name of each convolution here and in published weights, and of its normalisation there."""
    yield "stem", "_conv_stem", "_bn0"
    number = 0
    for stage in STAGES:
        for _ in range(stage.blocks):
            here, there = f"blocks.{number}", f"_blocks.{number}"
            if stage.expansion > 1:
                yield f"{here}.expand", f"{there}._expand_conv", f"{there}._bn0"
            yield f"{here}.depthwise", f"{there}._depthwise_conv", f"{there}._bn1"
            yield f"{here}.project", f"{there}._project_conv", f"{there}._bn2"
            number += 1
