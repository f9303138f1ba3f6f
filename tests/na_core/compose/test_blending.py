"""An object that covers a pixel in part is blended over what is behind it now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from na_core.compose.compose import compose
from na_core.compose.passes import Passes
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo
from na_core.layers.layers import Layers
from na_core.raster.surfaces import pack
from na_core.scene import Frame
from tests.na_core.stage import Shot, Stage, random_frame, shot

WIDTH, HEIGHT = 96, 60
DEPTH = 4.0
BLUE, RED, GREEN = (np.array(colour, np.float32) for colour in ((0, 0, 255), (255, 0, 0), (0, 255, 0)))


def shifted(of: Shot, number: int, step: Sequence[float]) -> NDArray[np.float64]:
    matrix = of.boxes[number].world_from_box.copy()
    matrix[:3, 3] += step
    return matrix


@pytest.fixture
def slab() -> Shot:
    """Return a shot of a slab that faces the camera, over a blue background."""
    camera = camera_of_photo(WIDTH, WIDTH, HEIGHT, 1.0, 0.0)
    of = shot([box_matrix((-0.5, DEPTH + 0.05, 1.0), (0.8, 0.1, 0.8))], WIDTH, HEIGHT, camera)
    return replace(of, photo=np.broadcast_to(BLUE.astype(np.uint8), of.photo.shape).copy())


def softened(stage: Stage, levels: Sequence[int] = (20, 255)) -> Layers:
    """Return a stage's layers with a red object whose alpha runs from its left side to its right one."""
    layers = stage.layers
    owner = layers.owner[0].numpy()
    columns = np.nonzero((owner >= 0).any(axis=0))[0]
    ramp = np.interp(np.arange(WIDTH), np.linspace(columns[0], columns[-1], len(levels)), levels).round()
    alpha = np.where(owner >= 0, ramp, 0)
    share = alpha[..., None] / 255
    picture = np.where(owner[..., None] >= 0, share * RED + (1 - share) * BLUE, BLUE).round()
    foreground = np.where((alpha > 0)[..., None], RED, BLUE)
    one, other, level = (torch.from_numpy(v.astype(np.uint8))[None] for v in (picture, foreground, alpha))
    plate = torch.from_numpy(np.broadcast_to(BLUE, picture.shape).astype(np.uint8))[None]
    return replace(layers, picture=one, foreground=other, alpha=level, plate=plate, soft=True)


def composed(of: Shot, frame: Frame) -> tuple[Passes, Layers]:
    stage = of.stage(frame)
    layers = softened(stage)
    return compose(layers, stage.batch(), WIDTH, HEIGHT), layers


def test_where_nothing_moved_the_photo_is_the_mixture(slab: Shot) -> None:
    passes, layers = composed(slab, slab.frame())
    assert torch.equal((passes.proxy * 255).permute(0, 2, 3, 1).round().to(torch.uint8), layers.picture)
    assert passes.validity.all()
    assert (passes.shift < 1e-3).all()


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rounded=st.booleans())
def test_rims_that_nothing_moves_are_the_photo_whatever_lies_behind_them(seed: int, rounded: bool) -> None:
    stage = random_frame(seed, still=True, rounded=rounded)
    layers, rng = stage.layers, np.random.default_rng(seed)
    # Sheets of any alpha and colour, which reach over their boxes by a pixel, before other boxes too.
    grows = layers.rim & (layers.owner.roll(1, dims=2) >= 0)
    surfaces = layers.surfaces
    owner, near, far = (
        torch.where(grows, of.roll(1, dims=2), of) for of in (surfaces.owner, surfaces.near, surfaces.far)
    )
    cover = torch.where(owner >= 0, owner, layers.cover.int()).to(torch.int16)
    layers = replace(layers, surfaces=pack(owner, near, far), cover=cover)
    level = torch.from_numpy(rng.integers(1, 256, owner.shape).astype(np.uint8))
    alpha = torch.where(layers.rim & (owner >= 0), level, (owner >= 0) * 255).to(torch.uint8)
    noise = torch.from_numpy(rng.integers(0, 256, layers.picture.shape).astype(np.uint8))
    foreground = torch.where((alpha == 255)[..., None], layers.picture, noise)
    layers = replace(layers, alpha=alpha, foreground=foreground, soft=True)
    rows, columns = stage.photo.shape[:2]
    passes = compose(layers, stage.batch(), columns, rows)
    found = (passes.proxy[0] * 255).permute(1, 2, 0).round().numpy()
    np.testing.assert_array_equal(found, stage.photo)
    assert passes.validity.all()


def test_a_moved_object_is_mixed_with_what_is_behind_it_now(slab: Shot) -> None:
    step = 30 * DEPTH / WIDTH  # 30 pixels
    stage = slab.stage(slab.frame({0: shifted(slab, 0, (step, 0, 0))}))
    layers = softened(stage)
    green = torch.from_numpy(GREEN.astype(np.uint8)).expand_as(layers.picture)
    free = (layers.alpha == 0)[..., None]
    layers = replace(layers, picture=torch.where(free, green, layers.picture), plate=green.contiguous())
    passes = compose(layers, stage.batch(), WIDTH, HEIGHT)
    found = 255 * passes.proxy[0].permute(1, 2, 0).numpy()
    assert found[..., 2].max() < 3  # nothing of the blue that the photo was mixed with
    owner = layers.owner[0].numpy()
    rows, columns = np.nonzero(owner >= 0)
    inner = (rows > rows.min() + 2) & (rows < rows.max() - 2)
    inner &= (columns > columns.min() + 2) & (columns < columns.max() - 2)
    rows, columns = rows[inner], columns[inner]
    share = layers.alpha[0].numpy()[rows, columns][:, None] / 255
    expected = share * RED + (1 - share) * GREEN
    assert np.abs(found[rows, columns + 30] - expected).max() < 6


def test_a_pixel_shows_what_covers_most_of_it(slab: Shot) -> None:
    step = 30 * DEPTH / WIDTH
    passes, layers = composed(slab, slab.frame({0: shifted(slab, 0, (step, 0, 0))}))
    index = passes.index[0].numpy()
    row = HEIGHT // 2
    columns = np.nonzero(layers.owner[0, row].numpy() >= 0)[0][2:-2]
    mostly = layers.alpha[0, row].numpy()[columns] / 255
    sure = np.abs(mostly - 0.5) > 0.03
    np.testing.assert_array_equal(index[row, columns + 30][sure] >= 0, mostly[sure] > 0.5)
    free = index < 0
    assert np.isinf(passes.depth[0].numpy()[free]).all()


def test_another_object_is_seen_through_it() -> None:
    camera = camera_of_photo(WIDTH, WIDTH, HEIGHT, 1.0, 0.0)
    boxes = [box_matrix((x, y + 0.05, 1.0), (0.6, 0.1, 0.6)) for x, y in ((-0.7, DEPTH), (0.7, DEPTH + 1))]
    of = shot(boxes, WIDTH, HEIGHT, camera)
    photo = np.zeros_like(of.photo)
    stage = replace(of, photo=photo).stage(of.frame({0: shifted(of, 0, (1.3, 0, 0))}))
    layers = stage.layers
    owner = layers.owner
    colours = torch.zeros_like(layers.picture)
    colours[owner == 0] = torch.tensor([255, 0, 0], dtype=torch.uint8)
    colours[owner == 1] = torch.tensor([0, 255, 0], dtype=torch.uint8)
    alpha = torch.where(owner == 0, 102, layers.alpha.int()).to(torch.uint8)
    layers = replace(layers, picture=colours, foreground=colours, alpha=alpha, soft=True)
    passes = compose(layers, stage.batch(), WIDTH, HEIGHT)
    solid = compose(replace(layers, soft=False), stage.batch(), WIDTH, HEIGHT)
    behind = compose(layers, of.stage(of.frame({0: None})).batch(), WIDTH, HEIGHT)
    both = (solid.index[0] == 0) & (behind.index[0] == 0)
    assert both.sum() > 50
    middle = passes.proxy[0, :, both].median(dim=1).values
    torch.testing.assert_close(middle, torch.tensor([0.4, 0.6, 0.0]), atol=0.02, rtol=0)
    assert (passes.index[0][both] == 1).float().mean() > 0.9


def test_an_edge_fades_in_with_its_motion(slab: Shot) -> None:
    pictures = []
    for pixels in np.linspace(0, 2, 11):
        stage = slab.stage(slab.frame({0: shifted(slab, 0, (pixels * DEPTH / WIDTH, 0, 0))}))
        layers = softened(stage, (13, 255, 255, 13))
        pictures.append(compose(layers, stage.batch(), WIDTH, HEIGHT).proxy[..., HEIGHT // 2, :])
    steps = [float((one - other).abs().amax()) for one, other in pairwise(pictures)]
    assert max(steps) < 0.15  # 0.2 pixels a step over a ramp of six pixels, and the least alpha that appears
