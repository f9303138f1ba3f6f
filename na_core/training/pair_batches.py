"""Batches of pairs, computed on the device that trains from one bank of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from na_core.data.pairs import DrawnPair, draw_pairs, pair_lists
from na_core.model.anchored_noise import anchored_noise, batch_addresses
from na_core.model.batched import augment
from na_core.model.batched.boxmap import BoxMap
from na_core.model.batched.conditioning import (
    Conditions,
    background_pictures,
    conditions,
    frame_poses,
    object_pictures,
)
from na_core.model.batched.frames import FrameBatch
from na_core.model.batched.labelled import pair_frames
from na_core.model.batched.reliefs import Reliefs
from na_core.model.pipeline import encode
from na_core.model.residual import VALIDITY
from na_core.training.config import DecoderConfig
from na_core.training.errors import TrainingError
from na_core.training.frame_labels import labelled_frames
from na_core.training.randomness import DrawKey, generator
from na_core.training.relief import all_reliefs
from na_core.training.run import Run
from na_core.training.vae import encode_pictures


@dataclass(frozen=True)
class TrainingBatch:
    """B pairs as tensors on the device that trains; S slots for objects, E encoder pictures.

    Attributes:
        target: (B, c, h, w) scaled latents of the targets, float32.
        proxy: (B, c, h, w) scaled latents of the proxies, float32; zero where the decoder sees none.
        maps: (B, 11, h, w) box maps, float32; of no channels where the decoder sees none.
        object_pictures: (E, 3, H, W) in [0, 1], photos with all but their objects painted grey.
        views: (B, S) which of them shows each object; any for empty slots.
        background_pictures: (B, 3, H, W) in [0, 1], photos with all objects' 2D boxes painted grey.
        rectangles: (B, S, 4) source 2D boxes. poses: (B, S, 12 or 24). background_poses: (B, 12).
        filled: (B, S) bool, slots that hold an object; the others are zero.
        noise: (B, c, h, w) float32, to diffuse with; None for noise that knows nothing of the pairs.
    """

    target: Tensor
    proxy: Tensor
    maps: Tensor
    object_pictures: Tensor
    views: Tensor
    background_pictures: Tensor
    rectangles: Tensor
    poses: Tensor
    background_poses: Tensor
    filled: Tensor
    noise: Tensor | None = None


@dataclass(frozen=True)
class PreparedPairs:
    """What the CPU does for B pairs, before the device takes over.

    Attributes:
        frames: that ask for the pairs' targets, with only the pictures that they use.
        targets: (B,) rows of the bank.
        unseen: (B, N) bool, assets that the targets do not show.
        view_rows, view_numbers: (E,) the row and the number of each view that shows an asset.
        random: of the augmentation.
    """

    frames: FrameBatch
    targets: Tensor
    unseen: Tensor
    view_rows: Tensor
    view_numbers: Tensor
    random: torch.Generator


class PairBatches:
    """Draws pairs of a run's scenes and computes what the network sees of them.

    Where the pictures lie in the CPU's memory and a GPU trains, those of the next batch are gathered while
    this one trains.

    Args:
        run: whose pipeline learns; its VAE encodes targets, once, and proxies.
        settings: of the decoder.
        count: pairs that the process draws at once.

    Raises:
        TrainingError: no scene has a pair to train on.
    """

    def __init__(self, run: Run, settings: DecoderConfig, count: int) -> None:
        pipeline, title = run.pipeline, run.title("pairs")
        scenes = tqdm(run.scenes, desc=title, unit="scene", disable=title is None)
        self._lists = [pair_lists(scene) for scene in scenes]
        if not any(map(len, self._lists)):
            raise TrainingError(
                "no scene has a pair of pictures to train on: each needs two frames of one stage"
            )
        self._first = np.cumsum([0, *(len(scene.labels.frames) for scene in run.scenes)]).tolist()
        self._pipeline, self._settings, self._augmentation = pipeline, settings, run.config.augmentation
        self._count = count
        precision = run.accelerator.mixed_precision
        self._autocast = precision == "bf16"
        self._reliefs: Reliefs | None = None
        if pipeline.relief is not None:
            self._reliefs = all_reliefs(
                pipeline.relief, run.frames, title=run.title("reliefs"), precision=precision
            )
        self._labels = run.frames
        if pipeline.config.preset == "paper":
            self._labels = labelled_frames(run.scenes, run.pictures, pipeline.config.slots)
        self._targets = encode_pictures(pipeline.vae, run.pictures, title=run.title("latents"))
        ahead = run.pictures.device != pipeline.unet.device
        self._ahead = ThreadPoolExecutor(max_workers=1) if ahead else None
        self._next: tuple[DrawKey, Future[PreparedPairs]] | None = None

    def batch(self, key: DrawKey) -> TrainingBatch:
        """Return a process's part of a step's batch: a pure function of its key."""
        if self._ahead is None:
            return self._compute(self._prepared(key))
        known = self._next is not None and self._next[0] == key
        prepared = self._next[1].result() if self._next is not None and known else self._prepared(key)
        after = _following(key, self._settings.accumulation)
        self._next = after, self._ahead.submit(self._prepared, after)
        return self._compute(prepared)

    def batch_of(self, pairs: Sequence[DrawnPair]) -> TrainingBatch:
        """Return the batch of given pairs."""
        return self._compute(self._prepare(pairs, 0))

    def _prepared(self, key: DrawKey) -> PreparedPairs:
        random = generator(key)
        shares = self._settings.edit_share, self._settings.crossed_share
        drawn = draw_pairs(self._lists, self._count, random, *shares)
        return self._prepare(drawn, int(random.integers(2**62)))

    def _prepare(self, drawn: Sequence[DrawnPair], seed: int) -> PreparedPairs:
        rows = torch.tensor([self._rows(each) for each in drawn])
        source, target, background, donor = rows.unbind(1)
        frames = pair_frames(self._labels, source, target, background, donor)
        shows = torch.zeros_like(frames.photo, dtype=torch.bool)
        present = frames.present
        shows[frames.rows.expand_as(present)[present], frames.asset_view[present]] = True
        shows[:, 0] |= ~present.any(dim=1)
        view_rows, view_numbers = shows.nonzero(as_tuple=True)
        used, photo = frames.photo.unique(return_inverse=True)
        bank = self._labels.pictures
        reliefs = None if self._reliefs is None else self._reliefs[used.to(bank.device)]
        return PreparedPairs(
            replace(frames, pictures=bank[used.to(bank.device)], photo=photo, reliefs=reliefs),
            target,
            ~self._labels.seen[target],
            view_rows,
            view_numbers,
            torch.Generator().manual_seed(seed),
        )

    @torch.no_grad()
    def _compute(self, prepared: PreparedPairs) -> TrainingBatch:
        device, wanted = self._pipeline.unet.device, self._augmentation
        random = prepared.random
        frames = prepared.frames.to(device)
        frames = augment.jitter_boxes(frames, random, wanted.jitter_boxes)
        frames = augment.relabel_corners(frames, random, wanted.relabel_corners)
        frames = augment.drop_objects(frames, random, wanted.drop_objects, prepared.unseen.to(device))
        frames = augment.mask_sources(frames, random, wanted.mask_sources)
        target = self._targets[prepared.targets.to(self._targets.device)].to(device).float()
        guided = self._pipeline.config.preset == "guided"
        if self._pipeline.config.spatial_conditioning or self._pipeline.config.residual:
            found = conditions(frames, factor=self._pipeline.factor, guided=guided)
            poses, background_poses = found.poses, found.background_poses
            proxies, maps = self._encoded(found, random)
            boxes = found.proxy.boxes
        else:  # the paper's decoder sees no proxy and no box map
            poses, background_poses, _ = frame_poses(frames, guided)
            proxies, maps = torch.zeros_like(target), target.new_zeros((len(target), 0, *target.shape[2:]))
            boxes = None
        rows, numbers = prepared.view_rows.to(device), prepared.view_numbers.to(device)
        order = torch.zeros_like(frames.photo)
        order[rows, numbers] = torch.arange(len(rows), device=device)
        return TrainingBatch(
            target=target,
            proxy=proxies,
            maps=maps,
            object_pictures=object_pictures(frames)[rows, numbers],
            views=order[frames.rows, frames.asset_view],
            background_pictures=background_pictures(frames),
            rectangles=frames.source_rectangles.float(),
            poses=poses,
            background_poses=background_poses,
            filled=frames.present,
            noise=self._noise(frames, boxes, target, random),
        )

    def _noise(
        self, frames: FrameBatch, boxes: BoxMap | None, target: Tensor, random: torch.Generator
    ) -> Tensor | None:
        """Return noise like the targets' latents that is anchored to what frames show, if it is to be."""
        if boxes is None or not self._pipeline.config.anchored_noise:
            return None
        seeds = torch.randint(2**31, (len(target),), generator=random).to(target.device)
        fresh = torch.randn(target.shape, generator=random).to(target.device)
        addresses = batch_addresses(frames, boxes)
        return anchored_noise(addresses, seeds, target.shape[1], self._pipeline.factor, fresh)

    def _encoded(self, found: Conditions, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return the scaled latents (B, c, h, w) of proxies, augmented, and box maps (B, 11, h, w)."""
        device, factor, wanted = self._pipeline.unet.device, self._pipeline.factor, self._augmentation
        proxy = augment.drop_proxies(found.proxy, random, wanted.drop_proxies)
        proxy = augment.blur_proxies(proxy, random, wanted.blur_proxies)
        picture = (proxy.picture * 2 - 1).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=self._autocast):
            latents = encode(self._pipeline.vae, picture).float()
        maps = found.map_channels.clone()
        maps[:, VALIDITY] = F.avg_pool2d(proxy.validity.float(), factor)  # of what is left
        return latents, maps

    def _rows(self, drawn: DrawnPair) -> tuple[int, int, int, int]:
        """Return a pair's source, target, background and donor as rows of the bank, -1 for no donor."""
        first, pair = self._first[drawn.scene], drawn.pair
        donor = -1 if pair.donor is None else first + pair.donor
        return first + pair.source, first + pair.target, first + pair.background, donor


def _following(key: DrawKey, parts: int) -> DrawKey:
    """Return the key of the batch that is drawn after this one."""
    if key.part + 1 < parts:
        return replace(key, part=key.part + 1)
    return replace(key, step=key.step + 1, part=0)
