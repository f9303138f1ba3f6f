"""The photo network: what a photo and the artist's boxes in it say, taken from it in one pass.

The boxes say nearly everything: an object is in its box, and at most two boxes matter at a pixel. The network
finds whose each pixel is, how far its ray goes through the box before it meets the object and where it leaves
it for the last time, how the surface is turned, what colour is behind the objects, and what shadow they throw
outside themselves. It is convolutional, but knows objects of the size that it was trained on: photos are
shown to it at one working size.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from na_core.backbone import CHANNELS, STRIDE, EfficientNetLite
from na_core.layers.box_layers import BoxLayers, box_layers
from na_core.raster.fill import push_pull
from na_core.raster.morphology import widened
from na_core.residual import Residual
from na_core.tensors.views import SourceViews

CELL = 2
"""Side in pixels of the squares that the finest level computes on."""

PLANES = 3 + 4 + 2 * 6
"""Colour; the fill, and where it is; of the nearest and the second box: hit, in its 2D box, local
coordinates, way through it."""

SPLIT = {"owner": 3, "ways": 4, "normal": 3, "plate": 3, "shadow": 3}
"""Channels of the output: logits of nothing, nearest and second box; for each of the two, logits of the share
of the way through at which the object is met, and of the share of the rest at which it is left; the normal in
the camera's frame; what the plate adds to the fill; the shadow."""

FILL_MARGIN = 2
"""Pixels by which the part of a photo that may show objects is widened before it is filled."""

DARKEST, BRIGHTEST = -3.0, 1.0
"""Limits of the natural logarithm of a photo over its plate."""


@dataclass(frozen=True)
class Inputs:
    """What the network sees of B photos.

    Attributes:
        colours: (B, 3, H, W) sRGB in [0, 1].
        planes: (B, :data:`PLANES`, H, W).
        hole: (B, 1, H, W) float32, 1 where objects may be: where the fill replaces the photo.
        fill: (B, 3, H, W) sRGB in [0, 1], the photo whose hole is filled smoothly.
        layers: the boxes along the rays.
    """

    colours: Tensor
    planes: Tensor
    hole: Tensor
    fill: Tensor
    layers: BoxLayers


@dataclass(frozen=True)
class Output:
    """What the network says of B photos, before any of it is decided.

    Attributes:
        owner: (B, 3, H, W), logits of nothing, nearest and second box; -inf of a box that is not there.
        met, left: (B, 2, H, W), shares of the way through each box at which its object is met and left.
        normal: (B, 3, H, W) unit vectors in the camera's frame.
        plate: (B, 3, H, W) sRGB, what is behind objects; the fill elsewhere.
        shadow: (B, 3, H, W), natural logarithm of the photo over its plate, in linear light.
    """

    owner: Tensor
    met: Tensor
    left: Tensor
    normal: Tensor
    plate: Tensor
    shadow: Tensor


@dataclass(frozen=True)
class Estimate:
    """What a network makes of B photos.

    Attributes:
        index: (B, 2, H, W) int64, the boxes along each pixel's ray, -1 for none.
        probability: (B, 3, H, W), that it shows nothing, the nearest and the second box's object.
        near, far: (B, 2, H, W), depths in metres where the ray meets and leaves each box's object.
        normal, plate, shadow: see :class:`Output`.
    """

    index: Tensor
    probability: Tensor
    near: Tensor
    far: Tensor
    normal: Tensor
    plate: Tensor
    shadow: Tensor


class Heads(nn.Module):
    """From the features of the photo and the planes of its boxes to the outputs: fine to coarse, and back."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        finer, coarser = widths[:-1], widths[1:]
        self.stem = nn.Conv2d(PLANES * CELL**2, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(finer, coarser, strict=True)
        )
        self.merge = nn.ModuleList(
            Residual(width + features, width) for width, features in zip(coarser, CHANNELS[1:], strict=True)
        )
        self.whole = nn.Linear(widths[-1], widths[-1])
        self.up = nn.ModuleList(
            Residual(b + a + (CHANNELS[0] if number == 0 else 0), a)
            for number, (a, b) in enumerate(zip(finer, coarser, strict=True))
        )
        self.last = nn.Conv2d(widths[0], sum(SPLIT.values()) * CELL**2, 1)
        for parameter in self.last.parameters():
            nn.init.zeros_(parameter)

    def forward(self, features: list[Tensor], planes: Tensor) -> Tensor:
        """Return (B, sum of :data:`SPLIT`, H, W).

        Args:
            features: of the backbone, from fine to coarse.
            planes: (B, :data:`PLANES`, H, W).
        """
        x = self.stem(F.pixel_unshuffle(planes, CELL))
        levels = [torch.cat([x, features[0]], dim=1)]
        for down, merge, feature in zip(self.down, self.merge, features[1:], strict=True):
            x = merge(torch.cat([F.silu(down(x)), feature], dim=1))
            levels.append(x)
        x = x + self.whole(x.mean(dim=(2, 3)))[..., None, None]  # the light is everywhere the same
        for finer, up in zip(reversed(levels[:-1]), reversed(self.up), strict=True):
            x = up(torch.cat([F.interpolate(x, finer.shape[2:], mode="nearest"), finer], dim=1))
        return F.pixel_shuffle(self.last(x), CELL)


class PhotoNetwork(ModelMixin, ConfigMixin):
    """Backbone and heads; see the module's text.

    Args:
        widths: channels of the heads at 1/2, 1/4, … of the photo's size, multiples of 8.
        working_size: longer side in pixels at which it is shown photos.
    """

    @register_to_config
    def __init__(self, widths: tuple[int, ...] = (24, 48, 80, 128, 160), working_size: int = 256) -> None:
        super().__init__()
        self.backbone = EfficientNetLite()
        self.heads = Heads(tuple(widths))
        self.to(memory_format=torch.channels_last)

    def forward(self, inputs: Inputs) -> Output:
        """Return what the network says of photos of any size."""
        height, width = inputs.planes.shape[-2:]
        padding = (0, -width % STRIDE, 0, -height % STRIDE)

        def padded(values: Tensor) -> Tensor:
            values = F.pad(values, padding, mode="replicate") if any(padding) else values
            return values.to(self.dtype).contiguous(memory_format=torch.channels_last)

        raw = self.heads(self.backbone(padded(inputs.colours)), padded(inputs.planes))
        owner, ways, normal, plate, shadow = raw[..., :height, :width].float().split([*SPLIT.values()], dim=1)
        absent = F.pad((inputs.layers.index < 0).transpose(0, 1), (0, 0, 0, 0, 0, 0, 1, 0)).transpose(0, 1)
        met, rest = ways.sigmoid().chunk(2, dim=1)
        towards = torch.tensor([0.0, 0.0, 1.0], device=normal.device)[:, None, None]  # the camera
        return Output(
            owner.masked_fill(absent, -torch.inf),
            met,
            met + (1 - met) * rest,
            F.normalize(normal + towards, dim=1),
            inputs.fill + inputs.hole * plate,
            shadow,
        )


@torch.no_grad()
def estimate(network: PhotoNetwork, views: SourceViews) -> Estimate:
    """Estimate what photos show, at their own size."""
    inputs = network_inputs(views)
    out, layers = network(inputs), inputs.layers
    way = layers.leave - layers.enter
    return Estimate(
        layers.index,
        out.owner.softmax(dim=1),
        layers.enter + out.met * way,
        layers.enter + out.left * way,
        out.normal,
        out.plate.clamp(0, 1),
        out.shadow.clamp(DARKEST, BRIGHTEST),
    )


def network_inputs(views: SourceViews) -> Inputs:
    """Return what the network sees of photos."""
    layers, local = box_layers(views)
    colours = views.pictures.permute(0, 3, 1, 2).float() / 255
    hole = widened(layers.may_show.float(), FILL_MARGIN)[:, None]
    fill = push_pull(colours, 1 - hole)
    planes: list[Any] = [2 * colours - 1, 2 * fill - 1, hole]
    for layer in range(2):
        enter, leave = layers.enter[:, layer, None], layers.leave[:, layer, None]
        hit = (layers.index[:, layer, None] >= 0).float()
        way = (leave - enter) / leave.clamp_min(1e-6)
        planes += [hit, layers.allowed[:, layer, None].float(), local[:, layer], way]
    return Inputs(colours, torch.cat(planes, dim=1), hole, fill, layers)
