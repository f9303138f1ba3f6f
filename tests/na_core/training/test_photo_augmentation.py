"""Augmented photos are true photos: what boxes, cameras, masks and depths say of them still agrees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from na_core.raster.boxmap import box_map
from na_core.tensors.cameras import camera_from_pixel, image_from_camera
from na_core.training.labelled import labelled_frames, photo_views
from na_core.training.photo_augmentation import Photos, crop, mirror, recolour, turn
from na_core.training.photo_truth import load_truth
from na_core.training.scene_shards import load_pictures, shard_of

CHANGES: dict[str, Callable[[Photos, np.random.Generator], Photos]] = {
    "mirrored": lambda photos, random: mirror(photos, random, 1.0),
    "cut out": lambda photos, random: crop(photos, random, 0.4),
    "both": lambda photos, random: crop(mirror(photos, random, 0.5), random, 0.6),
}


@pytest.fixture(scope="module")
def photos(painted_scenes: Path) -> Photos:
    shard = shard_of(painted_scenes)
    labels = labelled_frames(shard, load_pictures(shard, torch.device("cpu")))
    rows = torch.arange(len(labels.pictures))
    owner, *depths, plate = load_truth(shard)[rows]
    return Photos(photo_views(labels, rows), owner, tuple(depths), plate)


@pytest.mark.parametrize("change", CHANGES)
def test_painted_boxes_are_where_their_boxes_say(change: str, photos: Photos) -> None:
    changed = CHANGES[change](photos, np.random.default_rng(3))
    views = changed.views
    height, width = views.pictures.shape[1:3]
    boxes = box_map(views.camera, views.boxes, views.filled, width, height)
    # Painted objects are their boxes: the mask is the box map, but for enlarged pixels at the outlines.
    assert (boxes.index[0] == changed.owner).float().mean() > 0.97
    nearest = boxes.hits[0]
    pixels = nearest.pixels
    same = pixels.take(changed.owner) == nearest.box
    assert same.any()
    error = (pixels.take(changed.depths[0]) - nearest.depth)[same].abs() / nearest.depth[same]
    assert float(error.median()) < 0.01
    for row in range(len(views.pictures)):
        for number in range(views.boxes.shape[1]):
            rows, columns = np.nonzero((changed.owner[row] == number).numpy())
            if len(rows):
                x0, y0, x1, y1 = views.rectangles[row, number].tolist()
                found = columns.min() / width, rows.min() / height, (columns.max() + 1) / width
                np.testing.assert_allclose((x0, y0, x1), found, atol=3 / width)
                assert y1 == pytest.approx((rows.max() + 1) / height, abs=3 / height)


def test_pictures_go_along_with_their_masks(photos: Photos) -> None:
    changed = CHANGES["both"](photos, np.random.default_rng(5))
    for number in range(2):
        before, after = (p.views.pictures[p.owner == number].float().mean(dim=0) for p in (photos, changed))
        assert (before - after).abs().max() < 12  # levels: the same colours, other shares of the stripes


def test_a_turned_camera_sees_boxes_where_its_own_box_map_has_them(photos: Photos) -> None:
    changed = turn(replace(photos, depths=()), np.random.default_rng(2), 0.15, 1.5)
    views = changed.views
    assert not torch.equal(views.camera.world_from_camera, photos.views.camera.world_from_camera)
    assert not torch.equal(views.camera.intrinsics, photos.views.camera.intrinsics)
    boxes = box_map(views.camera, views.boxes, views.filled, *reversed(views.pictures.shape[1:3]))
    assert (boxes.index[0] == changed.owner)[changed.owner >= 0].float().mean() > 0.95
    before, after = (p.views.pictures[p.owner == 0].float().mean(dim=0) for p in (photos, changed))
    assert (before - after).abs().max() < 20  # levels: the same colours, other shares of the stripes


@pytest.mark.parametrize("seed", range(5))
def test_a_longer_lens_looks_anywhere_in_the_photo_and_not_beyond(photos: Photos, seed: int) -> None:
    changed = turn(replace(photos, depths=()), np.random.default_rng(seed), 0.0, 2.0)
    before, after = photos.views.camera, changed.views.camera
    rotation = before.world_from_camera[:, :3, :3].mT @ after.world_from_camera[:, :3, :3]
    middle = camera_from_pixel(after, 1, 1) @ torch.tensor([0, 0, 1.0], dtype=torch.float64)
    x, y, depth = (image_from_camera(before) @ rotation @ middle[..., None])[..., 0].unbind(-1)
    share = before.intrinsics[:, 0] / after.intrinsics[:, 0]  # of the photo's width that it still sees
    for place in (x / depth, y / depth):
        assert ((place - 0.5).abs() <= (1 - share) / 2 + 0.05).all()
    assert (torch.stack([x, y]) / depth - 0.5).abs().max() > 0.02


def test_nothing_asked_for_changes_nothing(photos: Photos) -> None:
    random = np.random.default_rng(0)
    same = recolour(crop(mirror(photos, random, 0), random, 1.0), random, 0, gain=0)
    assert torch.equal(same.views.pictures, photos.views.pictures)
    assert torch.equal(same.views.boxes, photos.views.boxes)
    assert torch.equal(same.views.camera.intrinsics, photos.views.camera.intrinsics)
    assert torch.equal(same.owner, photos.owner)
    assert torch.equal(same.depths[0], photos.depths[0])


def test_recolouring_exchanges_channels_and_nothing_else(photos: Photos) -> None:
    changed = recolour(photos, np.random.default_rng(1), 1.0, gain=0)
    before, after = photos.views.pictures.sort(dim=-1).values, changed.views.pictures.sort(dim=-1).values
    assert torch.equal(before, after)
    assert not torch.equal(photos.views.pictures, changed.views.pictures)
    assert changed.owner is photos.owner
