"""The second look: each object that the detector found, cut out of the photo and enlarged.

A region network (Ren et al., "Faster R-CNN", 2015) that corrects what was seen at the first look, as cascades
do (Cai and Vasconcelos, "Cascade R-CNN", 2018): whether there is an object, its 2D box, and the numbers and
the front of its 3D box. It is told what was seen at first and how the camera looks at the place. Where the
object shows is predicted pixel by pixel beside it, as Mask R-CNN does (He et al., 2017): what bounds a mask
bounds the 2D box. Where objects touch or hide one another, one look shows two of them, and the network says
both (Chu et al., "Detection in Crowded Scenes: One Proposal, Multiple Predictions", 2020).

Places in pictures are from their middle, x and y (down) in units of the longer side.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from na_core.backbone import CHANNELS, EfficientNetLite
from na_core.detection.found import NUMBERS
from na_core.detection.network import MIRRORED_FRONT, PARTS
from na_core.tensors.perspective import perspective_at

CUT_SIDE = 128
"""Side in pixels of the pictures of single objects."""

DEPTH, FEATURES = 13, 112 + 192
"""Blocks of the backbone, and channels of its features at 1/16 and 1/32 of the size."""

CELLS = CUT_SIDE // 16
"""Along a side of the features that corrections are made from."""

OBJECTS = 2
"""That one look shows at most."""

OUTLINE_SIDE = CUT_SIDE // 4
"""Of what is predicted pixel by pixel."""

OUTLINE_WIDTHS = 48, 24
"""Channels of the features that it is predicted from, at 1/8 and 1/4 of the size."""

ROOM = 1.5
"""Side of what is cut out, over the longer side of the 2D box."""

LEAST_SIDE = 0.04
"""Of what is cut out, in units of the photo's longer side."""

TOLD = 20
"""Numbers that the network is told of each object; see :func:`told_of`."""

CORRECTIONS = {"rectangle": 4, "numbers": sum(NUMBERS.values()), "front": PARTS["front"], "logit": 1}
"""What the network says of each object, in this order."""

LEAST_SCORE = 1e-3


@dataclass(frozen=True)
class Sightings:
    """What is seen of objects of photos, of any number of dimensions.

    Attributes:
        rectangles: (..., 4) 2D boxes.
        numbers: (..., 8), see :data:`na_core.detection.found.NUMBERS`.
        front: (..., 8) logits of directions.
        logits: (...) of there being an object.
    """

    rectangles: Tensor
    numbers: Tensor
    front: Tensor
    logits: Tensor

    def __getitem__(self, rows: Tensor) -> "Sightings":
        """Return some of them."""
        return Sightings(**{of.name: getattr(self, of.name)[rows] for of in fields(self)})

    def to(self, device: torch.device) -> "Sightings":
        """Return them on a device."""
        return Sightings(**{of.name: getattr(self, of.name).to(device) for of in fields(self)})


class Outline(nn.Module):
    """Predicts where each object shows, fine from coarse.

    Args:
        width: channels of the coarse features, at 1/16 of the size.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        coarse, fine = OUTLINE_WIDTHS
        self.coarse = nn.Conv2d(width + CHANNELS[2], coarse, 3, padding=1)
        self.fine = nn.Conv2d(coarse + CHANNELS[1], fine, 3, padding=1)
        self.norms = nn.ModuleList(nn.GroupNorm(channels // 8, channels) for channels in OUTLINE_WIDTHS)
        self.last = nn.Conv2d(fine, OBJECTS, 1)

    def forward(self, x: Tensor, features: Sequence[Tensor]) -> Tensor:
        """Return logits (K, 2, 32, 32) from coarse features (K, width, 8, 8) and the backbone's, 1/8, 1/4."""
        for finer, layer, norm in zip(features, (self.coarse, self.fine), self.norms, strict=True):
            x = torch.cat([F.interpolate(x, finer.shape[2:], mode="nearest"), finer], dim=1)
            x = F.silu(norm(layer(x)))
        return self.last(x)


class BoxRefiner(ModelMixin, ConfigMixin):
    """Looks at single objects and corrects what was said of them.

    Args:
        width: channels of the features that corrections are made from, a multiple of 8.
        hidden: numbers between them and the corrections.
        dropout: share of those features that is left out at random in training.
    """

    @register_to_config
    def __init__(self, width: int = 128, hidden: int = 256, dropout: float = 0.3) -> None:
        super().__init__()
        self.backbone = EfficientNetLite(DEPTH)
        self.near = nn.Conv2d(FEATURES + 2, width, 3, padding=1)
        self.told = nn.Linear(TOLD, width)
        self.down = nn.Conv2d(width, width, 3, 2, padding=1)
        self.norms = nn.ModuleList(nn.GroupNorm(width // 8, width) for _ in range(2))
        self.outline = Outline(width)
        self.extent = nn.Linear(2 * OBJECTS * OUTLINE_SIDE, hidden, bias=False)
        self.joined = nn.Linear(width * (CELLS // 2) ** 2 + TOLD, hidden)
        self.left_out = nn.Dropout(dropout)
        self.last = nn.Linear(hidden, OBJECTS * sum(CORRECTIONS.values()))
        self.last.weight = nn.Parameter(0.1 * self.last.weight.detach())
        self.last.bias = nn.Parameter(torch.zeros_like(self.last.bias))
        self.to(memory_format=torch.channels_last)

    def forward(self, cuts: Tensor, told: Tensor) -> tuple[Tensor, Tensor]:
        """Return corrections (K, 2, 21), see :data:`CORRECTIONS`, and logits (K, 2, 32, 32) of what shows.

        Args:
            cuts: (K, 3, 128, 128) sRGB in [0, 1].
            told: (K, 20), see :func:`told_of`.
        """
        told = told.to(self.dtype)
        features = self.backbone(cuts.to(self.dtype).contiguous(memory_format=torch.channels_last))
        fine, coarse = features[-2:]
        place = (torch.arange(CELLS, device=told.device) + 0.5) / CELLS * 2 - 1
        across, down = (place.abs() <= told[:, :2, None]).to(told.dtype).unbind(1)
        shape = -1, CELLS, CELLS
        box = torch.stack([across[:, None].expand(shape), down[:, :, None].expand(shape)], dim=1)
        x = torch.cat([fine, F.interpolate(coarse, fine.shape[2:], mode="nearest"), box], dim=1)
        x = F.silu(self.norms[0](self.near(x)) + self.told(told)[:, :, None, None])
        outline = self.outline(x, (features[2], features[1]))
        shown = outline.sigmoid()
        extent = self.extent(torch.cat([shown.amax(dim=2), shown.amax(dim=3)], dim=1).flatten(1))
        x = F.silu(self.norms[1](self.down(x)))
        x = F.silu(self.joined(self.left_out(torch.cat([x.flatten(1), told], dim=1))) + extent)
        return self.last(x).float().unflatten(1, (OBJECTS, -1)), outline.float()


def windows(rectangles: Tensor) -> Tensor:
    """Return the squares (K, 3) that are cut out for 2D boxes (K, 4): x and y of the middle, and side."""
    low, high = rectangles.split(2, dim=1)
    side = ROOM * (high - low).amax(dim=1, keepdim=True)
    return torch.cat([(low + high) / 2, side.clamp_min(LEAST_SIDE)], dim=1)


def cut_out(pictures: Sequence[Tensor], squares: Tensor) -> Tensor:
    """Return what squares (K, 3) show of pictures (C, H, W) in [0, 1], one each: (K, C, 128, 128).

    What is beyond a picture's edge is black.
    """
    place = (torch.arange(CUT_SIDE, device=squares.device) + 0.5) / CUT_SIDE - 0.5
    cuts = []
    for picture, (x, y, side) in zip(pictures, squares, strict=True):
        size = torch.tensor(picture.shape[:0:-1], device=squares.device)
        across, down = (2 * max(picture.shape[1:]) / size)[:, None] * (
            torch.stack([x, y])[:, None] + place * side
        )
        grid = torch.stack(torch.meshgrid(across, down, indexing="xy"), dim=-1)[None].float()
        cuts.append(F.grid_sample(picture[None], grid, align_corners=False))
    return torch.cat(cuts) if cuts else squares.new_zeros((0, 3, CUT_SIDE, CUT_SIDE)).float()


def told_of(sightings: Sightings, cameras: Tensor, given: Tensor, squares: Tensor) -> Tensor:
    """Return what the network is told (K, 20) of objects, all of it about as large as 1.

    That is how their 2D boxes and their centres are in the squares (K, 3) that are cut out of the photos, the
    numbers of their 3D boxes, how sure they are, how the camera looks at them, how sure that is, and whether
    someone gave their 2D boxes.

    Args:
        sightings: at the first look.
        cameras: (K, 5), focal length, pitch, roll, and the doubts of the first two; see
            :class:`na_core.detection.perspective.Look`.
        given: (K,) 0 or 1.
        squares: see :func:`windows`.
    """
    middle, side = squares[:, :2], squares[:, 2:]
    low, high = sightings.rectangles.split(2, dim=1)
    at = (low + high) / 2
    centre, height, footprint, stretch, quarter = sightings.numbers.split([*NUMBERS.values()], dim=1)
    focal, pitch, roll = cameras[:, :3].unbind(1)
    up = torch.stack([roll.sin() * pitch.cos(), roll.cos() * pitch.cos(), pitch.sin()])
    tilt, latitude = perspective_at(at.T, focal, up)
    focal_doubt, pitch_doubt = cameras[:, 3:].clamp(max=0.5).unbind(1)
    size = side.log()
    columns = [
        (high - low) / side,
        4 * (at - middle) / side,
        4 * (centre - middle) / side,
        height - size,
        footprint - size,
        3 * stretch,
        quarter,
        size + 1.5,
        (sightings.logits * (1 - given) / 3)[:, None],
        torch.stack([3 * tilt, 2 * latitude, focal.log(), given], dim=1),
        torch.stack([4 * focal_doubt, 20 * pitch_doubt], dim=1),
    ]
    return torch.cat(columns, dim=1).float()


def corrected(sightings: Sightings, corrections: Tensor, squares: Tensor) -> Sightings:
    """Return sightings (K, N) at the second look: the first (K) with corrections (K, N, 21).

    Those are relative to squares (K, 3). The front, and whether there is an object, are said anew.
    """
    rectangle, numbers, front, logit = corrections.split([*CORRECTIONS.values()], dim=-1)
    side = squares[:, None, 2:]
    scale = torch.cat([side.expand(-1, -1, 2) / 4, torch.ones_like(numbers[:, :1, 2:])], dim=2)
    scale[..., 4:6] /= 3
    return Sightings(
        sightings.rectangles[:, None] + rectangle * side / 4,
        sightings.numbers[:, None] + numbers * scale,
        front,
        logit[..., 0],
    )


def mirrored(sightings: Sightings) -> Sightings:
    """Return what is seen in the same photos mirrored left to right."""
    left, top, right, bottom = sightings.rectangles.unbind(-1)
    signs = torch.tensor([-1, 1, 1, 1, 1, -1, 1, -1], device=left.device)
    return Sightings(
        torch.stack([-right, top, -left, bottom], dim=-1),
        sightings.numbers * signs,
        sightings.front[..., MIRRORED_FRONT],
        sightings.logits,
    )


def each_iou(some: Tensor, others: Tensor) -> Tensor:
    """Return the IoU (...) of each of some 2D boxes (..., 4) with the other in its place."""
    low = torch.maximum(some[..., :2], others[..., :2])
    high = torch.minimum(some[..., 2:], others[..., 2:])
    both = (high - low).clamp_min(0).prod(dim=-1)
    areas = ((of[..., 2:] - of[..., :2]).clamp_min(0).prod(dim=-1) for of in (some, others))
    return both / (sum(areas) - both).clamp_min(1e-9)


@torch.no_grad()
def look_again(
    refiner: BoxRefiner, picture: Tensor, first: Sightings, camera: Sequence[float], given: bool
) -> Sightings:
    """Return objects (K, 2) of a photo at the second look, the average of the photo's and its mirror image's.

    The first of each two is the one that was seen at the first look, where someone gave its 2D box; which of
    two that no one gave comes first is chance.

    Args:
        refiner: the network.
        picture: (3, H, W) sRGB in [0, 1].
        first: the same objects at the first look.
        camera: see :func:`told_of`.
        given: whether someone gave the 2D boxes, which are kept then.
    """
    first = first.to(picture.device)
    squares = windows(first.rectangles)
    cameras = torch.tensor(camera).to(squares).expand(len(squares), -1)
    known = squares.new_full((len(squares),), float(given))
    mirror = squares.new_tensor([-1, 1, 1])
    ways = (
        (first, cameras, squares),
        (mirrored(first), cameras * cameras.new_tensor([1, 1, -1, 1, 1]), squares * mirror),
    )
    cuts = cut_out([picture] * len(squares), squares)
    told = torch.cat([told_of(seen, looks, known, places) for seen, looks, places in ways])
    said = refiner(torch.cat([cuts, cuts.flip(3)]), told)[0].to(squares).chunk(2)
    one, other = (corrected(way[0], each, way[2]) for way, each in zip(ways, said, strict=True))
    other = mirrored(other)
    if not given:
        crossed = each_iou(one.rectangles, exchanged(other).rectangles).sum(dim=1)
        exchange = crossed > each_iou(one.rectangles, other.rectangles).sum(dim=1)
        other = chosen(exchange, exchanged(other), other)
    both = Sightings(*((getattr(one, of.name) + getattr(other, of.name)) / 2 for of in fields(Sightings)))
    kept = first.rectangles[:, None].expand_as(both.rectangles)
    return replace(both, rectangles=kept) if given else both


def exchanged(sightings: Sightings) -> Sightings:
    """Return (K, N) sightings with each N the other way round."""
    return Sightings(*(getattr(sightings, of.name).flip(1) for of in fields(Sightings)))


def chosen(rows: Tensor, some: Sightings, others: Sightings) -> Sightings:
    """Return some sightings where rows (K,) say so, and others elsewhere."""

    def where(one: Tensor, other: Tensor) -> Tensor:
        return torch.where(rows.view(-1, *[1] * (one.dim() - 1)), one, other)

    return Sightings(*(where(getattr(some, of.name), getattr(others, of.name)) for of in fields(Sightings)))
