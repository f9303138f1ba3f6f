"""Pieces copied into a plate at the photo's own resolution, in colours that meet."""

from dataclasses import replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from na_core.cancellation import poll
from na_core.layers.ground_chart import warped
from na_core.layers.plate_grain import LARGEST_GRAIN, without_grain
from na_core.layers.plate_pieces import SmallPhoto, pieces, smoothly_filled
from na_core.layers.plate_seams import corrections
from na_core.layers.plate_shifts import Shift

TILE = 512
"""Side in pixels of the squares in which pieces are copied."""

SHARPNESS = 4
"""Power of pieces' weights: how narrow seams are."""

LEAST_WEIGHT = 1e-3
"""Weight from which a piece counts."""

GUESS_PULL = 0.05
"""By how much copies' colours are drawn to known ones, see :func:`na_core.layers.plate_seams.corrections`."""

FAINT_PULL = 1e-4
"""By how much they are drawn to what was copied where none are known."""

GUESS_BLUR = 4.0
"""Standard deviation in pixels of what counts as a copy's colour apart from its texture."""


def with_copies(
    picture: NDArray[np.uint8],
    known: NDArray[np.bool_],
    small: SmallPhoto,
    shifts: list[Shift],
    labels: NDArray[np.int64],
) -> NDArray[np.uint8]:
    """Return a photo (H, W, 3) whose unknown part is copied from elsewhere.

    Args:
        picture: (H, W, 3) sRGB.
        known: (H, W), where it stays as it is.
        small: the photo at the size of the labels.
        shifts: by which pieces are copied.
        labels: (h, w), the shift of each pixel, -1 for the smooth fill; see
            :func:`na_core.layers.plate_grain.with_grain` for that of others.
    """
    height, width = known.shape
    rows, columns = labels.shape
    used = [int(label) for label in np.unique(labels[small.hole])] or [-1]
    added = _corrections(small, shifts, labels, used)
    result = picture.copy()
    even, scale = without_grain(small), np.diag([columns, rows, 1.0])
    photo, inverse = np.diag([width, height, 1.0]), np.diag([1 / width, 1 / height, 1.0])
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            poll()
            window = slice(top, min(top + TILE, height)), slice(left, min(left + TILE, width))
            hole = ~known[window]
            if not hole.any():
                continue
            tile = np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]])
            on_small = np.diag([columns / width, rows / height, 1]) @ tile
            total = np.zeros((*hole.shape, 3), np.float32)
            weights = np.full(hole.shape, 1e-12, np.float32)
            for label in _near(labels, on_small, hole.shape, used):
                weight = _enlarged((labels == label).astype(np.float32), on_small, hole.shape)
                weight *= hole
                x, y, w, h = cv2.boundingRect((weight > 0.1).astype(np.uint8))
                if not w:
                    continue
                part = slice(y, y + h), slice(x, x + w)
                weight = weight[part] ** SHARPNESS
                offset = np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])
                colour = np.zeros((h, w, 3), np.float32)
                if label >= 0:
                    source = shifts[label % len(shifts)].source @ inverse @ tile @ offset
                    colour = _copied(picture, photo @ source, (w, h))
                if label >= len(shifts):
                    colour -= _enlarged(even, scale @ source, (h, w)) * 255
                    colour = np.clip(colour, -255 * LARGEST_GRAIN, 255 * LARGEST_GRAIN)
                if not 0 <= label < len(shifts):
                    colour += _enlarged(small.picture, on_small @ offset, (h, w)) * 255
                colour += _enlarged(added[label], on_small @ offset, (h, w)) * 255
                total[part] += weight[..., None] * colour
                weights[part] += weight
            made = np.clip(np.rint(total[hole] / weights[hole][:, None]), 0, 255)
            result[window][hole] = made.astype(np.uint8)
    return result


def _near(
    labels: NDArray[np.int64], on_small: NDArray[np.float64], shape: tuple[int, ...], used: list[int]
) -> list[int]:
    """Return those of the used labels (h, w) that a tile of a shape shows."""
    x0, y0 = (int(on_small[axis, 2]) - 2 for axis in (0, 1))
    x1, y1 = (int(on_small[axis, 2] + on_small[axis, axis] * shape[1 - axis]) + 3 for axis in (0, 1))
    shown = set(np.unique(labels[max(y0, 0) : y1, max(x0, 0) : x1]).tolist())
    return [label for label in used if label in shown]


def _enlarged(
    small: NDArray[np.float32], on_small: NDArray[np.float64], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    return warped(small, on_small, (shape[1], shape[0]), cv2.BORDER_REPLICATE)


def _copied(
    picture: NDArray[np.uint8], source: NDArray[np.float64], size: tuple[int, int]
) -> NDArray[np.float32]:
    """Return the colours (h, w, 3), in levels, that a piece has in a window of a photo."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    matrix = np.linalg.inv(half) @ source @ half
    matrix /= matrix[2, 2]
    if np.allclose(matrix[:, :2], np.eye(3)[:, :2], atol=1e-9):  # by whole pixels: nothing is blurred
        x, y = (round(float(matrix[axis, 2])) for axis in (0, 1))
        columns = np.clip(np.arange(x, x + size[0]), 0, picture.shape[1] - 1)
        rows = np.clip(np.arange(y, y + size[1]), 0, picture.shape[0] - 1)
        return picture[rows[:, None], columns].astype(np.float32)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    found = cv2.warpPerspective(picture, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return found.astype(np.float32)


def _corrections(
    small: SmallPhoto, shifts: list[Shift], labels: NDArray[np.int64], used: list[int]
) -> dict[int, NDArray[np.float32]]:
    """Return what to add (h, w, 3) to each piece that is used, so that pieces and photo meet."""
    copying = [label for label in used if label >= 0]
    copied_by = [shifts[label % len(shifts)] for label in copying]
    colours = dict(zip(copying, pieces(small, copied_by)[0], strict=True))
    even = replace(small, picture=without_grain(small))
    for label in used:
        poll()
        if label < 0:
            colours[label] = small.picture
        elif label >= len(shifts):
            grain = colours[label] - pieces(even, [shifts[label - len(shifts)]])[0][0]
            colours[label] = small.picture + np.clip(grain, -LARGEST_GRAIN, LARGEST_GRAIN)
    copied = small.picture.copy()
    right, down = np.zeros_like(copied[:, 1:]), np.zeros_like(copied[1:])
    both_right, both_down = np.zeros_like(right[..., :1]), np.zeros_like(down[..., :1])
    for label in used:
        poll()
        mine = small.hole & (labels == label)
        colour = colours[label]
        copied[mine] = colour[mine]
        share = mine.astype(np.float32)[..., None]
        across, along = share[:, 1:] + share[:, :-1], share[1:] + share[:-1]
        right += across * (colour[:, 1:] - colour[:, :-1])
        down += along * (colour[1:] - colour[:-1])
        both_right += across
        both_down += along
    right /= np.maximum(both_right, 1)
    down /= np.maximum(both_down, 1)
    wanted = np.zeros_like(copied)
    if small.guessed:
        wanted = cv2.GaussianBlur(small.colours - copied, (0, 0), GUESS_BLUR)
    pull = GUESS_PULL if small.guessed else FAINT_PULL
    planes = (torch.from_numpy(plane) for plane in (copied, right, down, small.hole, wanted))
    copies, across_steps, down_steps, free, asked = planes
    added = corrections(copies, across_steps, down_steps, free, asked, pull).numpy()
    found = {}
    for label in used:
        poll()
        share = (small.hole & (labels == label)).astype(np.float32)
        found[label] = smoothly_filled(added * share[..., None], share)
    return found
