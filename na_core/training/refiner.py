"""The task that trains the network of the second look, on what a trained detector sees at the first."""

from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from na_core.data.scenes import Scene
from na_core.detection.embedded import WEIGHTS
from na_core.detection.found import NUMBERS
from na_core.detection.refiner import (
    CUT_SIDE,
    OUTLINE_SIDE,
    BoxRefiner,
    Sightings,
    chosen,
    corrected,
    cut_out,
    each_iou,
    exchanged,
    mirrored,
    told_of,
    windows,
)
from na_core.training.covering import CutOut, covered
from na_core.training.initial import load_part
from na_core.training.photo_augmentation import degraded, recoloured
from na_core.training.proposals import Proposals, load_proposals, proposals_of, save_proposals
from na_core.training.randomness import DrawKey, generator, seed_torch
from na_core.training.run import Run
from na_core.training.scene_shards import load_images
from na_core.training.shown import load_shown
from na_core.training.tables import RefinerConfig
from na_core.training.task import ParameterGroup, TrainingTask, save_half

SCALES = {
    "rectangle": 0.1,
    "centre": 0.06,
    "height": 0.25,
    "footprint": 0.25,
    "stretch": 0.2,
    "quarter": 0.7,
}
"""Error of each number that costs about as much as the others'; of places, in units of what is cut out."""

OVERLAP_WEIGHT, OUTLINE_WEIGHT, FRONT_WEIGHT, OBJECT_WEIGHT = 2.0, 3.0, 2.0, 1.0

WRONG_IOU, RIGHT_IOU = 0.35, 0.65
"""IoU of corrected 2D boxes with the object's, up to which they are not of it, and from which they are."""

GAIN = 0.25
"""Largest by which a colour channel is made brighter or darker."""

TINY = {"width": 8, "hidden": 16}


@dataclass(frozen=True)
class Cuts:
    """Objects that are looked at again.

    Attributes:
        pictures: (P, 128, 128, 3) uint8 sRGB, what is cut out.
        shown: (P, 2, 32, 32) share of each pixel that shows the objects.
        squares: (P, 3), see :func:`na_core.detection.refiner.windows`.
        of: what they show.
    """

    pictures: Tensor
    shown: Tensor
    squares: Tensor
    of: Proposals


class RefinerObjective(nn.Module):
    """The loss of the network of the second look."""

    def __init__(self, network: BoxRefiner) -> None:
        super().__init__()
        self.network = network

    def forward(self, cuts: Cuts) -> Tensor:
        """Return the loss of objects that are looked at again."""
        of, squares = cuts.of, cuts.squares
        pictures = cuts.pictures.permute(0, 3, 1, 2).float() / 255
        corrections, outlines = self.network(pictures, told_of(of.first, of.cameras, of.given, squares))
        parts = losses(corrections, outlines, cuts)
        return torch.stack(list(parts.values())).sum()


def losses(corrections: Tensor, outlines: Tensor, cuts: Cuts) -> dict[str, Tensor]:
    """Return the parts of the loss, by name; their sum is made small.

    What was found is as surely an object as its corrected 2D box is the object's. Where two objects are
    looked at, which of them the network says first is its own choice: the one that costs less.

    Args:
        corrections: (P, 2, 21), see :data:`na_core.detection.refiner.CORRECTIONS`.
        outlines: (P, 2, 32, 32) logits.
        cuts: what was looked at.
    """
    of = cuts.of
    weights = _weights(of)
    again = corrected(of.first, corrections, cuts.squares)
    plain, crossed = _costs(again, outlines, cuts), _costs(exchanged(again), outlines.flip(1), cuts)
    more = torch.stack([(crossed[name] - plain[name]) * weight for name, weight in weights.items()])
    two = (of.given == 0) & (of.boxed[:, 1] == 1)
    exchange = (two & (more.sum(dim=(0, 2)) < 0))[:, None]
    parts = {name: torch.where(exchange, crossed[name], plain[name]) for name in plain}
    return {name: _mean(part, weights[name]) for name, part in parts.items()}


def _weights(of: Proposals) -> dict[str, Tensor]:
    """Return how much each part of the loss counts, (P, 2) by its name."""
    free = (1 - of.given)[:, None] * of.boxed
    counts = dict.fromkeys((*SCALES, "outline"), of.boxed)
    counts |= {"rectangle": free, "overlap": free, "quarter": of.turns * of.boxed}
    return counts | {"front": of.faces * of.boxed, "object": of.counted}


def _costs(again: Sightings, outlines: Tensor, cuts: Cuts) -> dict[str, Tensor]:
    """Return the parts of the loss of each object, (P, 2) by name."""
    truth, side = cuts.of.truth, cuts.squares[:, None, 2:]
    numbers = dict(zip(NUMBERS, (again.numbers - truth.numbers).split([*NUMBERS.values()], -1), strict=True))
    off = {"rectangle": (again.rectangles - truth.rectangles) / side} | numbers
    off["centre"] = off["centre"] / side
    costs = {
        name: F.smooth_l1_loss(off[name] / scale, torch.zeros_like(off[name]), reduction="none").mean(dim=-1)
        for name, scale in SCALES.items()
    }
    iou = each_iou(again.rectangles, truth.rectangles)
    costs["overlap"] = OVERLAP_WEIGHT * (1 - iou)
    missed = F.binary_cross_entropy_with_logits(outlines, cuts.shown, reduction="none").mean(dim=(2, 3))
    costs["outline"] = OUTLINE_WEIGHT * missed
    unlike = F.kl_div(again.front.log_softmax(dim=-1), truth.front, reduction="none").sum(dim=-1)
    costs["front"] = FRONT_WEIGHT * unlike
    right = ((iou.detach() - WRONG_IOU) / (RIGHT_IOU - WRONG_IOU)).clamp(0, 1) * cuts.of.boxed
    wrong = F.binary_cross_entropy_with_logits(again.logits, right, reduction="none")
    return costs | {"object": OBJECT_WEIGHT * wrong}


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp_min(1.0)


class RefinerTask(TrainingTask[RefinerConfig]):
    """Trains the network of the second look; its backbone begins as the detector's.

    Raises:
        ConfigError: the detector's or the initial folder holds none.
    """

    name = "refiner"

    def __init__(self, run: Run, settings: RefinerConfig) -> None:
        key = f"{run.file}: refiner"
        place = WEIGHTS if settings.detector is None else settings.detector
        self._detector = load_part("detector", str(place), f"{key}: 'detector'").eval()
        if settings.initial is None:
            seed_torch(DrawKey(run.config.seed, 0))
            sizes = TINY if settings.size == "tiny" else {}
            network = BoxRefiner(**sizes)
            network.backbone.load_state_dict(self._detector.backbone.state_dict(), strict=False)
        else:
            network = load_part("refiner", str(settings.initial), f"{key}: 'initial'")
        backbone = network.backbone
        backbone.freeze(settings.frozen_blocks)
        heads = nn.ModuleList(part for name, part in network.named_children() if name != "backbone")
        groups = [ParameterGroup("heads", heads), ParameterGroup("backbone", backbone)]
        super().__init__(run, settings, RefinerObjective(network), groups)

    @property
    def network(self) -> BoxRefiner:
        """The network."""
        return self.objective.network  # type: ignore[return-value]

    def prepare(self, begins: bool) -> None:
        """Look at all pictures with the detector and the initial network, or read what they saw then."""
        accelerator = self.run.accelerator  # each process has its own scenes
        name = f"looks_{accelerator.process_index + 1}_of_{accelerator.num_processes}.safetensors"
        seen = self.run.config.output / self.name / name
        if seen.is_file():
            self._masks = load_images(self.run.scenes, Scene.mask, torch.uint8, "masks")
        else:
            detector = self._detector.to(self.run.device).requires_grad_(False)
            initial = None
            if self.settings.initial is not None:
                initial = deepcopy(self.network).eval().to(self.run.device).requires_grad_(False)
            tell = self.settings.tell_focal, self.settings.tell_camera
            random = np.random.default_rng(self.run.config.seed)
            shown = load_shown(self.run)
            save_proposals(proposals_of(shown, detector, initial, tell, random), seen)
            self._masks = shown.masks
        self._proposals = load_proposals(seen)

    def draw(self, key: DrawKey) -> Cuts:
        """Return objects; see :func:`draw_cuts`."""
        count = self.run.share(self.settings)
        return draw_cuts(
            self.run.pictures, self._masks, self._proposals, count, self.settings, key, self.run.device
        )

    def export(self, folder: Path) -> None:
        """Save the network in float16."""
        save_half(self.network, folder)


def draw_cuts(
    pictures: Tensor,
    masks: Tensor,
    proposals: Proposals,
    count: int,
    settings: RefinerConfig,
    key: DrawKey,
    device: torch.device,
) -> Cuts:
    """Draw objects, cut out of their photos not quite as they were seen, with others in front, mirrored,
    recoloured and worse.

    Args:
        pictures: (M, H, W, 3) uint8.
        masks: (M, H, W) uint8, 0 the background, n object n - 1.
        proposals: at least one.
        count: how many.
        settings: probabilities.
        key: decides what is drawn.
        device: of the result.
    """
    random = generator(key)
    of = proposals[torch.from_numpy(random.integers(len(proposals.rows), size=count))]
    wrong = settings.wrong_rectangle * torch.from_numpy(random.standard_normal((count, 4))).float()
    extent = (of.first.rectangles[:, 2:] - of.first.rectangles[:, :2]).repeat(1, 2)
    rectangles = of.first.rectangles + wrong * extent * of.given[:, None]
    of = replace(of, first=replace(of.first, rectangles=rectangles))
    squares = windows(rectangles)
    shift = torch.from_numpy(2 * random.random((count, 2)) - 1).float() * settings.shift
    larger = torch.from_numpy(settings.resize ** (2 * random.random((count, 1)) - 1)).float()
    squares = torch.cat([squares[:, :2] + shift * squares[:, 2:], squares[:, 2:] * larger], dim=1)
    seen = [pictures[row].to(device).permute(2, 0, 1).float() / 255 for row in of.rows]
    objects = [
        (masks[row] == slots[:, None, None] + 1).to(device).float()
        for row, slots in zip(of.rows, of.slots, strict=True)
    ]
    places = squares.to(device)
    shown = cut_out(objects, places) * of.boxed.to(device)[..., None, None]
    cuts = CutOut(cut_out(seen, places), shown, of.truth.rectangles)
    hidden = torch.from_numpy(random.random(count) < settings.cover) & (of.given == 0)
    cuts, hidden = covered(cuts, squares, hidden, random)
    counted = of.counted * torch.stack([torch.ones(count), 1 - hidden.cpu().float()], dim=1)
    of = replace(of, counted=counted, truth=replace(of.truth, rectangles=cuts.rectangles.cpu()))
    outlines = F.avg_pool2d(cuts.shown, CUT_SIDE // OUTLINE_SIDE)
    flip = torch.from_numpy(random.random(count) < settings.mirror)
    of, squares = _turned(of, squares, flip)
    turned = flip.to(device)[:, None, None, None]
    outlines = torch.where(turned, outlines.flip(3), outlines)
    pixels = torch.where(turned, cuts.pictures.flip(3), cuts.pictures)
    made = (255 * pixels).round().to(torch.uint8).permute(0, 2, 3, 1)
    made = degraded(recoloured(made, random, settings.recolour, GAIN), random, settings.degrade)
    return Cuts(made, outlines, squares.to(device), of.to(device))


def _turned(of: Proposals, squares: Tensor, rows: Tensor) -> tuple[Proposals, Tensor]:
    """Return what is seen, with the rows (P,) that say so mirrored left to right."""
    first, truth = (chosen(rows, mirrored(each), each) for each in (of.first, of.truth))
    turn = rows[:, None]
    cameras = torch.where(turn, of.cameras * torch.tensor([1, 1, -1, 1, 1]), of.cameras)
    places = torch.where(turn, squares * torch.tensor([-1, 1, 1]), squares)
    return replace(of, first=first, truth=truth, cameras=cameras), places
