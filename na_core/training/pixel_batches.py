"""Batches of parts of composed pairs, for decoders of pixels."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from na_core.data.pairs import kind_chances
from na_core.model.box_channels import BOX_CHANNELS
from na_core.model.latents import PATCH, to_latents
from na_core.model.pixel_decoder import CELL_CHANNELS
from na_core.model.poses import frame_poses
from na_core.tensors.boxes import bounds_2d
from na_core.tensors.cameras import Cameras
from na_core.tensors.frames import FrameBatch
from na_core.training.composed_pairs import KINDS, TURNS, ComposedPairs
from na_core.training.pair_batches import TrainingBatch
from na_core.training.randomness import DrawKey, generator
from na_core.training.tables import DecoderConfig

AIMED = 0.5
"""Share of parts that are cut around an object."""


class PixelBatches:
    """Draws parts of pairs.

    Args:
        pairs: composed ones.
        settings: of the decoder.
        count: parts that the process draws at once.
        device: that trains.
    """

    def __init__(
        self, pairs: ComposedPairs, settings: DecoderConfig, count: int, device: torch.device
    ) -> None:
        self._pairs, self._settings, self._count, self._device = pairs, settings, count, device

    def batch(self, key: DrawKey) -> TrainingBatch:
        """Return a process's part of a step's batch: a pure function of its key."""
        random, settings = generator(key), self._settings
        drawn = []
        for scene in random.integers(len(self._pairs), size=self._count).tolist():
            kinds = self._pairs.kinds[scene].numpy()
            there = [bool((kinds == number).any()) for number in range(len(KINDS))]
            chances = kind_chances(there, settings.edit_share, settings.crossed_share)
            kind = random.choice(len(KINDS), p=chances)
            drawn.append((scene, int(random.choice(np.flatnonzero(kinds == kind)))))
        turned = random.random(self._count) < settings.recolour
        turns = (turned * random.integers(1, TURNS, size=self._count)).tolist()
        batch = self._cut(drawn, turns, random, settings.crop)
        chosen = torch.from_numpy(random.random(self._count) < settings.mirror).to(self._device)
        return mirrored(batch, chosen)

    def batch_of(self, drawn: Sequence[tuple[int, int]]) -> TrainingBatch:
        """Return the batch of given pairs, by their scenes and numbers, whole."""
        return self._cut(drawn, [0] * len(drawn), np.random.default_rng(0), 0)

    def _cut(
        self, drawn: Sequence[tuple[int, int]], turns: Sequence[int], random: np.random.Generator, side: int
    ) -> TrainingBatch:
        """Return squares of pairs, of a side in pixels; 0 for the whole pictures.

        Their colour channels are turned so often: a world in other colours is as good as any other.
        """
        pairs, device = self._pairs, self._device
        frames = pairs.frames(drawn)
        height, width = pairs.read(drawn[0][0], "matters", drawn[0][1]).shape
        corners, size = [(0, 0)] * len(drawn), (height, width)
        if side:
            corners, size = part_corners(frames, width, height, side, random), (side, side)
            frames = frames.seen_by(part_cameras(frames.camera, corners, side, width, height))
        frames = frames.to(device)
        targets: list[Tensor] = []
        proxies: list[Tensor] = []
        maps: list[Tensor] = []
        matters: list[Tensor] = []
        shown: list[Tensor] = []
        behind: list[Tensor] = []
        order = torch.zeros_like(frames.photo)
        for row, ((scene, pair), (x, y), turn) in enumerate(zip(drawn, corners, turns, strict=True)):
            window = slice(y, y + size[0]), slice(x, x + size[1])
            cells = tuple(slice(part.start // PATCH, part.stop // PATCH) for part in window)
            number = int(pairs.read(scene, "target", pair))
            targets.append(pairs.read(scene, "pictures", number, *window).movedim(-1, 0).roll(turn, 0))
            proxies.append(pairs.read(scene, "proxy", pair, slice(None), *window).roll(turn, 0))
            channels, shadow = pairs.read(scene, "maps", pair, slice(None), *cells).tensor_split([-3])
            maps.append(torch.cat([channels, shadow.roll(turn, 0)]))
            matters.append(pairs.read(scene, "matters", pair, *window))
            colours = slice(turn, turn + 1)
            behind.append(pairs.read(scene, "features", int(pairs.read(scene, "behind", pair)), colours)[0])
            for view, feature in enumerate(pairs.read(scene, "shown", pair).tolist()):
                if feature >= 0:
                    order[row, view] = len(shown)
                    shown.append(pairs.read(scene, "features", feature, colours)[0])
        poses, background_poses = frame_poses(frames, guided=True)
        return TrainingBatch(
            target=_patches(targets, device),
            proxy=_patches(proxies, device),
            maps=torch.stack(maps).to(device).float(),
            object_pictures=torch.stack(shown).to(device).float(),
            views=order[frames.rows, frames.asset_view],
            background_pictures=torch.stack(behind).to(device).float(),
            rectangles=frames.source_rectangles.float(),
            poses=poses,
            background_poses=background_poses,
            filled=frames.present,
            matters=torch.stack(matters).to(device),
            encoded=True,
        )


def mirrored(batch: TrainingBatch, chosen: Tensor) -> TrainingBatch:
    """Mirror pairs left to right: a mirrored world is as good as any other.

    Boxes keep their labels, so that their local coordinates are left-handed then, in source and target alike.
    Features are mirrored in place of the pictures that they are of.

    Args:
        batch: of B pairs, whose pictures are given as features.
        chosen: (B,) bool, which of them.
    """

    def flipped(values: Tensor, axis: int, rows: Tensor = chosen) -> Tensor:
        return torch.where(rows.view(-1, *[1] * (values.ndim - 1)), values.flip(axis), values)

    def patches(values: Tensor) -> Tensor:
        return F.pixel_unshuffle(flipped(F.pixel_shuffle(values, PATCH), 3), PATCH)

    boxes, pixels, shadow = batch.maps.split([BOX_CHANNELS, CELL_CHANNELS - 3, 3], dim=1)
    points = batch.poses.unflatten(-1, (-1, 4, 3))  # of the source, if it is told, and of the target
    there = points.abs().amax(dim=(-1, -2), keepdim=True) > 0
    across = torch.where(there, 1 - points[..., :1], points[..., :1])
    poses = torch.cat([across, points[..., 1:]], dim=-1).flatten(-3)
    signs = batch.background_poses.new_tensor([1, -1, -1, -1, 1, 1, -1, 1, 1, -1, 1, 1])
    x0, y0, x1, y1 = batch.rectangles.unbind(-1)
    known = ((x1 > x0) & (y1 > y0))[..., None]
    rectangles = torch.where(known, torch.stack([1 - x1, y0, 1 - x0, y1], dim=-1), batch.rectangles)
    views = torch.zeros(len(batch.object_pictures), dtype=torch.bool, device=chosen.device)
    views[batch.views[chosen].unique()] = True
    assert batch.matters is not None
    row = chosen[:, None, None]
    return replace(
        batch,
        target=patches(batch.target),
        proxy=patches(batch.proxy),
        maps=torch.cat([flipped(boxes, 3), patches(pixels), flipped(shadow, 3)], dim=1),
        object_pictures=flipped(batch.object_pictures, 2, views),
        background_pictures=flipped(batch.background_pictures, 2),
        rectangles=torch.where(row, rectangles, batch.rectangles),
        poses=torch.where(row, poses, batch.poses),
        background_poses=torch.where(chosen[:, None], batch.background_poses * signs, batch.background_poses),
        matters=flipped(batch.matters, 2),
    )


def part_corners(
    frames: FrameBatch, width: int, height: int, side: int, random: np.random.Generator
) -> list[tuple[int, int]]:
    """Draw where squares of a side are cut out of frames, in whole patches; some around an object.

    Returns:
        The upper left corners, x and y in pixels.
    """
    bounds = bounds_2d(frames.camera, frames.boxes).numpy()
    shown = frames.present.numpy() & (bounds[..., 2] > bounds[..., 0])
    largest = np.array([width - side, height - side])
    corners = []
    for row in range(len(frames)):
        aimed, pick, *at = random.random(4)
        corner = np.array(at) * largest
        objects = bounds[row, shown[row]]
        if aimed < AIMED and len(objects):
            x0, y0, x1, y1 = objects[int(pick * len(objects))]
            centre = np.array([x0 + x1, y0 + y1]) / 2 * (width, height)
            corner = centre - side / 2 + (np.array(at) - 0.5) * side
        x, y = np.minimum((corner.clip(0, largest) / PATCH).round() * PATCH, largest // PATCH * PATCH)
        corners.append((int(x), int(y)))
    return corners


def part_cameras(
    cameras: Cameras, corners: Sequence[tuple[int, int]], side: int, width: int, height: int
) -> Cameras:
    """Return cameras (B,) that see squares of a side, by their upper left corners, of what cameras see."""
    fx, fy, cx, cy = cameras.intrinsics.unbind(-1)
    left, top = torch.tensor(corners, dtype=torch.float64).unbind(-1)
    intrinsics = [
        fx * width / side,
        fy * height / side,
        (cx * width - left) / side,
        (cy * height - top) / side,
    ]
    return Cameras(cameras.world_from_camera, torch.stack(intrinsics, dim=-1))


def _patches(pictures: Sequence[Tensor], device: torch.device) -> Tensor:
    """Return the patches (B, 192, h, w) of pictures (3, H, W) uint8, in [-1, 1]."""
    return to_latents(None, torch.stack(list(pictures)).to(device).float() / 127.5 - 1)
