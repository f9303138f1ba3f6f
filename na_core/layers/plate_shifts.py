"""Shifts that a plate's holes may be filled by: by how far the ground beside a hole repeats elsewhere.

He and Sun, "Statistics of Patch Offsets for Image Completion" (2012), fill a hole with copies of the picture,
each shifted as a whole, by offsets at which the picture resembles itself: stripes and tiles then go on in
phase. Here an offset has to carry the surroundings of a part of the hole onto something like them. All
offsets are compared at once, in the frequency domain. On a ground seen from above they keep its perspective.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from na_core.cancellation import poll
from na_core.layers.ground_chart import Chart

RING = 0.08
"""Width of the surroundings that are compared, in units of the picture's longer side."""

PARTS = 10
"""About how many parts of holes have their surroundings compared apart."""

MOST_PARTS = 18
"""How many at most: small ones are left out."""

PER_PART = 3
"""Offsets of each part."""

SAMPLES = 1200
"""Pixels of the photo by which a shift is refined."""

REACH = 2
"""Pixels by which a refinement may change a shift at each size of the photo."""

OUTLIER = 50.0
"""Difference in levels from which it does not matter how much two pixels differ."""

GAIN = 0.97
"""Ratio of differences from which a refinement is believed."""


@dataclass(frozen=True)
class Shift:
    """A way to copy.

    Attributes:
        source: (3, 3), from image coordinates in [0, 1] to those of what is copied there.
        chart: of the ground that it moves along; None if it moves across the picture.
    """

    source: NDArray[np.float64]
    chart: Chart | None = None


def across_picture(right: float, down: float) -> Shift:
    """Return the shift to what lies so far to the right and below, in units of the picture's sides."""
    return Shift(np.array([[1, 0, right], [0, 1, down], [0, 0, 1.0]]))


def refined(
    shift: Shift,
    pyramid: Sequence[tuple[NDArray[np.uint8], NDArray[np.bool_]]],
    around: NDArray[np.bool_],
) -> Shift:
    """Return a shift whose copy fits the photo better where both are known, to a pixel of the largest size.

    Args:
        shift: that fits about.
        pyramid: the photo (h, w, 3) sRGB and what of it is known (h, w), from the smallest size.
        around: (h, w), at any size, the pixels to compare.
    """
    rows, columns = np.nonzero(around)
    step = max(1, len(rows) // SAMPLES)
    at = np.stack([(columns[::step] + 0.5) / around.shape[1], (rows[::step] + 0.5) / around.shape[0]])
    at = np.concatenate([at, np.ones_like(at[:1])])
    source = shift.source
    for picture, known in pyramid:
        poll()
        height, width = known.shape
        size = np.array([[width], [height]])
        x, y = np.clip((at[:2] * size).astype(np.int64), 0, size - 1)
        there = source @ at
        front = there[2] > 1e-9
        # What is compared lies at the middle of the pixel.
        middle = (np.stack([x, y]) + 0.5) / size - at[:2]
        from_x, from_y = np.floor(
            np.clip((there[:2] / np.where(front, there[2], 1) + middle) * size, -9, size + 9)
        ).astype(np.int64)
        inside = front & (np.minimum(from_x, from_y) >= REACH) & known[y, x]
        inside &= (from_x < width - REACH) & (from_y < height - REACH)
        if inside.sum() < 24:
            continue
        x, y, from_x, from_y = (values[inside] for values in (x, y, from_x, from_y))
        mine, costs = picture[y, x].astype(np.float32), {}
        for down in range(-REACH, REACH + 1):
            for right in range(-REACH, REACH + 1):
                usable = known[from_y + down, from_x + right]
                differs = np.abs(picture[from_y + down, from_x + right] - mine).mean(axis=-1)
                total = np.minimum(differs, OUTLIER)[usable].sum() + (~usable).sum() * OUTLIER
                costs[right, down] = float(total)
        best = min(costs, key=lambda by: (costs[by], by))
        if costs[best] < GAIN * costs[0, 0]:
            source = across_picture(best[0] / width, best[1] / height).source @ source
    return replace(shift, source=source)


SMALLEST_COVER = 0.25
"""Share of a part that an offset has to fill."""

COVER_COST = 0.15
"""Difference in [0, 1] that counts as much as a part that is not filled at all."""


def offsets(
    picture: NDArray[np.float32], known: NDArray[np.bool_], hole: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Return the offsets (n, 2) in pixels, x and y, from parts of a hole to what may fill them.

    Args:
        picture: (h, w, 3) in [0, 1]; what is unknown does not count.
        known: (h, w), what may be copied.
        hole: (h, w), apart from ``known``.
    """
    height, width = hole.shape
    radius = max(2, round(RING * max(height, width)))
    shape = (2 * height, 2 * width)

    def spectrum(plane: Tensor) -> Tensor:
        return torch.fft.rfft2(plane, s=shape)

    colours = torch.from_numpy(picture).movedim(-1, 0)
    usable = torch.from_numpy(known).float()
    colours = (colours - colours.mean(dim=(1, 2), keepdim=True)) * usable
    squares = colours.square().sum(dim=0)
    of_usable, of_colours, of_squares = spectrum(usable), spectrum(colours), spectrum(squares)
    found = []
    for part in _parts(hole):
        poll()
        around = cv2.dilate(part.astype(np.uint8), np.ones((2 * radius + 1,) * 2, np.uint8)) > 0
        ring = torch.from_numpy(around & known).float()
        if ring.sum() < 8:
            continue
        mine = spectrum(torch.stack([ring, squares * ring, torch.from_numpy(part).float()])).conj()
        crossed = (spectrum(colours * ring).conj() * of_colours).sum(dim=0)
        difference = mine[1] * of_usable + mine[0] * of_squares - 2 * crossed
        sums = torch.fft.irfft2(torch.stack([difference, mine[0] * of_usable, mine[2] * of_usable]), s=shape)
        total, compared, covered = sums
        share = covered / part.sum()
        cost = (total.clamp_min(0) / compared.clamp_min(1) / 3).sqrt() + COVER_COST * (1 - share)
        cost[(compared < 0.4 * ring.sum()) | (share < SMALLEST_COVER)] = torch.inf
        cost = torch.roll(cost, (height, width), (0, 1)).numpy()
        least = cv2.erode(cost, np.ones((5, 5), np.uint8))
        rows, columns = np.nonzero((cost == least) & np.isfinite(cost))
        best = np.argsort(cost[rows, columns], kind="stable")[:PER_PART]
        found.append(np.stack([columns[best] - width, rows[best] - height], axis=1))
    return np.unique(np.concatenate(found), axis=0) if found else np.zeros((0, 2), np.int64)


def _parts(hole: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Return parts (h, w) of a hole, of which each is about as large as any other; large ones if many."""
    number, regions, stats, _ = cv2.connectedComponentsWithStats(hole.astype(np.uint8))
    rows, columns = np.indices(hole.shape)
    side = max(6.0, np.sqrt(hole.sum() / PARTS) * 1.3)
    parts = []
    for region in range(1, number):
        x, y, width, height, _ = (int(value) for value in stats[region])
        across, down = max(1, round(width / side)), max(1, round(height / side))
        cell = (columns - x) * across // width + (rows - y) * down // height * across
        inside = regions == region
        for index in range(across * down):
            part = inside & (cell == index)
            if part.any():
                parts.append(part)
    return sorted(parts, key=lambda part: -int(part.sum()))[:MOST_PARTS]
