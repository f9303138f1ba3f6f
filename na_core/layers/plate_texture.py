"""Texture for what a photo's clean plate has to guess: the photo's own, from elsewhere in it.

A smooth fill has the right colours and no texture. Patches of the photo that resemble it are put together
until each resembles its neighbours (Wexler et al., "Space-Time Completion of Video", 2007), from coarse to
fine. What is coarse is copied along with its finer detail, so that texture is not averaged away (Barnes et
al., "PatchMatch", 2009, section 4). The smooth fill is where it begins: nothing is copied that its colours
do not ask for, so no second face appears beside a face.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SIDE = 7
"""Of a patch, in pixels."""

COARSEST = 40
"""Longer side of the coarsest picture, at least."""

ITERATIONS = (6, 3, 2, 1, 1)
"""Searches at each level, from the coarsest; the last one's number holds for all that follow."""

LARGEST = 768
"""Longer side from which patches are no longer searched for, only copied along with what is coarser."""

SOURCES = 6000
"""Patches that are chosen from, at most."""

FEWEST = 100
"""Patches that a choice takes; with fewer the fill stays smooth."""

DIMENSIONS = 16
"""Principal components that patches are compared by."""

GRAIN = 1.5
"""Of the detail around a hole, how much the coarsest fill gets at first: textured patches then fit better."""

REACH = 1.0
"""Standard deviation in pixels of a patch's weight around its middle."""

MAX_VOTE = 5
"""Squared distance in pixels from its middle beyond which a patch's weight is too little to count."""

Find = Callable[[NDArray[np.float32]], tuple[NDArray[np.int64], NDArray[np.float32]]]

_HALF = SIDE // 2
_VOTES = [
    (down, right)
    for down in range(-_HALF, _HALF + 1)
    for right in range(-_HALF, _HALF + 1)
    if down**2 + right**2 <= MAX_VOTE
]
_CHUNK = 64  # their distances stay in the processor's cache


def textured(plate: NDArray[np.float32], real: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return a plate whose guessed part has texture. The same plate gives the same texture.

    Args:
        plate: (H, W, 3) in [0, 1], filled smoothly.
        real: (H, W), where it is the photo itself.
    """
    hole = ~real
    if not hole.any() or hole.all():
        return plate
    random = np.random.default_rng(0)
    map_of_coarser: NDArray[np.int64] | None = None
    picture: NDArray[np.float32] | None = None
    searched = 0
    best: NDArray[np.int64] | None
    for size in _sizes(*hole.shape):
        smooth = cv2.resize(plate, size[::-1], interpolation=cv2.INTER_AREA)
        share = cv2.resize(hole.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA)
        level = _level(smooth, share > 0)
        if len(level.sources) < FEWEST:
            continue
        if map_of_coarser is None:
            picture, best = _grained(level, random), None
        else:
            best, trusted = _copied(map_of_coarser, level)
            picture = _voted(level, smooth, best, trusted)
        searches = ITERATIONS[min(searched, len(ITERATIONS) - 1)]
        if best is None or max(size) <= LARGEST:
            find = _search(level, random)
            for _ in range(searches):
                assert picture is not None
                best, weight = find(picture)
                picture = _voted(level, smooth, best, weight)
            searched += 1
        assert best is not None
        map_of_coarser = np.full((*size, 2), -1)
        map_of_coarser[level.targets[:, 0], level.targets[:, 1]] = best
    return plate if picture is None else np.where(hole[..., None], picture, plate)


@dataclass(frozen=True)
class _Level:
    """A plate at one resolution.

    Attributes:
        smooth: (h, w, 3) float32.
        hole: (h, w) bool.
        targets: (n, 2) rows and columns of patches that touch the hole.
        usable: (h, w) bool, middles of patches that lie in the real part.
        sources: (m, 2) rows and columns of them.
    """

    smooth: NDArray[np.float32]
    hole: NDArray[np.bool_]
    targets: NDArray[np.int64]
    usable: NDArray[np.bool_]
    sources: NDArray[np.int64]


def _sizes(height: int, width: int) -> list[tuple[int, int]]:
    """Return (rows, columns) from the coarsest to the finest, each twice the one before."""
    coarser = max(0, int(np.floor(np.log2(max(height, width) / COARSEST))))
    return [(max(1, height >> step), max(1, width >> step)) for step in range(coarser, -1, -1)]


def _level(smooth: NDArray[np.float32], hole: NDArray[np.bool_]) -> _Level:
    touched = cv2.dilate(hole.astype(np.uint8), np.ones((SIDE, SIDE), np.uint8)) > 0
    usable = ~touched
    usable[:_HALF] = usable[-_HALF:] = False
    usable[:, :_HALF] = usable[:, -_HALF:] = False
    return _Level(smooth, hole, np.argwhere(touched), usable, np.argwhere(usable))


def _grained(level: _Level, random: np.random.Generator) -> NDArray[np.float32]:
    """Return the smooth fill with the fine detail that is around the hole, shuffled."""
    ring = (cv2.dilate(level.hole.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0) & ~level.hole
    picture = level.smooth.copy()
    if ring.any():
        detail = (level.smooth - cv2.GaussianBlur(level.smooth, (0, 0), 1.5))[ring]
        picture[level.hole] += GRAIN * detail[random.integers(len(detail), size=int(level.hole.sum()))]
    return picture


def _copied(coarser: NDArray[np.int64], level: _Level) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the sources (n, 2) that targets have as their coarser ones have theirs, and their weights."""
    parent = np.minimum(level.targets // 2, np.array(coarser.shape[:2]) - 1)
    theirs = coarser[parent[:, 0], parent[:, 1]]
    rows, columns = level.hole.shape
    mine = theirs * 2 + level.targets - 2 * parent
    mine = np.clip(mine, _HALF, np.maximum(np.array([rows, columns]) - _HALF - 1, _HALF))
    good = (theirs[:, 0] >= 0) & level.usable[mine[:, 0], mine[:, 1]]
    return mine, np.where(good, 1.0, 1e-6).astype(np.float32)


def _patches(picture: NDArray[np.float32], at: NDArray[np.int64]) -> Tensor:
    """Return the patches (n, 3 SIDE SIDE) of a picture (h, w, 3) around pixels (n, 2)."""
    padded = np.pad(picture, ((_HALF, _HALF), (_HALF, _HALF), (0, 0)), mode="edge")
    windows = torch.from_numpy(padded).unfold(0, SIDE, 1).unfold(1, SIDE, 1)
    rows, columns = torch.from_numpy(at).unbind(1)
    return windows[rows, columns].flatten(1)


def _search(level: _Level, random: np.random.Generator) -> Find:
    """Return what finds targets' nearest sources in a picture: (n, 2) rows and columns, and weights (n,)."""
    sources = level.sources
    if len(sources) > SOURCES:
        sources = sources[np.sort(random.choice(len(sources), SOURCES, replace=False))]
    theirs = _patches(level.smooth, sources)
    mean = theirs.mean(dim=0)
    few = (theirs - mean)[:: max(1, len(theirs) // 3000)]
    axes = torch.linalg.eigh(few.T @ few).eigenvectors[:, -DIMENSIONS:]
    codes = (theirs - mean) @ axes
    squares = codes.square().sum(dim=1)

    def find(picture: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        wanted = (_patches(picture, level.targets) - mean) @ axes
        nearest, distance = [], []
        for some in wanted.split(_CHUNK):
            # Squared distances, but for the same number in each row.
            least = torch.addmm(squares, some, codes.T, alpha=-2).min(dim=1)
            nearest.append(least.indices)
            distance.append((least.values + some.square().sum(dim=1)).clamp_min(0).sqrt())
        away = torch.cat(distance)
        spread = away.median() / 2 + 1e-6
        weight = torch.exp(-away.square() / (2 * spread.square())) + 1e-6
        return sources[torch.cat(nearest).numpy()], weight.numpy()

    return find


def _voted(
    level: _Level,
    smooth: NDArray[np.float32],
    sources: NDArray[np.int64],
    weight: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Return the picture whose hole is the weighted mean of the patches (n, 2) that its targets chose.

    A patch counts most in its middle: the mean of many has no texture.
    """
    rows, columns = (side + 2 * _HALF for side in level.hole.shape)
    padded = np.pad(smooth, ((_HALF, _HALF), (_HALF, _HALF), (0, 0)), mode="edge")
    colours = torch.from_numpy(padded).view(-1, 3)
    targets, chosen = (
        torch.from_numpy((at[:, 0] + _HALF) * columns + at[:, 1] + _HALF) for at in (level.targets, sources)
    )
    # Where there is no target any source will do: it counts for nothing.
    source = torch.full((rows * columns,), int(chosen[0])).index_copy_(0, targets, chosen)
    trust = torch.zeros(rows * columns).index_copy_(0, targets, torch.from_numpy(weight))
    hole = np.argwhere(level.hole)
    pixels = torch.from_numpy((hole[:, 0] + _HALF) * columns + hole[:, 1] + _HALF)
    total, weights = torch.zeros((len(pixels), 3)), torch.zeros(len(pixels))
    for down, right in _VOTES:
        step = down * columns + right
        target = pixels - step  # the patch that covers the pixel so far from its middle
        vote = trust.index_select(0, target) * math.exp(-(down**2 + right**2) / (2 * REACH**2))
        colour = colours.index_select(0, source.index_select(0, target) + step)
        total.addcmul_(colour, vote[:, None])
        weights += vote
    picture = smooth.copy()
    picture[level.hole] = (total / weights.clamp_min(1e-12)[:, None]).numpy()
    return picture
