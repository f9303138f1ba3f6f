"""The embedded detector's network: one pass over a photo gives objects with 3D boxes, and the camera.

A centre-point detector (Zhou et al., "Objects as Points", 2019) whose boxes are learnt all over an object's
middle and not at one point (Liu et al., "Training-Time-Friendly Network", 2020), on a backbone that has seen
photographs. One photo does not show scale: everything is in units of the camera's height above the ground.
Nor does it show the focal length plainly: where that is known it is told, and objects are in terms that a
picture shows without it. The camera is said twice: as three numbers, and as what every part of the picture
says of it (Jin et al., "Perspective Fields for Single Image Camera Calibration", 2023);
:mod:`na_core.detection.perspective` makes one of both.
"""

from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from na_core.backbone import CHANNELS, STRIDE, EfficientNetLite
from na_core.residual import Residual

CELL = 4
"""Side in pixels of the cells that predictions are for."""

SIDE = 256
"""Longer side in pixels of the pictures that the network sees."""

PARTS = {
    "heat": 1,
    "rectangle": 4,
    "centre": 2,
    "depth": 1,
    "height": 1,
    "footprint": 1,
    "stretch": 2,
    "quarter": 2,
    "front": 8,
    "tilt": 1,
    "latitude": 1,
    "doubt": 2,
}
"""Channels of :class:`Prediction`'s fields of cells, in their order."""

MIRRORED_FRONT = [0, 7, 6, 5, 4, 3, 2, 1]
"""Directions of the front, in the order in which a mirrored photo shows them."""

CAMERA_NUMBERS = 3
TOLD = 4
"""Channels beside the features: position, whether the focal length is known, and its logarithm."""

PRIOR = -4.0
"""Logit of an object's centre that an untrained network starts from: most cells are none."""

FIRST_DOUBT = -2.0
"""Logarithm of an error to be expected that it starts from."""

LEAST_DOUBT, MOST_DOUBT = -3.5, 1.0
"""Limits of logarithms of errors to be expected."""


@dataclass(frozen=True)
class Prediction:
    """What is predicted for every cell of B photos, (B, C, h, w) float32, and for each photo.

    Lengths in the picture are in units of its longer side; positions are relative to the cell's centre;
    angles are in radians.

    Attributes:
        heat: (1) logit of the cell being the centre of an object's 2D box.
        rectangle: (4) how far the 2D box reaches to the left, up, to the right and down.
        centre: (2) where the 3D box's centre is seen.
        depth: (1) logarithm of its depth in camera heights, over the focal length.
        height: (1) logarithm of the box's apparent height, focal length times height over depth.
        footprint: (1) logarithm of the apparent square root of the footprint's area.
        stretch: (2) half the logarithm of width over depth, times cosine and sine of twice the yaw.
        quarter: (2) cosine and sine of four times the yaw.
        front: (8) logits of the yaw, at which the front (-Y) looks at the camera at zero, being nearest to
            0, 45, 90, ... degrees.
        tilt: (1) angle of what is upright in the world, clockwise from the picture's up.
        latitude: (1) angle of the cell's ray above the horizon.
        doubt: (2) logarithms of the errors to be expected of tilt and latitude.
        camera: (B, 3), logarithm of the focal length; how far above the middle the horizon is, along the
            camera's up; and roll.
        camera_doubt: (B, 3), logarithms of the errors to be expected of them.
    """

    heat: Tensor
    rectangle: Tensor
    centre: Tensor
    depth: Tensor
    height: Tensor
    footprint: Tensor
    stretch: Tensor
    quarter: Tensor
    front: Tensor
    tilt: Tensor
    latitude: Tensor
    doubt: Tensor
    camera: Tensor
    camera_doubt: Tensor


class Heads(nn.Module):
    """From the backbone's features to the prediction: fine from coarse, and the camera from the coarsest."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        coarsest = widths[-1]
        self.coarse = Residual(CHANNELS[-1] + TOLD, coarsest)
        self.whole = nn.Linear(2 * coarsest, coarsest)
        self.up = nn.ModuleList(
            Residual(coarser + features + TOLD, width)
            for width, coarser, features in zip(widths[:-1], widths[1:], CHANNELS[1:-1], strict=True)
        )
        self.last = nn.Conv2d(widths[0], sum(PARTS.values()), 1)
        self.view = Residual(coarsest, coarsest)
        self.camera = nn.Conv2d(coarsest, 2 * CAMERA_NUMBERS + 1, 1)
        last, camera = torch.zeros(sum(PARTS.values())), torch.zeros(2 * CAMERA_NUMBERS + 1)
        last[0], last[-2:], camera[CAMERA_NUMBERS:-1] = PRIOR, FIRST_DOUBT, FIRST_DOUBT
        for layer, bias in ((self.last, last), (self.camera, camera)):
            layer.weight = nn.Parameter(0.3 * layer.weight.detach())
            layer.bias = nn.Parameter(bias)

    def forward(self, features: list[Tensor], places: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, sum of :data:`PARTS`, h, w) and (B, 2 * :data:`CAMERA_NUMBERS`).

        Args:
            features: of the backbone, from fine to coarse.
            places: (1, 2, h, w), where cells of :data:`CELL` are.
            told: (B, 2), whether the focal length is known, and its logarithm.
        """

        def beside(x: Tensor) -> Tensor:
            at = F.interpolate(places, x.shape[2:], mode="area").to(x.dtype).expand(len(x), -1, -1, -1)
            return torch.cat([x, at, told[:, :, None, None].to(x.dtype).expand(-1, -1, *x.shape[2:])], dim=1)

        x = self.coarse(beside(features[-1]))
        x = x + self.whole(torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1))[..., None, None]
        seen = self.camera(self.view(x)).flatten(2).float()
        share = seen[:, -1:].softmax(dim=-1)
        for finer, up in zip(reversed(features[1:-1]), reversed(self.up), strict=True):
            x = up(beside(torch.cat([F.interpolate(x, finer.shape[2:], mode="nearest"), finer], dim=1)))
        return self.last(x), (seen[:, :-1] * share).sum(dim=-1)


class BoxDetector(ModelMixin, ConfigMixin):
    """Finds objects' 3D boxes and the camera in photos.

    Args:
        widths: channels of the heads at 1/4, 1/8, … of the picture's size, multiples of 8.
    """

    @register_to_config
    def __init__(self, widths: tuple[int, ...] = (64, 80, 112, 160)) -> None:
        super().__init__()
        self.backbone = EfficientNetLite()
        self.heads = Heads(tuple(widths))
        self.to(memory_format=torch.channels_last)

    def forward(self, pictures: Tensor, focal: Tensor | None = None) -> Prediction:
        """Predict for pictures (B, 3, H, W) sRGB in [0, 1], of any size.

        Focal lengths are (B,) in units of the longer side, 0 where they are not known; None if none is.
        """
        height, width = pictures.shape[-2:]
        padding = (0, -width % STRIDE, 0, -height % STRIDE)
        padded = F.pad(pictures, padding, mode="replicate") if any(padding) else pictures
        padded = padded.to(self.dtype).contiguous(memory_format=torch.channels_last)
        cells = padded.shape[-2] // CELL, padded.shape[-1] // CELL
        middle = torch.tensor([width, height], device=padded.device)[:, None, None] / 2
        places = cell_centres((width, height), cells, padded.device) - middle / max(width, height)
        lengths = padded.new_zeros(len(padded)) if focal is None else focal.to(padded.dtype)
        known = lengths > 0
        told = torch.stack([known.to(lengths.dtype), lengths.where(known, 1.0).log()], dim=1)
        out, seen = self.heads(self.backbone(padded), places[None], told)
        out = out.float()[..., : -(-height // CELL), : -(-width // CELL)]
        camera, doubt = seen.split(CAMERA_NUMBERS, dim=1)
        parts = dict(zip(PARTS, out.split([*PARTS.values()], dim=1), strict=True))
        parts["doubt"] = _limited(parts["doubt"])
        return Prediction(**parts, camera=camera, camera_doubt=_limited(doubt))


def _limited(doubts: Tensor) -> Tensor:
    """Return logarithms of errors within their limits; one that is far too sure can still learn to doubt."""
    return (LEAST_DOUBT + F.softplus(doubts - LEAST_DOUBT)).clamp_max(MOST_DOUBT)


def mirrored(prediction: Prediction) -> Prediction:
    """Return what is said of photos as what it says of the same photos mirrored left to right.

    Their width is a multiple of :data:`CELL`.
    """

    def flipped(values: Tensor, *signs: int) -> Tensor:
        signed = values * torch.tensor(signs, device=values.device, dtype=values.dtype)[:, None, None]
        return signed.flip(3)

    return Prediction(
        heat=prediction.heat.flip(3),
        rectangle=prediction.rectangle[:, [2, 1, 0, 3]].flip(3),
        centre=flipped(prediction.centre, -1, 1),
        depth=prediction.depth.flip(3),
        height=prediction.height.flip(3),
        footprint=prediction.footprint.flip(3),
        stretch=flipped(prediction.stretch, 1, -1),
        quarter=flipped(prediction.quarter, 1, -1),
        front=prediction.front[:, MIRRORED_FRONT].flip(3),
        tilt=flipped(prediction.tilt, -1),
        latitude=prediction.latitude.flip(3),
        doubt=prediction.doubt.flip(3),
        camera=prediction.camera * torch.tensor([1.0, 1.0, -1.0], device=prediction.camera.device),
        camera_doubt=prediction.camera_doubt,
    )


def both_ways(detector: BoxDetector, pictures: Tensor, focal: Tensor | None = None) -> Prediction:
    """Predict for pictures and for the same mirrored, and return the average: errors cancel out.

    See :meth:`BoxDetector.forward`; widths are multiples of :data:`CELL`.
    """
    told = None if focal is None else focal.repeat(2)
    twice = detector(torch.cat([pictures, pictures.flip(3)]), told)
    count = len(pictures)
    plain, other = (
        Prediction(**{part.name: getattr(twice, part.name)[half] for part in fields(Prediction)})
        for half in (slice(count), slice(count, None))
    )
    again = mirrored(other)
    return Prediction(
        **{
            part.name: (getattr(plain, part.name) + getattr(again, part.name)) / 2
            for part in fields(Prediction)
        }
    )


def cell_centres(size: tuple[int, int], cells: tuple[int, ...], device: torch.device | str) -> Tensor:
    """Return where cells' centres are, (2, rows, columns): x and y in units of the picture's longer side.

    Args:
        size: width and height of the picture in pixels.
        cells: rows and columns.
        device: of the result.
    """
    side = max(size)
    rows, columns = cells
    y = (torch.arange(rows, device=device) + 0.5) * CELL / side
    x = (torch.arange(columns, device=device) + 0.5) * CELL / side
    return torch.stack([x.expand(rows, -1), y[:, None].expand(-1, columns)])
