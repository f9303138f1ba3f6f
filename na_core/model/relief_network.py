"""The relief network: which object each pixel of a photo shows, and where a ray through its box meets it.

The artist's boxes say nearly everything: an object is in its box, and at most two boxes matter at a pixel.
The network only has to find its outline in there, how far a ray goes through the box before it meets it, and
where the ray leaves it for the last time, on the side that the photo does not show. It is convolutional:
pictures of every size will do.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from diffusers import UNet2DModel
from numpy.typing import NDArray
from torch import Tensor

from na_core.geometry.photo_views import PhotoView
from na_core.geometry.relief import Relief
from na_core.model.batched.boxmap import Hits, box_map, camera_in_box, through_box
from na_core.model.batched.cameras import Cameras
from na_core.model.batched.pixels import length, lookup
from na_core.model.batched.rectangles import limits, within
from na_core.model.batched.reliefs import Reliefs, pack
from na_core.model.outlines import snap_outlines

CELL = 2
"""Side in pixels of the squares that the network computes on."""

INPUTS = 3 + 2 * 6
"""Colour; of the nearest and the second box: hit, in its 2D box, local coordinates, way through it."""

OUTPUTS = 3 + 2 + 2
"""Logits of nothing, nearest and second box; for each of the two, of the share of the way through at which
the object is met; and of the share of the rest at which it is left."""


CERTAIN = 0.97
"""Probability of no object from which a pixel counts as showing none for certain."""


SMOOTHING = 5
"""Pixels over which outlines and depths are averaged: noise in them is fine detail that no object has."""


@dataclass(frozen=True)
class Views:
    """B photos, each of which shows up to K boxes.

    Attributes:
        pictures: (B, H, W, 3) uint8 sRGB.
        camera: (B,) that took them.
        boxes: (B, K, 4, 4) float64 ``world_from_box``.
        rectangles: (B, K, 4) float64, the objects' 2D boxes.
        known: (B, K) bool, which of the rectangles are known.
        filled: (B, K) bool, slots that hold a box.
    """

    pictures: Tensor
    camera: Cameras
    boxes: Tensor
    rectangles: Tensor
    known: Tensor
    filled: Tensor

    def to(self, device: torch.device | str) -> Views:
        """Return the views on a device."""
        return Views(**{f.name: getattr(self, f.name).to(device) for f in dataclasses.fields(self)})


@dataclass(frozen=True)
class Layers:
    """The boxes along each pixel's ray, the nearest and the second.

    Attributes:
        index: (B, 2, H, W) int64, -1 for none.
        enter, leave: (B, 2, H, W) float32, depths in metres where the ray enters and leaves; 0 for none.
    """

    index: Tensor
    enter: Tensor
    leave: Tensor


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


def relief_inputs(views: Views) -> tuple[Tensor, Layers]:
    """Return what the network sees of photos, (B, :data:`INPUTS`, H, W) float32, and their layers."""
    height, width = views.pictures.shape[1:3]
    boxes = box_map(views.camera, views.boxes, views.filled, width, height)
    colours = views.pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
    planes = [colours]
    enters, leaves = [], []
    bounds = limits(views.rectangles, views.known, width, height)
    for hits in (boxes.nearest, boxes.second):
        local, inside, enter, leave = _layer(views, hits, bounds)
        hit = enter[:, None] + leave[:, None] > 0
        way = (leave - enter) / leave.clamp_min(1e-6)
        planes += [hit.float(), inside[:, None], local, way[:, None]]
        enters.append(enter)
        leaves.append(leave)
    index = torch.stack([boxes.index, boxes.second_index], dim=1).long()
    return torch.cat(planes, dim=1), Layers(index, torch.stack(enters, dim=1), torch.stack(leaves, dim=1))


def _layer(views: Views, hits: Hits, bounds: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return local hits (B, 3, H, W), in 2D boxes (B, H, W), and depths where rays enter and leave."""
    pixels, row, box = hits.pixels, hits.pixels.row, hits.box
    missed = box < 0
    each = views.camera[:, None]
    origin = lookup(camera_in_box(each, views.boxes)[0].float(), row, box)
    start, end, from_inside = through_box(origin, hits)
    whole = length(hits.local - torch.stack([origin(axis) for axis in range(3)])).clamp_min(1e-9)
    further = length(end - start) / whole  # beyond the hit, in units of the way to it
    enter = torch.where(from_inside, 0.0, hits.depth)
    leave = torch.where(from_inside, hits.depth, hits.depth * (1 + further))
    inside = within(lookup(bounds, row, box), *pixels.centre).float()
    values = [*hits.local, inside, enter, leave]
    planes = torch.zeros((6, *pixels.shape), device=hits.depth.device)
    for plane, value in zip(planes, values, strict=True):
        pixels.put(value.masked_fill(missed, 0), plane)
    return planes[:3].transpose(0, 1), planes[3], planes[4], planes[5]


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


def owner_logits(output: Tensor, layers: Layers) -> Tensor:
    """Return the logits (B, 3, H, W) of nothing, nearest and second box; of a box that is not there, -inf."""
    absent = F.pad((layers.index < 0).transpose(0, 1), (0, 0, 0, 0, 0, 0, 1, 0)).transpose(0, 1)
    return output[:, :3].masked_fill(absent, -torch.inf)


def shares(output: Tensor) -> tuple[Tensor, Tensor]:
    """Return at which shares of the way through each box its object is met and left, both (B, 2, H, W)."""
    met, rest = output[:, 3:].sigmoid().chunk(2, dim=1)
    return met, met + (1 - met) * rest


@torch.no_grad()
def find_reliefs(network: UNet2DModel, views: Views) -> Reliefs:
    """Find the reliefs of photos."""
    inputs, layers = relief_inputs(views)
    output = F.avg_pool2d(run_network(network, inputs), SMOOTHING, 1, SMOOTHING // 2, count_include_pad=False)
    logits = owner_logits(output, layers)
    none, nearest, second = logits.unbind(1)
    probability = logits.softmax(dim=1)
    likeliest = (second > nearest).long()[:, None]  # argmax over so short an axis is slow
    index = layers.index.gather(1, likeliest)[:, 0]
    nothing = none >= torch.maximum(nearest, second)
    cover = torch.where(nothing & (probability[:, 0] >= CERTAIN), -1, index)
    owner = _on_edges(views.pictures, probability, layers, torch.where(nothing, -1, index))
    cover = torch.where(owner < 0, cover, owner)
    owner = without_doubtful_holes(owner, cover)
    likeliest = (layers.index[:, 1] == owner).long()[:, None]
    enter, leave = (of.gather(1, likeliest)[:, 0] for of in (layers.enter, layers.leave))
    met, left = (enter + of.gather(1, likeliest)[:, 0] * (leave - enter) for of in shares(output))
    return pack(owner, met, left, cover)


def _on_edges(pictures: Tensor, probability: Tensor, layers: Layers, owner: Tensor) -> Tensor:
    """Return which object each pixel shows (B, H, W), with outlines on the photos' edges."""
    number = torch.arange(int(layers.index.max()) + 1, device=owner.device)[None, :, None, None]
    nearest, second = (
        probability[:, layer + 1, None] * (layers.index[:, layer, None] == number) for layer in range(2)
    )
    of_each = nearest + second
    each = zip(*(of.cpu().numpy() for of in (pictures, of_each, owner)), strict=True)
    return torch.from_numpy(np.stack([snap_outlines(*photo) for photo in each])).to(owner.device)


def without_doubtful_holes(owner: Tensor, cover: Tensor) -> Tensor:
    """Give an object the pixels that it encloses and may cover: coffee belongs to its cup.

    A hole that surely shows no object stays one.

    Args:
        owner: (B, H, W), the object that each pixel shows, -1 for none.
        cover: (B, H, W), the object that it may show.
    """
    filled = owner.cpu().numpy().copy()
    may = cover.cpu().numpy()
    for picture, doubtful in zip(filled, may, strict=True):
        for number in np.unique(doubtful[(picture < 0) & (doubtful >= 0)]):
            shows = picture == number
            x, y, width, height = cv2.boundingRect(shows.astype(np.uint8))
            window = slice(y, y + height), slice(x, x + width)  # what it encloses is in there
            around = np.pad(~shows[window], 1, constant_values=True).astype(np.uint8)
            _, regions = cv2.connectedComponents(around, connectivity=4)
            enclosed = (regions != regions[0, 0])[1:-1, 1:-1] & ~shows[window]
            picture[window][enclosed & (picture[window] < 0) & (doubtful[window] == number)] = number
    return torch.from_numpy(filled).to(owner.device)


def find_relief(network: UNet2DModel, picture: NDArray[np.float32], view: PhotoView) -> Relief:
    """Find the relief of one photo (H, W, 3) in [0, 1], as a frame speaks of it."""
    known = [rectangle is not None for rectangle in view.rectangles]
    boxes = np.array([box.world_from_box for box in view.boxes]).reshape(-1, 4, 4)
    camera = view.camera
    height, width = picture.shape[:2]
    if not len(boxes):
        nothing = np.full((height, width), -1, np.int32)
        nowhere = np.full((height, width), np.inf, np.float32)
        return Relief(nothing, nowhere, nowhere, nothing)
    views = Views(
        pictures=torch.from_numpy(np.rint(picture * 255).astype(np.uint8))[None],
        camera=Cameras(
            torch.from_numpy(camera.world_from_camera[None].copy()),
            torch.tensor([(camera.fx, camera.fy, camera.cx, camera.cy)], dtype=torch.float64),
        ),
        boxes=torch.from_numpy(boxes)[None],
        rectangles=torch.tensor([r or (0, 0, 1, 1) for r in view.rectangles], dtype=torch.float64)[None],
        known=torch.tensor([known]),
        filled=torch.ones((1, len(boxes)), dtype=torch.bool),
    ).to(network.device)
    found = find_reliefs(network, views).to("cpu")
    owner, cover = found.owner[0].numpy(), found.cover[0].numpy().astype(np.int32)
    depth, far = (np.where(owner < 0, np.float32(np.inf), of[0].numpy()) for of in (found.depth, found.far))
    return Relief(owner, depth, far, cover)
