"""The verb: photos and their boxes to layers, once per photo."""

from collections.abc import Hashable
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from diffusers import UNet2DModel
from torch import Tensor

from na_core.layers.layers import Layers, hard_layers
from na_core.layers.matting import SOLID, mattes
from na_core.layers.outlines import outlines
from na_core.layers.plate import plates
from na_core.layers.relief_network import Estimate, box_layers, estimate
from na_core.layers.remnants import with_remnants
from na_core.layers.resample import resampled_depth
from na_core.raster.backdrop import backdrops
from na_core.raster.ground import image_from_ground_below
from na_core.raster.surfaces import pack
from na_core.tensors.views import SourceViews


@dataclass(frozen=True)
class TakingApart:
    """How photos are taken apart.

    Attributes:
        network: that finds outlines and depths in the boxes, on the views' device; without it every object
            fills its box as far as its 2D box allows.
        working_size: longer side in pixels at which the network sees photos.
        texture: what plates have to guess gets the photo's texture; else it is smooth.
        soft: outlines that the network finds get an alpha from the photo's own pixels, and colours without
            what is behind; else each pixel shows one thing. Objects that fill their boxes stay hard.
    """

    network: UNet2DModel | None = None
    working_size: int = 256
    texture: bool = False
    soft: bool = True

    @property
    def key(self) -> Hashable:
        """What tells ways apart: a network that is converted in place is another way."""
        return self, None if self.network is None else self.network.dtype


FILLED_BOXES = TakingApart()
"""Without a network: every object fills its box."""


def take_apart(views: SourceViews, how: TakingApart = FILLED_BOXES) -> Layers:
    """Take M photos apart into layers: outlines and surfaces of their objects, and plates."""
    # 1. Whose pixel it is, and where its ray meets and leaves the object.
    soft = how.soft and how.network is not None
    if how.network is None:
        owner, cover, near, far = _filled_boxes(views)
    else:
        owner, cover, near, far, alpha, foreground = _found(how.network, views, how.working_size, soft)
    surfaces = pack(owner, near, far)

    # 2. The photo without what can leave it.
    hidden = views.hidden & views.filled
    ground = image_from_ground_below(views.camera, backdrops(views.camera, views.boxes, hidden).ground)
    plate, real = plates(views.pictures, cover, hidden, how.texture, ground=ground)
    layers = hard_layers(views.pictures, surfaces, cover, plate, real, views.filled.shape[1])
    return replace(layers, alpha=alpha, foreground=foreground, soft=True) if soft else layers


def working_pictures(pictures: Tensor, working_size: int) -> Tensor:
    """Return photos (M, H, W, 3) uint8 whose longer side is the working size, by area."""
    height, width = pictures.shape[1:3]
    scale = working_size / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if size == (width, height):
        return pictures
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    resized = [cv2.resize(picture, size, interpolation=how) for picture in pictures.cpu().numpy()]
    return torch.from_numpy(np.stack(resized)).to(pictures.device)


def _found(network: UNet2DModel, views: SourceViews, working_size: int, soft: bool) -> tuple[Tensor, ...]:
    """Return owners, covers, near and far depths, alpha (M, H, W) and foreground as a network finds them.

    Of what covers less than half of a pixel there is a thin sheet: what is seen of it from the side is the
    rest of the object.
    """
    small = replace(views, pictures=working_pictures(views.pictures, working_size))
    found = estimate(network, small)
    chances = _chances(found, views.filled.shape[1]).cpu().numpy()
    index, near, far = (values.cpu().numpy() for values in (found.index, found.near, found.far))
    parts = []
    for number, picture in enumerate(views.pictures.cpu().numpy()):
        owner, cover = outlines(picture, chances[number])
        alpha, foreground = np.where(owner < 0, 0, 255).astype(np.uint8), picture
        if soft:
            matte = mattes(picture, chances[number], owner)
            owner, alpha, foreground = matte.owner, matte.alpha, matte.foreground
            cover = np.where(owner < 0, cover, owner)
        cover = with_remnants(picture, cover)
        met, left = (resampled_depth(values[number], index[number], owner) for values in (near, far))
        parts.append((owner, cover, met, np.where(alpha < SOLID, met, left), alpha, foreground))
    return tuple(
        torch.from_numpy(np.stack(part)).to(views.pictures.device) for part in zip(*parts, strict=True)
    )


def _chances(found: Estimate, objects: int) -> Tensor:
    """Return the probabilities (B, K, H, W) that a pixel shows each object."""
    number = torch.arange(objects, device=found.index.device)[None, :, None, None]
    nearest, second = (
        found.probability[:, layer + 1, None] * (found.index[:, layer, None] == number) for layer in range(2)
    )
    return nearest + second


def _filled_boxes(views: SourceViews) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return owners, covers, near and far depths (M, H, W) of objects that fill their boxes.

    A pixel shows the nearest box in whose object's 2D box it lies; of more than two behind each other, the
    third counts for nothing.
    """
    layers, _ = box_layers(views)
    shows = (layers.index >= 0) & layers.allowed
    first = (~shows[:, :1]).long()
    owner = torch.where(shows.any(dim=1), layers.index.gather(1, first)[:, 0], -1)
    enter, leave = (values.gather(1, first)[:, 0] for values in (layers.enter, layers.leave))
    # A camera in a box sees the inside of its far faces.
    return owner, owner, torch.where(enter > 0, enter, leave), leave
