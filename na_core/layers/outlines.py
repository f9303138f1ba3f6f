"""Outlines of objects drawn along the edges of their photo.

A network that looks at many photos knows about where an object ends; the photo itself knows exactly. GrabCut
(Rother et al., "GrabCut: Interactive foreground extraction using iterated graph cuts", 2004) starts from what
the network is sure of, models the colours on either side, and cuts where they change.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from na_core.cancellation import poll

SURE, SURELY_NOT = 0.8, 0.1
"""Probabilities from which a pixel shows the object, and up to which it does not, whatever its colour."""

ITERATIONS = 2
"""Of GrabCut: of its colour models and its cut."""

MARGIN = 0.05
"""How much is looked at around an object, in units of the picture's longer side."""

AGREEMENT = 0.5
"""Intersection over union with the network's outline below which colours cannot tell the object apart."""

MIN_COLOUR_PIXELS = 32
"""Pixels that either side needs for a model of its colours."""

CERTAIN = 0.97
"""Probability of no object from which a pixel counts as showing none for certain."""

CUT_SIDE = 768
"""Longer side in pixels at which outlines are cut; beyond it they are enlarged smoothly."""


def outlines(
    picture: NDArray[np.uint8], chances: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return which object each pixel of a photo shows, and may show, both (H, W), -1 for none.

    Args:
        picture: (H, W, 3) sRGB.
        chances: (K, h, w), that a pixel shows each object, at any size of the photo's shape.
    """
    height, width = picture.shape[:2]
    scale = min(1.0, max(CUT_SIDE, *chances.shape[1:]) / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = picture if size == (width, height) else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    owner, cover = _cut(small, np.stack([_scaled(chance, size) for chance in chances]))
    if size == (width, height):
        return owner, cover
    owner = enlarged_owner(owner, width, height)
    cover = cv2.resize(cover, (width, height), interpolation=cv2.INTER_NEAREST)
    return owner, np.where(owner < 0, cover, owner)


def _cut(
    picture: NDArray[np.uint8], chances: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    nothing = 1 - chances.sum(axis=0)
    likeliest = chances.argmax(axis=0).astype(np.int32)
    best = chances.max(axis=0)
    owner = np.where(nothing >= best, -1, likeliest)
    cover = np.where((best <= 0) | ((nothing >= best) & (nothing >= CERTAIN)), -1, likeliest)
    owner = snap_outlines(picture, chances, owner).astype(np.int32)
    cover = np.where(owner < 0, cover, owner)
    return without_doubtful_holes(owner, cover), cover


def _scaled(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    if values.shape[::-1] == size:
        return values
    return cv2.resize(values, size, interpolation=cv2.INTER_LINEAR)


def enlarged_owner(owner: NDArray[np.int32], width: int, height: int) -> NDArray[np.int32]:
    """Return owners (h, w), -1 for none, at a larger size, with outlines that stay smooth."""
    rows, columns = owner.shape
    enlarged = np.full((height, width), -1, np.int32)
    best = np.full((height, width), 0.5, np.float32)
    for number in np.unique(owner[owner >= 0]):
        poll()
        shows = owner == number
        x, y, w, h = cv2.boundingRect(shows.astype(np.uint8))
        # A margin for the kernel, and whole pixels of both sizes.
        left, top, right, bottom = max(x - 3, 0), max(y - 3, 0), min(x + w + 3, columns), min(y + h + 3, rows)
        x0, x1 = left * width // columns, -(-right * width // columns)
        y0, y1 = top * height // rows, -(-bottom * height // rows)
        matrix = np.array(
            [
                [columns / width, 0, (x0 + 0.5) * columns / width - 0.5 - left],
                [0, rows / height, (y0 + 0.5) * rows / height - 0.5 - top],
            ]
        )
        share = cv2.warpAffine(
            shows[top:bottom, left:right].astype(np.float32),
            matrix,
            (x1 - x0, y1 - y0),
            flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        window = slice(y0, y1), slice(x0, x1)
        wins = share > best[window]
        enlarged[window][wins] = number
        best[window][wins] = share[wins]
    return enlarged


def without_doubtful_holes(owner: NDArray[np.int32], cover: NDArray[np.int32]) -> NDArray[np.int32]:
    """Give an object the pixels that it encloses and may cover: coffee belongs to its cup.

    A hole that surely shows no object stays one.

    Args:
        owner: (H, W), the object that each pixel shows, -1 for none.
        cover: (H, W), the object that it may show.
    """
    filled = owner.copy()
    for number in np.unique(cover[(owner < 0) & (cover >= 0)]):
        shows = filled == number
        x, y, width, height = cv2.boundingRect(shows.astype(np.uint8))
        window = slice(y, y + height), slice(x, x + width)  # what it encloses is in there
        around = np.pad(~shows[window], 1, constant_values=True).astype(np.uint8)
        _, regions = cv2.connectedComponents(around, connectivity=4)
        enclosed = (regions != regions[0, 0])[1:-1, 1:-1] & ~shows[window]
        filled[window][enclosed & (filled[window] < 0) & (cover[window] == number)] = number
    return filled


def snap_outlines(
    picture: NDArray[np.uint8], probability: NDArray[np.float32], owner: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Return which object each pixel shows (H, W), -1 for none, with outlines on the photo's edges.

    Where two objects claim a pixel, the more probable one has it. A function of its arguments alone.

    Args:
        picture: (H, W, 3) sRGB.
        probability: (N, H, W), that a pixel shows each object.
        owner: (H, W), what the network thinks; objects that it sees nowhere stay so.
    """
    snapped = np.full(owner.shape, -1, np.int64)
    best = np.zeros(owner.shape, np.float32)
    for number in np.unique(owner[owner >= 0]):
        poll()
        chance = probability[number]
        shows = snap_outline(picture, chance, owner == number) & (chance > best)
        snapped[shows] = number
        best[shows] = chance[shows]
    return snapped


def snap_outline(
    picture: NDArray[np.uint8], probability: NDArray[np.float32], shows: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return an object's pixels (H, W), the network's own where the photo's colours are no help.

    Args:
        picture: (H, W, 3) sRGB.
        probability: (H, W), that a pixel shows the object.
        shows: (H, W), where the network sees it.
    """
    window = _around(probability > SURELY_NOT, round(MARGIN * max(shows.shape)))
    chance = probability[window]
    mask = np.where(shows[window], cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    mask[chance > SURE] = cv2.GC_FGD
    mask[chance < SURELY_NOT] = cv2.GC_BGD
    inside = (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
    if min(int(inside.sum()), int((~inside).sum())) < MIN_COLOUR_PIXELS:
        return shows
    colours = np.ascontiguousarray(picture[window])
    cv2.setRNGSeed(0)  # its first colour models are drawn at random
    cv2.grabCut(colours, mask, None, np.zeros((1, 65)), np.zeros((1, 65)), ITERATIONS, cv2.GC_INIT_WITH_MASK)
    cut = (mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)
    before = shows[window]
    if (cut & before).sum() < AGREEMENT * (cut | before).sum():
        return shows
    snapped = np.zeros_like(shows)
    snapped[window] = cut
    return snapped


def _around(region: NDArray[np.bool_], margin: int) -> tuple[slice, slice]:
    """Return the window of a region's bounds and a margin; nothing of an empty region."""
    x, y, width, height = cv2.boundingRect(region.astype(np.uint8))
    reach = margin if width else 0
    return slice(max(y - reach, 0), y + height + reach), slice(max(x - reach, 0), x + width + reach)
