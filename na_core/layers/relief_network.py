"""The relief network: which object each pixel of a photo shows, and where a ray through its box meets it.

The artist's boxes say nearly everything: an object is in its box, and at most two boxes matter at a pixel.
The network only has to find its outline in there, how far a ray goes through the box before it meets it, and
where the ray leaves it for the last time, on the side that the photo does not show. It is convolutional, but
knows objects of the size that it was trained on: photos are shown to it at one working size.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from diffusers import UNet2DModel
from torch import Tensor

from na_core.raster.boxmap import Hits, box_map, eyes, through_box
from na_core.raster.pixels import BoxTable, length
from na_core.raster.rectangles import limits, within
from na_core.tensors.views import SourceViews

CELL = 2
"""Side in pixels of the squares that the network computes on."""

INPUTS = 3 + 2 * 6
"""Colour; of the nearest and the second box: hit, in its 2D box, local coordinates, way through it."""

OUTPUTS = 3 + 2 + 2
"""Logits of nothing, nearest and second box; for each of the two, of the share of the way through at which
the object is met; and of the share of the rest at which it is left."""

SMOOTHING = 5
"""Pixels over which outlines and depths are averaged: noise in them is fine detail that no object has."""


@dataclass(frozen=True)
class BoxLayers:
    """The boxes along each pixel's ray, the nearest and the second.

    Attributes:
        index: (B, 2, H, W) int64, -1 for none.
        enter, leave: (B, 2, H, W) float32, depths in metres where the ray enters and leaves; 0 for none.
        allowed: (B, 2, H, W) bool, whether the pixel lies in the 2D box of the box's object.
    """

    index: Tensor
    enter: Tensor
    leave: Tensor
    allowed: Tensor


@dataclass(frozen=True)
class Estimate:
    """What a network makes of B photos.

    Attributes:
        index: (B, 2, H, W) int64, the boxes along each pixel's ray, -1 for none.
        probability: (B, 3, H, W), that it shows nothing, the nearest and the second box's object.
        near, far: (B, 2, H, W), depths in metres where the ray meets and leaves each box's object.
    """

    index: Tensor
    probability: Tensor
    near: Tensor
    far: Tensor


def build_relief_network(channels: tuple[int, ...]) -> UNet2DModel:
    """Return a relief network with random weights, of so many channels per resolution."""
    return UNet2DModel(
        in_channels=INPUTS * CELL**2,
        out_channels=OUTPUTS * CELL**2,
        block_out_channels=channels,
        down_block_types=("DownBlock2D",) * len(channels),
        up_block_types=("UpBlock2D",) * len(channels),
        layers_per_block=1,
        add_attention=False,
        norm_num_groups=min(8, channels[0] // 2),
    )


@torch.no_grad()
def estimate(network: UNet2DModel, views: SourceViews) -> Estimate:
    """Estimate outlines and depths of photos, at their own size."""
    inputs, layers = relief_inputs(views)
    output = F.avg_pool2d(run_network(network, inputs), SMOOTHING, 1, SMOOTHING // 2, count_include_pad=False)
    met, left = shares(output)
    way = layers.leave - layers.enter
    probability = owner_logits(output, layers).softmax(dim=1)
    return Estimate(layers.index, probability, layers.enter + met * way, layers.enter + left * way)


def relief_inputs(views: SourceViews) -> tuple[Tensor, BoxLayers]:
    """Return what the network sees of photos, (B, :data:`INPUTS`, H, W) float32, and their box layers."""
    layers, local = box_layers(views)
    colours = views.pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
    planes = [colours]
    for layer in range(2):
        enter, leave = layers.enter[:, layer, None], layers.leave[:, layer, None]
        hit = (layers.index[:, layer, None] >= 0).float()
        way = (leave - enter) / leave.clamp_min(1e-6)
        planes += [hit, layers.allowed[:, layer, None].float(), local[:, layer], way]
    return torch.cat(planes, dim=1), layers


def box_layers(views: SourceViews) -> tuple[BoxLayers, Tensor]:
    """Return the boxes along the rays of photos' pixels, and their local hits (B, 2, 3, H, W), 0 for none."""
    height, width = views.pictures.shape[1:3]
    boxes = box_map(views.camera, views.boxes, views.filled, width, height)
    bounds = limits(views.rectangles, views.known, width, height)
    planes = torch.stack([_planes(views, hits, bounds) for hits in boxes.hits], dim=1)
    index = boxes.index.transpose(0, 1).long()
    return BoxLayers(index, planes[:, :, 3], planes[:, :, 4], planes[:, :, 5] > 0), planes[:, :, :3]


def _planes(views: SourceViews, hits: Hits, bounds: Tensor) -> Tensor:
    """Return (B, 6, H, W): local hits, depths where rays enter and leave, and whether in the 2D box."""
    pixels, row, box = hits.pixels, hits.pixels.row, hits.box
    eye = eyes(views.camera, views.boxes, hits)
    start, end, from_inside = through_box(eye, hits)
    whole = length(hits.local - eye).clamp_min(1e-9)
    further = length(end - start) / whole  # beyond the hit, in units of the way to it
    enter = torch.where(from_inside, 0.0, hits.depth)
    leave = torch.where(from_inside, hits.depth, hits.depth * (1 + further))
    allowed = within(BoxTable(bounds, row, box), *pixels.centre).float()
    planes = torch.zeros((6, *pixels.shape), device=hits.depth.device)
    for plane, value in zip(planes, [*hits.local, enter, leave, allowed], strict=True):
        pixels.put(value.masked_fill(box < 0, 0), plane)
    return planes.transpose(0, 1)


def run_network(network: UNet2DModel, inputs: Tensor) -> Tensor:
    """Run a relief network on inputs (B, :data:`INPUTS`, H, W) of any size: (B, :data:`OUTPUTS`, H, W)."""
    height, width = inputs.shape[-2:]
    multiple = CELL * 2 ** (len(network.config.block_out_channels) - 1)
    padding = (0, -width % multiple, 0, -height % multiple)
    padded = F.pad(inputs, padding, mode="replicate") if any(padding) else inputs
    cells = F.pixel_unshuffle(padded, CELL).to(network.dtype)
    cells = cells.contiguous(memory_format=torch.channels_last)
    out = F.pixel_shuffle(network(cells, 0).sample.float(), CELL)
    return out[..., :height, :width]


def owner_logits(output: Tensor, layers: BoxLayers) -> Tensor:
    """Return the logits (B, 3, H, W) of nothing, nearest and second box; of a box that is not there, -inf."""
    absent = F.pad((layers.index < 0).transpose(0, 1), (0, 0, 0, 0, 0, 0, 1, 0)).transpose(0, 1)
    return output[:, :3].masked_fill(absent, -torch.inf)


def shares(output: Tensor) -> tuple[Tensor, Tensor]:
    """Return at which shares of the way through each box its object is met and left, both (B, 2, H, W)."""
    met, rest = output[:, 3:].sigmoid().chunk(2, dim=1)
    return met, met + (1 - met) * rest
