"""Which piece each pixel of a hole is copied in; a piece is the photo shifted as a whole."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from na_core.layers.ground_chart import FARTHEST, LARGEST_RATIO, warped
from na_core.layers.plate_labels import chosen
from na_core.layers.plate_shifts import Shift
from na_core.raster.fill import push_pull

WHOLE = 0.999
"""Share of a pixel from which all of it counts as known."""

USABLE = 0.98
"""Share of a pixel that has to be known to be copied."""

LEVELS = 3
"""Sizes that pieces are chosen at, each half of the next one."""

MOST = 32
"""Shifts that pixels choose from, at most."""

ITERATIONS = 14
"""Of belief propagation at the smallest size; half as many at the others."""

IMPOSSIBLE = 10.0
"""What it costs to take a pixel from where there is nothing to take."""

SMOOTH_COST = 0.14
"""What it costs a pixel to be filled smoothly."""

MISMATCH_COST, COLOUR_COST = 0.25, 0.1
"""What it costs a pixel if its piece differs by 1 from the photo around the hole; from the smooth fill."""

GUESS_COST = 0.4
"""The latter where colours are known better than smoothly."""

MISFIT, MISFIT_COST = 0.08, 1.5
"""Difference in [0, 1] from which a piece is something else than what is guessed; what more then costs."""

LARGEST_MISFIT = 0.1
"""How much more counts."""

PERSPECTIVE_COST, LARGEST_PERSPECTIVE = 0.04, 2.0
"""What it costs a pixel if its piece is e times as near or far, were both on the ground; logarithm from which
it does not matter how much nearer."""

HORIZON = 30.0
"""Depth in units of the camera's height beyond which all is equally far, and what is above the ground too."""

DETAIL_COST = 1.5
"""What it costs a pixel if its piece has detail that differs by 1 from what is around the hole."""

LARGEST_MISMATCH = 0.3
"""Difference in [0, 1] from which it does not matter how much a piece differs from the photo."""

RING = 0.05
"""Width of what pieces are compared with around holes, in units of the picture's longer side."""

BLUR = 4.0
"""Standard deviation in pixels of what counts as a piece's colour apart from its texture."""

_AROUND = ((0, 0), (0, 2), (0, -2), (2, 0), (-2, 0))


@dataclass(frozen=True)
class SmallPhoto:
    """A photo at the size that pieces are chosen at.

    Attributes:
        picture: (h, w, 3) float32 in [0, 1], filled smoothly.
        share: (h, w) float32, of each pixel that is known.
        source: (h, w) float32, of each pixel that may be copied.
        colours: (h, w, 3), the picture without its texture; better than smooth where ``guessed``.
        guessed: whether colours of what is unknown were given.
        inverse_depth: (3,) that turns image coordinates (x, y, 1) into 1 / depth of the ground in units of
            the camera's height, negative above it; None if it is not known.
    """

    picture: NDArray[np.float32]
    share: NDArray[np.float32]
    source: NDArray[np.float32]
    colours: NDArray[np.float32]
    guessed: bool
    inverse_depth: NDArray[np.float64] | None = None

    @property
    def hole(self) -> NDArray[np.bool_]:
        """(h, w), pixels of which a part is unknown."""
        return self.share < WHOLE

    def smaller(self, width: int, height: int) -> "SmallPhoto":
        """Return it at another size."""
        picture, share, source, colours = (
            cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA)
            for plane in (self.picture, self.share, self.source, self.colours)
        )
        return SmallPhoto(picture, share, source, colours, self.guessed, self.inverse_depth)


def smoothly_filled(picture: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a picture (h, w, C) filled smoothly where its weight (h, w) is 0."""
    planes, weights = torch.from_numpy(picture).movedim(-1, 0)[None], torch.from_numpy(weight)[None, None]
    found: NDArray[np.float32] = push_pull(planes, weights)[0].movedim(0, -1).contiguous().numpy()
    return found


def pieces(photo: SmallPhoto, shifts: list[Shift]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return a photo copied by each shift, (K, h, w, 3), and where that may be used, (K, h, w)."""
    height, width = photo.share.shape
    scale = np.diag([width, height, 1.0])
    colours = np.empty((len(shifts), height, width, 3), np.float32)
    usable = np.empty((len(shifts), height, width), bool)
    for number, shift in enumerate(shifts):
        source = scale @ shift.source @ np.linalg.inv(scale)
        colours[number] = warped(photo.picture, source, (width, height), cv2.BORDER_REPLICATE)
        usable[number] = warped(photo.source, source, (width, height)) >= USABLE
        if shift.chart is not None:
            usable[number] &= _on_ground(shift, width, height)
    return colours, usable


def _inverse_depths(
    plane: NDArray[np.float64], shift: Shift, width: int, height: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return 1 / depth (h, w) of the ground where pixels are, and where they are copied from."""
    x = ((np.arange(width, dtype=np.float32) + 0.5) / width)[None]
    y = ((np.arange(height, dtype=np.float32) + 0.5) / height)[:, None]

    def at(row: NDArray[np.float64]) -> NDArray[np.float32]:
        a, b, c = row.astype(np.float32)
        return a * x + (b * y + c)

    depth = at(shift.source[2])
    return at(plane), at(plane @ shift.source) / np.where(depth > 1e-6, depth, np.inf)


def _perspective(photo: SmallPhoto, shift: Shift) -> NDArray[np.float32] | float:
    """Return what it costs pixels (h, w) that what a shift across the picture copies is farther or nearer."""
    if photo.inverse_depth is None or shift.chart is not None:
        return 0.0
    height, width = photo.share.shape
    here, there = (
        np.log(np.maximum(values, 1 / HORIZON))
        for values in _inverse_depths(photo.inverse_depth, shift, width, height)
    )
    cost: NDArray[np.float32] = np.minimum(np.abs(here - there), LARGEST_PERSPECTIVE) * PERSPECTIVE_COST
    return cost


def _on_ground(shift: Shift, width: int, height: int) -> NDArray[np.bool_]:
    """Return where (h, w) a shift along the ground moves ground to ground of about its size."""
    assert shift.chart is not None
    here, there = _inverse_depths(shift.chart.inverse_depth, shift, width, height)
    fits = (there < LARGEST_RATIO * here) & (here < LARGEST_RATIO * there)
    found: NDArray[np.bool_] = (here > 1 / FARTHEST) & (there > 1 / FARTHEST) & fits
    return found


def chosen_pieces(photo: SmallPhoto, shifts: list[Shift]) -> NDArray[np.int64]:
    """Return the shift (h, w) that each pixel is copied by, -1 for the smooth fill.

    It is defined beyond the hole as well, as at the hole's nearest pixel.
    """
    height, width = photo.hole.shape
    found: NDArray[np.int64] | None = None
    names = np.arange(len(shifts))
    for level in range(LEVELS - 1, -1, -1):
        small = photo.smaller(max(1, width >> level), max(1, height >> level)) if level else photo
        hole = small.share < (0.5 if level else WHOLE)
        if not hole.any():
            continue
        colours, usable = pieces(small, [shifts[name] for name in names])
        costs = _costs(small, ~hole, [shifts[name] for name in names], colours, usable)
        if found is None:
            best = _most_useful(costs[:, hole])
            colours, costs, names = colours[best], costs[[0, *(best + 1)]], names[best]
            choices = np.broadcast_to(np.arange(len(costs)), (int(hole.sum()), len(costs)))
        else:
            index = np.zeros(len(shifts) + 1, np.int64)
            index[names + 1] = np.arange(len(names)) + 1
            coarse = index[
                cv2.resize(found.astype(np.int16), hole.shape[::-1], interpolation=cv2.INTER_NEAREST)
            ]
            near = [np.roll(coarse, by, (0, 1))[hole] for by in _AROUND]
            choices = np.stack([*near, costs[:, hole].argmin(axis=0)], axis=1)
        picked = chosen(
            torch.from_numpy(np.concatenate([small.picture[None], colours])),
            torch.from_numpy(costs),
            torch.from_numpy(hole),
            torch.from_numpy(np.array(choices)),
            ITERATIONS if found is None else ITERATIONS // 2,
        ).numpy()
        found = np.zeros(hole.shape, np.int64)
        found[hole] = np.array([0, *(names + 1)])[picked]  # 0: smooth
        names = np.unique(found[hole & (found > 0)]) - 1
        found = _spread(found, hole)
    return (np.zeros((height, width), np.int64) if found is None else found) - 1


def _most_useful(costs: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return which shifts of (1 + K, N), the smooth fill first, let N pixels be filled at the least cost."""
    least, left = costs[0], list(range(len(costs) - 1))
    best: list[int] = []
    while left and len(best) < MOST:
        gains = np.maximum(least - costs[1:][left], 0).sum(axis=1)
        if gains.max() <= 0:
            break
        best.append(left.pop(int(gains.argmax())))
        least = np.minimum(least, costs[best[-1] + 1])
    return np.array(sorted(best), np.int64)


def _costs(
    photo: SmallPhoto,
    known: NDArray[np.bool_],
    shifts: list[Shift],
    colours: NDArray[np.float32],
    usable: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Return what it costs (1 + K, h, w) pixels to be filled smoothly, and to be copied by each shift."""
    ring = around_holes(known)
    costs = np.full((len(colours) + 1, *known.shape), SMOOTH_COST, np.float32)
    rough = smoothly_filled(detail(photo.picture)[..., None], ring.astype(np.float32))[..., 0]
    for number, (shift, piece, use) in enumerate(zip(shifts, colours, usable, strict=True)):
        differs = np.minimum(np.abs(piece - photo.picture).mean(axis=-1), LARGEST_MISMATCH)
        mismatch = smoothly_filled(differs[..., None], (ring & use).astype(np.float32))[..., 0]
        if photo.guessed:
            off = np.abs(cv2.blur(piece, (5, 5)) - photo.colours).mean(axis=-1)
            away = off * GUESS_COST + np.clip(off - MISFIT, 0, LARGEST_MISFIT) * MISFIT_COST
        else:
            away = np.abs(cv2.blur(piece, (9, 9)) - photo.colours).mean(axis=-1) * COLOUR_COST
        away += np.abs(detail(piece) - rough) * DETAIL_COST + _perspective(photo, shift)
        cost = np.where(use, MISMATCH_COST * mismatch + away, IMPOSSIBLE)
        # Beside the photo a piece has to go on as the photo does.
        step = np.where(use, differs, LARGEST_MISMATCH / 3) * known
        cost[1:] += step[:-1]
        cost[:-1] += step[1:]
        cost[:, 1:] += step[:, :-1]
        cost[:, :-1] += step[:, 1:]
        costs[number + 1] = cost
    return costs


def around_holes(known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the known pixels (h, w) around holes."""
    radius = max(2, round(RING * max(known.shape)))
    around = cv2.dilate((~known).astype(np.uint8), np.ones((2 * radius + 1,) * 2, np.uint8)) > 0
    return known & around


def detail(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much pixels of a picture (h, w, 3) differ from those around them, (h, w) in [0, 1]."""
    fine = np.abs(picture - cv2.blur(picture, (5, 5))).mean(axis=-1)
    found: NDArray[np.float32] = cv2.blur(fine, (9, 9))
    return found


def _spread(labels: NDArray[np.int64], hole: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return labels (h, w) that go on beyond the hole as its nearest pixel has them."""
    _, nearest = cv2.distanceTransformWithLabels(
        (~hole).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    table = np.zeros(int(nearest.max()) + 1, np.int64)
    table[nearest[hole]] = labels[hole]
    spread: NDArray[np.int64] = table[nearest]
    return spread
