"""What a detector should have predicted of labelled photos, as a :class:`Prediction` says it, and the loss.

Yaw never jumps: a quarter turn with width and depth exchanged is the same footprint, so what is learnt is the
stretch (which turns twice as fast as the box), four times the yaw, and the front apart.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from na_core.detection.network import CELL, LEAST_DOUBT, PARTS, Prediction, cell_centres
from na_core.tensors.cameras import Cameras, camera_from_world, project_local
from na_core.tensors.perspective import perspective_at

SPREAD = 0.14
"""Standard deviation of an object's weight over its 2D box's sides."""

LEAST = 0.05
"""Weight from which a cell predicts its object."""

MIN_OBJECT_PIXELS = 24
"""Pixels of an object that can be found, of a picture's 65,536."""

MIN_VISIBLE_SHARE = 0.2
"""Share of an object's silhouette that shows, from which it is to be found; below it is no one's mistake."""


@dataclass(frozen=True)
class LabelledPhotos:
    """B photos with up to N objects that stand upright on the ground z = 0.

    Attributes:
        pictures: (B, H, W, 3) uint8 sRGB.
        camera: (B,) with square pixels and the principal point in the middle.
        boxes: (B, N, 4, 4) float64 ``world_from_box``.
        visible: (B, N) share of the silhouette that shows; 0 where there is none.
        owner: (B, H, W) int64, the object that each pixel shows, -1 for none.
        symmetry: (B, N) int64, turns after which its shape looks the same; 0 any.
        told_focal: (B,) focal lengths in units of the longer side, that the detector is told; else 0.
    """

    pictures: Tensor
    camera: Cameras
    boxes: Tensor
    visible: Tensor
    owner: Tensor
    symmetry: Tensor
    told_focal: Tensor


@dataclass(frozen=True)
class Targets:
    """What cells should predict.

    Attributes:
        heat: (B, h, w) in [0, 1], 1 at objects' centres.
        counts: (B, h, w), 0 where it does not matter what heat is.
        cell: (P,) int64, cells that predict an object, by number in (B, h, w).
        weight: (P,) that sum up to 1 for each object.
        values: by the name of a :class:`Prediction`'s field, (P, C).
        turns, faces: (P,) 0 or 1: whether the yaw modulo a quarter turn, and the front, can be told.
        tilt, latitude: (B, 1, h, w) radians.
        camera: (B, 3).
    """

    heat: Tensor
    counts: Tensor
    cell: Tensor
    weight: Tensor
    values: dict[str, Tensor]
    turns: Tensor
    faces: Tensor
    tilt: Tensor
    latitude: Tensor
    camera: Tensor


def camera_numbers(camera: Cameras, width: int, height: int) -> Tensor:
    """Return (B, 3) float32, what a :class:`Prediction` says of cameras."""
    focal = focal_lengths(camera, width, height)
    up = camera.world_from_camera[..., 2, :3]
    horizon = focal * up[..., 2] / torch.hypot(up[..., 0], up[..., 1]).clamp_min(1e-3)
    return torch.stack([focal.log(), horizon, torch.atan2(up[..., 0], up[..., 1])], dim=-1).float()


def perspective_fields(
    camera: Cameras, size: tuple[int, int], cells: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Return the tilt and the latitude (B, 1, h, w) float32 in radians of cells in pictures of a size.

    See :func:`na_core.tensors.perspective.perspective_at`.
    """
    places = cell_centres(size, cells, camera.intrinsics.device).double()
    places = places - torch.tensor(size, device=places.device)[:, None, None] / 2 / max(size)
    up = camera.world_from_camera[:, 2, :3].T[..., None, None]
    tilt, latitude = perspective_at(places, focal_lengths(camera, *size)[:, None, None], up)
    return tilt[:, None].float(), latitude[:, None].float()


def focal_lengths(camera: Cameras, width: int, height: int) -> Tensor:
    """Return the focal lengths (B,) of cameras in units of the picture's longer side."""
    return camera.intrinsics[..., 0] * width / max(width, height)


def object_numbers(camera: Cameras, boxes: Tensor, width: int, height: int) -> dict[str, Tensor]:
    """Return what a :class:`Prediction` says of boxes (B, N, 4, 4), each (B, N, C) float32.

    ``centre`` is where the centre is seen, in units of the longer side.
    """
    at = boxes[..., :3, 3]
    inverse = camera_from_world(camera)
    local = (inverse[:, None, :3, :3] @ at[..., None])[..., 0] + inverse[:, None, :3, 3]
    x, y, depth = project_local(camera, local).unbind(-1)
    side = max(width, height)
    eye = camera.world_from_camera[:, None, :3, 3]
    focal = focal_lengths(camera, width, height)[:, None]
    apparent = (focal / depth.clamp_min(1e-3))[..., None] * boxes[..., :3, :3].norm(dim=-2)
    wide, deep, high = apparent.clamp_min(1e-6).log().unbind(-1)
    away = at - eye
    yaw = torch.atan2(-boxes[..., 0, 1], boxes[..., 1, 1])  # of the back: a mirrored box has another left
    yaw = yaw - torch.atan2(away[..., 1], away[..., 0]) + math.pi / 2
    stretch = (wide - deep) / 2

    def turned(times: int) -> Tensor:
        return torch.stack([torch.cos(times * yaw), torch.sin(times * yaw)], dim=-1)

    values = {
        "centre": torch.stack([x * width / side, y * height / side], dim=-1),
        "depth": (depth.clamp_min(1e-3) / (focal * eye[..., 2])).log()[..., None],
        "height": high[..., None],
        "footprint": ((wide + deep) / 2)[..., None],
        "stretch": stretch[..., None] * turned(2),
        "quarter": turned(4),
        "front": shares_of_directions(yaw),
    }
    return {name: value.float() for name, value in values.items()}


def shares_of_directions(yaw: Tensor) -> Tensor:
    """Return how much of yaws (...) is at 0, 45, 90, ... degrees, (..., 8); the nearest two share it."""
    number = PARTS["front"]
    apart = (yaw[..., None] * number / (2 * math.pi) - torch.arange(number, device=yaw.device)) % number
    return (1 - torch.minimum(apart, number - apart)).clamp_min(0)


def shown_bounds(owner: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return tight bounds (B, N, 4) of the pixels of N objects, half-open, and how many they are (B, N).

    Args:
        owner: (B, H, W) int64, -1 for none.
        count: N.
    """
    batch, height, width = owner.shape
    slot = torch.arange(batch, device=owner.device)[:, None, None] * (count + 1) + owner + 1

    def along(axis: int, size: int) -> tuple[Tensor, Tensor]:
        place = torch.arange(size, device=owner.device)
        place = (place if axis == 2 else place[:, None]).expand(batch, height, width)
        low, high = (
            torch.full((batch * (count + 1),), start, device=owner.device).scatter_reduce(
                0, slot.flatten(), place.flatten(), reduce
            )
            for start, reduce in ((size, "amin"), (-1, "amax"))
        )
        return low.view(batch, -1)[:, 1:], high.view(batch, -1)[:, 1:] + 1

    (x0, x1), (y0, y1) = along(2, width), along(1, height)
    number = torch.bincount(slot.flatten(), minlength=batch * (count + 1)).view(batch, -1)[:, 1:]
    return torch.stack([x0, y0, x1, y1], dim=-1).float(), number


def can_be_found(pixels: Tensor, visible: Tensor, area: int) -> Tensor:
    """Return of which objects (...) enough shows, by their pixels of a picture of that area."""
    return (pixels * 65536 >= MIN_OBJECT_PIXELS * area) & (visible >= MIN_VISIBLE_SHARE)


def targets(photos: LabelledPhotos) -> Targets:
    """Return what a detector should predict for photos."""
    height, width = photos.owner.shape[1:]
    rows, columns = -(-height // CELL), -(-width // CELL)
    side = max(width, height)
    bounds, number = shown_bounds(photos.owner, photos.boxes.shape[1])
    found = can_be_found(number, photos.visible, height * width)
    ignored = (number > 0) & ~found
    middle = (bounds[..., :2] + bounds[..., 2:]) / 2
    extent = (bounds[..., 2:] - bounds[..., :2]).clamp_min(1)
    centre = (middle / CELL).floor()  # of a cell, in cells: there the weight is 1
    spread = (SPREAD * extent / CELL).clamp_min(0.7)
    place = torch.stack(torch.meshgrid(torch.arange(columns), torch.arange(rows), indexing="xy"), dim=-1)
    place = place.to(centre.device).float()
    apart = (place - centre[:, :, None, None]) / spread[:, :, None, None]
    weight = torch.exp(-apart.square().sum(-1) / 2)  # (B, N, h, w)
    heat, which = (weight * found[..., None, None]).max(dim=1)
    counts = 1 - ((weight > LEAST) & ignored[..., None, None]).any(dim=1).float() * (heat < 1)
    cell = (heat > LEAST).flatten().nonzero()[:, 0]
    of_photo = cell // (rows * columns)
    slot = of_photo * photos.boxes.shape[1] + which.flatten()[cell]
    mine = heat.flatten()[cell]
    total = torch.zeros(found.numel(), device=cell.device).index_add(0, slot, mine)
    values = {
        name: value.flatten(0, 1)[slot]
        for name, value in object_numbers(photos.camera, photos.boxes, width, height).items()
    }
    at = cell_centres((width, height), (rows, columns), cell.device).flatten(1)[:, cell % (rows * columns)].T
    edges = bounds.flatten(0, 1)[slot] / side
    values["rectangle"] = torch.cat([at - edges[:, :2], edges[:, 2:] - at], dim=-1)
    values["centre"] = values["centre"] - at
    symmetry = photos.symmetry.flatten()[slot]
    tilt, latitude = perspective_fields(photos.camera, (width, height), (rows, columns))
    return Targets(
        heat=heat,
        counts=counts,
        cell=cell,
        weight=mine / total[slot],
        values=values,
        turns=(symmetry != 0).float(),
        faces=(symmetry == 1).float(),
        tilt=tilt,
        latitude=latitude,
        camera=camera_numbers(photos.camera, width, height),
    )


SCALES = {
    "rectangle": 0.04,
    "centre": 0.04,
    "depth": 0.1,
    "height": 0.3,
    "footprint": 0.3,
    "stretch": 0.1,
    "quarter": 0.3,
}
"""Error of each field that costs about as much as the others'."""

FRONT_WEIGHT = 1.0
"""Of the front, which is one of eight directions and no number: of two that look alike neither is between."""

CAMERA_WEIGHT, FIELD_WEIGHT = 1.0, 2.0
"""Of the camera's numbers, and of tilt and latitude; their doubts set how much an error costs."""

HEAT_WEIGHT = 2.0


def losses(prediction: Prediction, wanted: Targets) -> dict[str, Tensor]:
    """Return the parts of the loss, by name; their sum is what training makes small."""
    number = (wanted.heat == 1).sum().clamp_min(1)
    parts = {"heat": HEAT_WEIGHT * _focal(prediction.heat[:, 0], wanted.heat, wanted.counts) / number}

    def at_cells(values: Tensor) -> Tensor:
        return values.permute(0, 2, 3, 1).flatten(0, 2)[wanted.cell]

    for name, scale in SCALES.items():
        error = F.smooth_l1_loss(
            at_cells(getattr(prediction, name)) / scale, wanted.values[name] / scale, reduction="none"
        ).mean(dim=1)
        if name == "quarter":
            error = error * wanted.turns
        parts[name] = (error * wanted.weight).sum() / number
    likely = at_cells(prediction.front).log_softmax(dim=1)
    unlike = F.kl_div(likely, wanted.values["front"], reduction="none").sum(dim=1)
    parts["front"] = FRONT_WEIGHT * (unlike * wanted.faces * wanted.weight).sum() / number
    tilt, latitude = prediction.doubt.split(1, dim=1)
    parts["tilt"] = FIELD_WEIGHT * _doubted(prediction.tilt - wanted.tilt, tilt)
    parts["latitude"] = FIELD_WEIGHT * _doubted(prediction.latitude - wanted.latitude, latitude)
    parts["camera"] = CAMERA_WEIGHT * 3 * _doubted(prediction.camera - wanted.camera, prediction.camera_doubt)
    return parts


def _doubted(errors: Tensor, doubts: Tensor) -> Tensor:
    """Return how unlikely errors are, by logarithms of those to be expected (Laplace's distribution)."""
    return (errors.abs() * (-doubts).exp() + doubts - LEAST_DOUBT).mean()


def _focal(logits: Tensor, heat: Tensor, counts: Tensor) -> Tensor:
    """Return the penalty-reduced focal loss of a heat map (Law and Deng, "CornerNet", 2018, equation 1)."""
    probability = logits.sigmoid().clamp(1e-5, 1 - 1e-5)
    centre = heat == 1
    missed = -((1 - probability) ** 2) * probability.log()
    wrong = -((1 - heat) ** 4) * probability**2 * (1 - probability).log()
    return (torch.where(centre, missed, wrong) * counts).sum()
