"""The task that trains the network of the second look, on what a trained detector sees at the first."""

from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from na_core.detection.embedded import WEIGHTS
from na_core.detection.found import NUMBERS
from na_core.detection.refiner import BoxRefiner, Sightings, corrected, cut_out, mirrored, told_of, windows
from na_core.training.config import RefinerConfig
from na_core.training.initial import load_part
from na_core.training.photo_augmentation import degraded, recoloured
from na_core.training.proposals import Proposals, load_proposals, proposals_of, save_proposals
from na_core.training.randomness import DrawKey, generator, seed_torch
from na_core.training.run import Run
from na_core.training.shown import load_shown
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

FRONT_WEIGHT, OBJECT_WEIGHT = 2.0, 1.0

GAIN = 0.25
"""Largest by which a colour channel is made brighter or darker."""

TINY = {"width": 8, "hidden": 16}


@dataclass(frozen=True)
class Cuts:
    """Objects that are looked at again.

    Attributes:
        pictures: (P, 128, 128, 3) uint8 sRGB, what is cut out.
        squares: (P, 3), see :func:`na_core.detection.refiner.windows`.
        of: what they show.
    """

    pictures: Tensor
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
        corrections = self.network(pictures, told_of(of.first, of.cameras, of.given, squares))
        parts = losses(corrections, cuts)
        return torch.stack(list(parts.values())).sum()


def losses(corrections: Tensor, cuts: Cuts) -> dict[str, Tensor]:
    """Return the parts of the loss of corrections (P, 21) by name; their sum is made small."""
    of = cuts.of
    again, truth, side = corrected(of.first, corrections, cuts.squares), of.truth, cuts.squares[:, 2:]
    numbers = dict(zip(NUMBERS, (again.numbers - truth.numbers).split([*NUMBERS.values()], 1), strict=True))
    off = {"rectangle": (again.rectangles - truth.rectangles) / side} | numbers
    off["centre"] = off["centre"] / side
    parts = {}
    for name, scale in SCALES.items():
        error = F.smooth_l1_loss(off[name] / scale, torch.zeros_like(off[name]), reduction="none").mean(dim=1)
        weight = {"quarter": of.turns, "rectangle": 1 - of.given}.get(name, 1.0) * of.boxed
        parts[name] = _mean(error, weight)
    unlike = F.kl_div(again.front.log_softmax(dim=1), truth.front, reduction="none").sum(dim=1)
    parts["front"] = FRONT_WEIGHT * _mean(unlike, of.faces * of.boxed)
    wrong = F.binary_cross_entropy_with_logits(again.logits, truth.logits, reduction="none")
    parts["object"] = OBJECT_WEIGHT * _mean(wrong, of.counted)
    return parts


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
        """Look at all pictures with the detector, or read what it saw when the run began."""
        accelerator = self.run.accelerator  # each process has its own scenes
        name = f"first_looks_{accelerator.process_index + 1}_of_{accelerator.num_processes}.safetensors"
        seen = self.run.config.output / self.name / name
        if not seen.is_file():
            detector = self._detector.to(self.run.device).requires_grad_(False)
            tell = self.settings.tell_focal, self.settings.tell_camera
            random = np.random.default_rng(self.run.config.seed)
            save_proposals(proposals_of(load_shown(self.run), detector, tell, random), seen)
        self._proposals = load_proposals(seen)

    def draw(self, key: DrawKey) -> Cuts:
        """Return objects; see :func:`draw_cuts`."""
        count = self.run.share(self.settings)
        return draw_cuts(self.run.pictures, self._proposals, count, self.settings, key, self.run.device)

    def export(self, folder: Path) -> None:
        """Save the network in float16."""
        save_half(self.network, folder)


def draw_cuts(
    pictures: Tensor,
    proposals: Proposals,
    count: int,
    settings: RefinerConfig,
    key: DrawKey,
    device: torch.device,
) -> Cuts:
    """Draw objects, cut out of their photos not quite as they were seen, mirrored, recoloured and worse.

    Args:
        pictures: (M, H, W, 3) uint8.
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
    cuts = cut_out(seen, squares.to(device))
    flip = torch.from_numpy(random.random(count) < settings.mirror)
    of, squares = _turned(of, squares, flip)
    cuts = torch.where(flip.to(device)[:, None, None, None], cuts.flip(3), cuts)
    made = (255 * cuts).round().to(torch.uint8).permute(0, 2, 3, 1)
    made = degraded(recoloured(made, random, settings.recolour, GAIN), random, settings.degrade)
    return Cuts(made, squares.to(device), of.to(device))


def _turned(of: Proposals, squares: Tensor, chosen: Tensor) -> tuple[Proposals, Tensor]:
    """Return what is seen, with chosen ones mirrored left to right."""

    def where(other: Tensor, one: Tensor) -> Tensor:
        return torch.where(chosen.view(-1, *[1] * (one.dim() - 1)), other, one)

    first, truth = (
        Sightings(*(where(getattr(turned, of.name), getattr(each, of.name)) for of in fields(Sightings)))
        for each, turned in ((each, mirrored(each)) for each in (of.first, of.truth))
    )
    cameras = where(of.cameras * torch.tensor([1, 1, -1, 1, 1]), of.cameras)
    return replace(of, first=first, truth=truth, cameras=cameras), where(
        squares * torch.tensor([-1, 1, 1]), squares
    )
