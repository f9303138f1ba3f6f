"""Layers of photos whose boxes are wrong, from those of the right boxes.

Use takes a photo apart by the boxes that it is given: it finds objects in wrong boxes too, so that what did
not move is the photo all the same. Training knows the layers of the right boxes alone, and puts each object
as far on the way through its wrong box as it is on the way through the right one.
"""

from dataclasses import replace

import torch
from torch import Tensor

from na_core.layers.layers import Layers
from na_core.raster.boxmap import box_from_pixel, slabs
from na_core.raster.pixels import ActivePixels
from na_core.raster.surfaces import pack
from na_core.tensors.cameras import Cameras
from na_core.tensors.frames import FrameBatch


def wrong_layers(layers: Layers, right: FrameBatch, wrong: FrameBatch) -> tuple[Layers, FrameBatch]:
    """Move the surfaces of objects into wrong boxes.

    An object has no pixels where rays miss its wrong box. Covers and plates stay those of the right boxes.

    Args:
        layers: of the photos that the frames name, by the boxes of ``right``.
        right: B frames of V views.
        wrong: the same frames; boxes of their views are others.

    Returns:
        The layers of all B * V views, and the wrong frames that name those.
    """
    layers = layers[right.photo.flatten()]
    surfaces, cameras = layers.surfaces, _flat(right.view_camera)
    pixels = ActivePixels.of(layers.owner >= 0)
    box = pixels.take(layers.owner).long()
    enter, leave = _ways(cameras, right.view_boxes.flatten(0, 1), pixels, box)
    new_enter, new_leave = _ways(cameras, wrong.view_boxes.flatten(0, 1), pixels, box)
    owner, planes = torch.full_like(layers.owner, -1), []
    pixels.put(torch.where(new_enter < new_leave, box, -1).int(), owner)
    for depth in (surfaces.near, surfaces.far):
        share = ((pixels.take(depth) - enter) / (leave - enter).clamp_min(1e-6)).clamp(0, 1)
        plane = torch.zeros_like(depth)
        pixels.put(new_enter + share * (new_leave - new_enter), plane)
        planes.append(plane)
    photo = torch.arange(len(layers), device=right.photo.device).view(right.photo.shape)
    return replace(layers, surfaces=pack(owner, *planes)), replace(wrong, photo=photo)


def _ways(cameras: Cameras, boxes: Tensor, pixels: ActivePixels, box: Tensor) -> tuple[Tensor, Tensor]:
    """Return the depths (P,) in metres at which pixels' rays enter and leave boxes (M, K, 4, 4), by slabs.

    Of a box that a ray misses, it enters after it leaves.
    """
    _, height, width = pixels.shape
    through = slabs(box_from_pixel(cameras, boxes, width, height), pixels, box)
    return through.enter.amax(dim=0).clamp_min(0), through.leave.amin(dim=0)


def _flat(cameras: Cameras) -> Cameras:
    return Cameras(cameras.world_from_camera.flatten(0, 1), cameras.intrinsics.flatten(0, 1))
