"""Batches of pairs, computed on the device that trains from one bank of pictures."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from accelerate.utils import tqdm
from torch import Tensor

from na_core.compose.compose import compose
from na_core.compose.passes import Passes
from na_core.data.pairs import DrawnPair, draw_pairs, pair_lists
from na_core.layers.layers import Layers, stacked
from na_core.layers.take_apart import TakingApart, take_apart
from na_core.model.anchored_noise import anchored_noise, noise_ids
from na_core.model.box_channels import box_channels
from na_core.model.encoder import background_pictures, object_pictures
from na_core.model.latents import to_latents
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.model.poses import frame_poses
from na_core.tensors.frames import FrameBatch
from na_core.training import frame_augmentation as augment
from na_core.training.errors import TrainingError
from na_core.training.labelled import LabelledFrames, labelled_frames, pair_frames, photo_views
from na_core.training.randomness import DrawKey, generator
from na_core.training.run import Run
from na_core.training.tables import AugmentationConfig, DecoderConfig
from na_core.training.vae import encode_pictures
from na_core.training.wrong_layers import wrong_layers

LAYER_THREADS = 4
"""Threads that take photos apart, at most."""


@dataclass(frozen=True)
class TrainingBatch:
    """B pairs as tensors on the device that trains; S slots for objects, E encoder pictures.

    Attributes:
        target: (B, c, h, w) scaled latents of the targets, float32.
        proxy: (B, c, h, w) scaled latents of the proxies, float32; zero where the decoder sees none.
        maps: (B, 11, h, w) box channels, float32; of no channels where the decoder sees none.
        object_pictures: (E, 3, H, W) in [0, 1], photos with all but their objects painted grey.
        views: (B, S) which of them shows each object; any for empty slots.
        background_pictures: (B, 3, H, W) in [0, 1], photos with all objects' 2D boxes painted grey.
        rectangles: (B, S, 4) source 2D boxes. poses: (B, S, 12 or 24). background_poses: (B, 12).
        filled: (B, S) bool, slots that hold an object; the others are zero.
        noise: (B, c, h, w) float32, to diffuse with; None for noise that knows nothing of the pairs.
        matters: (B, H, W) bool, pixels of objects and of what no photo showed; None where latents are learnt.
        encoded: whether the pictures are given as their features, (E, h, w, C) and (B, h, w, C).
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
    matters: Tensor | None = None
    encoded: bool = False


@dataclass(frozen=True)
class PreparedPairs:
    """What the CPU does for B pairs, before the device takes over.

    Attributes:
        frames: that ask for the pairs' targets.
        pictures: (M, H, W, 3) uint8, the photos that they use.
        layers: of those; None where the decoder sees no proxy.
        targets: (B,) rows of the bank.
        unseen: (B, N) bool, assets that the targets do not show.
        view_rows, view_numbers: (E,) the row and the number of each view that shows an asset.
        random: of the augmentation.
    """

    frames: FrameBatch
    pictures: Tensor
    layers: Layers | None
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
        pipeline = run.pipeline
        self._lists = [pair_lists(scene) for scene in tqdm(run.scenes, desc="pairs", unit="scene")]
        if not any(map(len, self._lists)):
            raise TrainingError(
                "no scene has a pair of pictures to train on: each needs two frames of one stage"
            )
        self._first = np.cumsum([0, *(len(scene.labels.frames) for scene in run.scenes)]).tolist()
        self._pipeline, self._settings, self._augmentation = pipeline, settings, run.config.augmentation
        self._count = count
        self._autocast = run.accelerator.autocast
        self._layers: Layers | None = None
        if pipeline.config.spatial_conditioning or pipeline.config.residual:
            self._layers = all_layers(
                taking_apart(pipeline, settings), run.frames, run.device, self._autocast
            )
        self._labels = run.frames
        if pipeline.config.preset == "paper":
            self._labels = labelled_frames(run.scenes, run.pictures, pipeline.config.slots)
        self._targets = encode_pictures(pipeline.vae, run.pictures, title="latents")
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
        return PreparedPairs(
            replace(frames, photo=photo),
            bank[used.to(bank.device)],
            None if self._layers is None else self._layers[used],
            target,
            ~self._labels.seen[target],
            view_rows,
            view_numbers,
            torch.Generator().manual_seed(seed),
        )

    @torch.no_grad()
    def _compute(self, prepared: PreparedPairs) -> TrainingBatch:
        device, random = self._pipeline.unet.device, prepared.random
        layers = None if prepared.layers is None else prepared.layers.to(device)
        labelled, unseen = prepared.frames.to(device), prepared.unseen.to(device)
        frames, layers, composed = augmented(labelled, layers, unseen, self._augmentation, random)
        target = self._targets[prepared.targets.to(self._targets.device)].to(device).float()
        poses, background_poses = frame_poses(frames, self._pipeline.guided)
        if layers is None:  # the paper's decoder sees no proxy and no boxes
            proxies, maps = torch.zeros_like(target), target.new_zeros((len(target), 0, *target.shape[2:]))
            noise = None
        else:
            passes = augmented_passes(layers, composed, self._augmentation, random)
            picture = (passes.proxy * 2 - 1).contiguous(memory_format=torch.channels_last)
            with self._autocast():
                proxies = to_latents(self._pipeline.vae, picture).float()
            maps = box_channels(composed, passes, self._pipeline.factor, self._pipeline.guided)
            noise = self._noise(composed, passes, layers, target, random)
        rows, numbers = prepared.view_rows.to(device), prepared.view_numbers.to(device)
        order = torch.zeros_like(frames.photo)
        order[rows, numbers] = torch.arange(len(rows), device=device)
        pictures = prepared.pictures.to(device)
        return TrainingBatch(
            target=target,
            proxy=proxies,
            maps=maps,
            object_pictures=object_pictures(frames, pictures)[rows, numbers],
            views=order[frames.rows, frames.asset_view],
            background_pictures=background_pictures(frames, pictures),
            rectangles=frames.source_rectangles.float(),
            poses=poses,
            background_poses=background_poses,
            filled=frames.present,
            noise=noise,
        )

    def _noise(
        self,
        frames: FrameBatch,
        passes: Passes,
        layers: Layers,
        target: Tensor,
        random: torch.Generator,
    ) -> Tensor | None:
        """Return noise that sticks to what frames show, if it is to."""
        if not self._pipeline.config.anchored_noise:
            return None
        seeds = torch.randint(2**31, (len(target),), generator=random).to(target.device)
        fresh = torch.randn(target.shape, generator=random).to(target.device)
        ids = noise_ids(frames, passes.boxes, layers.canvas)
        return anchored_noise(ids, seeds, target.shape[1], self._pipeline.factor, fresh)

    def _rows(self, drawn: DrawnPair) -> tuple[int, int, int, int]:
        """Return a pair's source, target, background and donor as rows of the bank, -1 for no donor."""
        first, pair = self._first[drawn.scene], drawn.pair
        donor = -1 if pair.donor is None else first + pair.donor
        return first + pair.source, first + pair.target, first + pair.background, donor


def augmented(
    labelled: FrameBatch,
    layers: Layers | None,
    unseen: Tensor,
    wanted: AugmentationConfig,
    random: torch.Generator,
) -> tuple[FrameBatch, Layers | None, FrameBatch]:
    """Return augmented frames, the layers of their photos, and the frames that those are composed for.

    Args:
        labelled: B frames as they are.
        layers: of their photos, if they are composed at all.
        unseen: (B, N) bool, assets that their targets do not show.
        wanted: probabilities.
        random: draws.
    """
    frames = augment.jitter_boxes(labelled, random, wanted.jitter_boxes)
    frames = augment.relabel_corners(frames, random, wanted.relabel_corners)
    frames = augment.drop_objects(frames, random, wanted.drop_objects, unseen)
    frames = augment.mask_sources(frames, random, wanted.mask_sources)
    if layers is not None and wanted.jitter_boxes:
        return frames, *wrong_layers(layers, labelled, frames)
    return frames, layers, frames


def augmented_passes(
    layers: Layers, frames: FrameBatch, wanted: AugmentationConfig, random: torch.Generator
) -> Passes:
    """Return the passes of frames as large as their photos, with augmented proxies."""
    height, width = layers.picture.shape[1:3]
    passes = compose(layers, frames, width, height)
    passes = augment.drop_proxies(passes, random, wanted.drop_proxies)
    return augment.blur_proxies(passes, random, wanted.blur_proxies)


def _following(key: DrawKey, parts: int) -> DrawKey:
    """Return the key of the batch that is drawn after this one."""
    if key.part + 1 < parts:
        return replace(key, part=key.part + 1)
    return replace(key, step=key.step + 1, part=0)


def taking_apart(pipeline: NeuralAssetsPipeline, settings: DecoderConfig) -> TakingApart:
    """Return how photos are taken apart for a training: as in use, or with smooth plates."""
    how = pipeline.taking_apart
    return replace(how, texture=how.texture and not settings.smooth_plates)


def all_layers(
    how: TakingApart,
    labels: LabelledFrames,
    device: torch.device,
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
    batch_size: int = 16,
    title: str | None = "layers",
) -> Layers:
    """Take all labelled frames apart as use will, by the slots of their objects.

    All boxes of a frame are known, with their 2D boxes. Of a photo that only objects come from, a message
    names their boxes alone; and of an object that has left, no 2D box.

    Args:
        how: to take them apart.
        labels: of the frames.
        device: that computes.
        autocast: makes contexts in which networks compute.
        batch_size: frames at once, for each of the CPU's threads.
        title: of the progress bar; None shows none.
    """
    bank = labels.pictures

    def part(rows: Tensor) -> Layers:
        with torch.no_grad(), autocast():
            return take_apart(photo_views(labels, rows).to(device), how).to(bank.device)

    rows = torch.arange(len(bank)).split(batch_size)
    # Much of it is done by one thread for each photo; each works on a batch, of which a GPU holds few.
    with ThreadPoolExecutor(min(LAYER_THREADS, torch.get_num_threads())) as pool:
        taken = pool.map(part, rows)
        parts = list(tqdm(taken, total=len(rows), desc=title, unit="batch", disable=title is None))
    layers = stacked(parts)
    return replace(layers, picture=bank, foreground=layers.foreground if layers.soft else bank)
