"""The boxes along each pixel's ray, nearest and second: what networks are told of an artist's boxes."""

from dataclasses import dataclass

import torch
from torch import Tensor

from na_core.raster.boxmap import Hits, box_map, eyes, through_box
from na_core.raster.pixels import BoxTable, length
from na_core.raster.rectangles import limits, within
from na_core.tensors.views import SourceViews


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

    @property
    def may_show(self) -> Tensor:
        """Whether a pixel may show the object of either box, (B, H, W) bool."""
        return ((self.index >= 0) & self.allowed).any(dim=1)


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
