"""What a trained detector sees in labelled photos, at the first look and after it, beside what there is."""

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from accelerate.utils import tqdm
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from na_core.detection.detection import areas, intersections, overlaps
from na_core.detection.embedded import FIRST_THRESHOLD, FirstLook, Known, look_at, seen_again, sightings_of
from na_core.detection.found import NUMBERS, Found
from na_core.detection.network import BoxDetector
from na_core.detection.perspective import Look
from na_core.detection.reading import found_in, found_of
from na_core.detection.refiner import BoxRefiner, Sightings
from na_core.detection.targets import (
    camera_numbers,
    can_be_found,
    object_numbers,
    shown_bounds,
)
from na_core.training.atomic_folder import disk_errors
from na_core.training.shown import Shown

LEAST_IOU = 0.25
"""IoU of 2D boxes from which a box is taught to fit the object."""

SECOND_IOU, SECOND_SHARE = 0.2, 0.6
"""IoU, or share of the object's 2D box, from which what is seen shows it as a second object."""

NESTED = ("first", "truth")
"""Fields of proposals that hold sightings."""


@dataclass(frozen=True)
class Proposals:
    """P boxes that were seen at the first look, and for each the object that it is of and one beside it.

    Attributes:
        rows: (P,) int64, the photos.
        slots: (P, 2) int64, the objects, by number in their photos.
        first: what was seen.
        cameras: (P, 5), focal length, pitch and roll as they were seen or known, and the first two's doubts.
        given: (P,) 0 or 1, whether someone gave the 2D box.
        truth: (P, 2), what there is; front holds shares of directions, logits 1.
        counted: (P, 2) 0 or 1, whether it matters if there is an object.
        boxed: (P, 2) 0 or 1, whether there is one to fit a box to.
        turns, faces: (P, 2) 0 or 1, whether its yaw modulo a quarter turn, and its front, can be told.
    """

    rows: Tensor
    slots: Tensor
    first: Sightings
    cameras: Tensor
    given: Tensor
    truth: Sightings
    counted: Tensor
    boxed: Tensor
    turns: Tensor
    faces: Tensor

    def __getitem__(self, rows: Tensor) -> "Proposals":
        """Return some of them."""
        return Proposals(**{of.name: getattr(self, of.name)[rows] for of in fields(self)})

    def to(self, device: torch.device) -> "Proposals":
        """Return them on a device."""
        return Proposals(**{of.name: getattr(self, of.name).to(device) for of in fields(self)})


def proposals_of(
    shown: Shown,
    detector: BoxDetector,
    refiner: BoxRefiner | None,
    tell: tuple[float, float],
    random: np.random.Generator,
) -> Proposals:
    """Return what a detector sees in frames, and in the true 2D boxes of what they show.

    Args:
        shown: the frames.
        detector: in evaluation mode.
        refiner: if there is one, in evaluation mode, all of that as it sees it is returned too.
        tell: the shares of frames of which they are told the focal length alone, and the whole camera.
        random: chooses those.
    """
    parts: list[Proposals] = []
    for row in tqdm(range(len(shown.masks)), desc="first looks", unit="photo"):
        photo = shown.frames.pictures[row].cpu().numpy()
        first = look_at(detector, photo, _known(shown, row, tell, random.random()))
        there = _there(shown, row)
        for given in (False, True):
            if given:
                found = found_in(first.prediction, first.size, there.rectangles[there.wanted])
            else:
                found = found_of(first.prediction, first.size, FIRST_THRESHOLD)
            look, found = first.fitted(found)
            parts.append(_proposals(there, first, look, found, given=given))
            if refiner is not None:
                found = seen_again(refiner, first, look, found, given=given)
                parts.append(_proposals(there, first, look, found, given=given))
    return _joined(parts)


@dataclass(frozen=True)
class _There:
    """What there is in a photo, N objects.

    Attributes:
        row: the photo.
        shown: (N,), whether anything of them shows.
        wanted: (N,), whether they are to be found.
        rectangles: (N, 4) in units of the photo's longer side.
        truth: (N,), what there is to see of them.
        symmetry: (N,).
    """

    row: int
    shown: NDArray[np.bool_]
    wanted: NDArray[np.bool_]
    rectangles: NDArray[np.float64]
    truth: Sightings
    symmetry: Tensor


def _proposals(there: _There, first: FirstLook, look: Look, found: Found, *, given: bool) -> Proposals:
    """Return what was found in a photo, at any look, beside what there is."""
    if given:
        own = np.flatnonzero(there.wanted)
        pairs, boxed = np.stack([own, own], axis=1), np.tile((True, False), (len(own), 1))
        counted = np.zeros_like(boxed)  # whoever gave a box is sure
    else:
        pairs, boxed, counted = pairs_of(found.rectangles, there.rectangles, there.shown, there.wanted)
    slots = torch.from_numpy(pairs)
    symmetry = there.symmetry[slots]
    camera = look.focal, look.pitch, look.roll, look.focal_doubt, look.pitch_doubt
    return Proposals(
        rows=torch.full((len(pairs),), there.row),
        slots=slots,
        first=sightings_of(found, first.size),
        cameras=torch.tensor([camera]).float().repeat(len(pairs), 1),
        given=torch.full((len(pairs),), float(given)),
        truth=there.truth[slots],
        counted=torch.from_numpy(counted).float(),
        boxed=torch.from_numpy(boxed).float(),
        turns=(symmetry != 0).float(),
        faces=(symmetry == 1).float(),
    )


def pairs_of(
    seen: NDArray[np.float64],
    true: NDArray[np.float64],
    there: NDArray[np.bool_],
    wanted: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the two objects (K, 2) that each 2D box shows, whether it does, and whether that matters.

    The first is the one that it overlaps most. The second is another that is to be found and that it
    overlaps or that is mostly within it.

    Args:
        seen: (K, 4) 2D boxes.
        true: (N, 4) the objects', N at least 1.
        there: (N,), objects of which anything shows.
        wanted: (N,), objects that are to be found.
    """
    table = overlaps(seen, true) * there
    first = table.argmax(axis=1)
    iou = table.max(axis=1)
    boxed, ignored = wanted[first] & (iou >= LEAST_IOU), ~wanted[first] & (iou > LEAST_IOU)
    within = intersections(seen, true) / areas(true).clip(1e-9)
    beside = np.where((table >= SECOND_IOU) | (within >= SECOND_SHARE), table, 0) * wanted
    np.put_along_axis(beside, first[:, None], 0, axis=1)
    second, two = beside.argmax(axis=1), boxed & (beside.max(axis=1) > 0)
    pairs = np.stack([first, second], axis=1)
    return pairs, np.stack([boxed, two], axis=1), np.stack([~ignored, ~ignored], axis=1)


def _known(shown: Shown, row: int, tell: tuple[float, float], chance: float) -> Known:
    height, width = shown.masks.shape[1:]
    log_focal, horizon, roll = camera_numbers(shown.frames.camera[row : row + 1], width, height)[0].tolist()
    focal = float(np.exp(log_focal))
    if chance < tell[1]:
        return Known(focal, float(np.arctan2(horizon, focal)), roll)
    return Known(focal) if chance < sum(tell) else Known()


def _there(shown: Shown, row: int) -> _There:
    height, width = shown.masks.shape[1:]
    visible = shown.visible[row]
    shows = shown.frames.there[row].cpu() & (visible > 0)
    mask = shown.masks[row].long() - 1
    number = shown_bounds(mask[None], len(visible))[1][0]
    truth = _truth(shown, row)
    return _There(
        row=row,
        shown=shows.numpy(),
        wanted=(can_be_found(number, visible, mask.numel()) & shows).numpy(),
        rectangles=truth.rectangles.double().numpy() + np.tile((width, height), 2) / max(width, height) / 2,
        truth=truth,
        symmetry=shown.symmetry[row],
    )


def _truth(shown: Shown, row: int) -> Sightings:
    """Return what there is to see of a frame's N objects, from its middle."""
    frames = shown.frames
    height, width = shown.masks.shape[1:]
    size = torch.tensor([width, height]) / max(width, height)
    values = object_numbers(frames.camera[row : row + 1], frames.boxes[row : row + 1], width, height)
    named = {name: value[0].cpu() for name, value in values.items()}
    rectangles = (frames.rectangles[row].cpu() - 0.5) * size.repeat(2)
    named["centre"] = named["centre"] - size / 2
    numbers = torch.cat([named[name] for name in NUMBERS], dim=1)
    return Sightings(rectangles.float(), numbers, named["front"], torch.ones(len(rectangles)))


def save_proposals(proposals: Proposals, file: Path) -> None:
    """Write proposals to a file, whole or not at all.

    Raises:
        DiskFull: the disk is full.
    """
    tensors = {of.name: getattr(proposals, of.name) for of in fields(Proposals) if of.name not in NESTED}
    for name in NESTED:
        nested = getattr(proposals, name)
        tensors |= {f"{name}.{of.name}": getattr(nested, of.name).contiguous() for of in fields(Sightings)}
    with disk_errors(file.parent):
        partial = file.with_suffix(".partial")
        save_file(tensors, partial)
        partial.replace(file)


def load_proposals(file: Path) -> Proposals:
    """Read what :func:`save_proposals` wrote."""
    tensors = load_file(file)
    first, truth = (
        Sightings(**{of.name: tensors.pop(f"{name}.{of.name}") for of in fields(Sightings)})
        for name in NESTED
    )
    return Proposals(first=first, truth=truth, **tensors)


def _joined(parts: list[Proposals]) -> Proposals:
    def sightings(each: list[Sightings]) -> Sightings:
        return Sightings(
            **{of.name: torch.cat([getattr(one, of.name) for one in each]) for of in fields(Sightings)}
        )

    tensors = [of.name for of in fields(Proposals) if of.name not in NESTED]
    return Proposals(
        first=sightings([part.first for part in parts]),
        truth=sightings([part.truth for part in parts]),
        **{name: torch.cat([getattr(part, name) for part in parts]) for name in tensors},
    )
