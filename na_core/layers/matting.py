"""Soft outlines: how much of a pixel an object covers, and its colours without what is behind.

The hard outline says about where an object ends. Around it, in a band that is wider where the network was in
doubt, alpha is found from the photo's own pixels: a guess from the colours that surely belong to either side
(after Gastal and Oliveira, "Shared Sampling for Real-Time Alpha Matting", 2010), spread by the closed form.
It is solved at a working size and carried to the photo's pixels by the linear function of the colours that
it is locally. The colours explain the photo's pixel, and are as near as they can be to those of each side.
"""

from dataclasses import dataclass
from itertools import product

import cv2
import numpy as np
from numpy.typing import NDArray

from na_core.cancellation import poll
from na_core.layers.closed_form import solve_alpha

MATTE_SIDE = 1024
"""Longer side in pixels at which alpha is solved for; beyond it, it follows the photo's colours."""

BAND, MAX_BAND = 2.0, 4.0
"""Half the width of the band that is in doubt anyway, and where the network is, in the network's pixels."""

MIN_BAND = 3
"""The least of both, in pixels at which alpha is solved for."""

DOUBTS = (0.1, 0.85)
"""Chances between which the network is in doubt."""

MIN_ALPHA, FULL_ALPHA = 0.05, 0.95
"""Shares of a pixel that count as nothing below, and as everything above."""

SOLID = 128
"""Level of alpha from which a pixel shows the object more than anything else."""

NEAR, WIDE, WIDEST = 3, 16, 128
"""Radii in pixels over which sure colours are averaged, and how far they are looked for."""

COLOUR_TRUST, OUTLINE_TRUST, ALIKE_TRUST = 0.03, 0.002, 0.3
"""Weights of guesses from colours; from the hard outline; and from that where both sides look alike."""

ALIKE, UNEXPLAINED = 20.0, 15.0
"""Levels by which the colours of both sides differ though they look alike, and a pixel from any mixture."""

STRIP = 256
"""Rows of a photo that are worked on at once."""

Colours = NDArray[np.float32]
"""(H, W, 3) in levels."""


@dataclass(frozen=True)
class Mattes:
    """The soft outlines of a photo's objects.

    Attributes:
        owner: (H, W) int32, the object that covers most of a pixel of which it covers :data:`MIN_ALPHA` or
            more, -1 for none.
        alpha: (H, W) uint8, how much of the pixel that is, 255 all of it.
        foreground: (H, W, 3) uint8 sRGB, the photo; its owner's colour alone where alpha is in between.
    """

    owner: NDArray[np.int32]
    alpha: NDArray[np.uint8]
    foreground: NDArray[np.uint8]


def mattes(picture: NDArray[np.uint8], chances: NDArray[np.float32], owner: NDArray[np.int32]) -> Mattes:
    """Make the hard outlines of a photo's objects soft. A function of its arguments alone.

    Args:
        picture: (H, W, 3) sRGB.
        chances: (K, h, w), that a pixel shows each object, at any size of the photo's shape.
        owner: (H, W), the object that each pixel shows, -1 for none, see
            :func:`na_core.layers.outlines.outlines`.
    """
    height, width = owner.shape
    scale = min(1.0, MATTE_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = picture if size == (width, height) else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    result = Mattes(np.full_like(owner, -1), np.zeros(owner.shape, np.uint8), picture.copy())
    for number in np.unique(owner[owner >= 0]):
        poll()
        share = (owner == number).astype(np.float32)
        share = share if size == (width, height) else cv2.resize(share, size, interpolation=cv2.INTER_AREA)
        chance = cv2.resize(chances[number], size, interpolation=cv2.INTER_LINEAR)
        unit = max(size) / max(chances.shape[1:])
        _put(result, int(number), picture, small, share >= 0.5, chance, unit)
    return result


def trimap(shows: NDArray[np.bool_], chance: NDArray[np.float32], unit: float) -> NDArray[np.float32]:
    """Return (H, W): 1 where an object surely is, 0 where it surely is not, 0.5 where that is in doubt.

    Args:
        shows: (H, W), within the hard outline.
        chance: (H, W), what the network says.
        unit: pixels of a pixel of the network.
    """
    inside, outside = (
        cv2.distanceTransform(np.pad(region, 1, constant_values=True).astype(np.uint8), cv2.DIST_L2, 5)[
            1:-1, 1:-1
        ]
        for region in (shows, ~shows)
    )
    distance = np.where(shows, inside, outside)
    band, most = (max(MIN_BAND, round(reach * unit)) for reach in (BAND, MAX_BAND))
    in_doubt = (chance > DOUBTS[0]) & (chance < DOUBTS[1])
    unknown = (distance <= band) | (in_doubt & (distance <= most))
    unknown &= ~shows | (distance <= max(1.0, inside.max() / 2))  # of a small object its middle is sure
    unknown &= shows | (chance > 0)  # beyond its box there is nothing of an object
    return np.where(unknown, np.float32(0.5), shows.astype(np.float32))


@dataclass(frozen=True)
class _Solved:
    """What is known of one object at the working size, in a window of h x w pixels there.

    Attributes:
        alpha: (h, w) float32.
        slope, offset: (h, w, 3) and (h, w) float32: alpha as a function of the colours in levels.
        front, back: (h, w, 3) float32, colours of the object and of what is behind, continued over the band.
        band: (h, w) bool, where alpha was in doubt.
    """

    alpha: NDArray[np.float32]
    slope: Colours
    offset: NDArray[np.float32]
    front: Colours
    back: Colours
    band: NDArray[np.bool_]


def _put(
    result: Mattes,
    number: int,
    picture: NDArray[np.uint8],
    small: NDArray[np.uint8],
    shows: NDArray[np.bool_],
    chance: NDArray[np.float32],
    unit: float,
) -> None:
    """Write an object into the mattes of a photo, where it covers more than the objects before it."""
    (height, width), (rows, columns) = picture.shape[:2], small.shape[:2]
    known = trimap(shows, chance, unit)
    window = _bounds(known > 0, WIDE + NEAR)
    if window is None:
        return
    known, inner = known[window], small[window]
    solved = _solved(inner, known, shows[window])
    top, left = window[0].start, window[1].start
    y0, x0 = top * height // rows, left * width // columns
    y1, x1 = (
        -(-window[axis].stop * side // size) for axis, side, size in ((0, height, rows), (1, width, columns))
    )
    for start in range(y0, y1, STRIP):
        poll()
        strip = slice(start, min(start + STRIP, y1)), slice(x0, x1)
        values = _at_photo(solved, picture[strip], (rows / height, columns / width), (start, x0), (top, left))
        _write(result, number, strip, *values)


def _at_photo(
    solved: _Solved,
    colours: NDArray[np.uint8],
    scale: tuple[float, float],
    place: tuple[int, int],
    corner: tuple[int, int],
) -> tuple[NDArray[np.float32], Colours]:
    """Return alpha (H, W) and the object's colours (H, W, 3) of a window of the photo.

    Args:
        solved: at the working size.
        colours: (H, W, 3) sRGB.
        scale: working pixels per pixel of the photo, down and across.
        place: the first row and column of the window in the photo; corner: those of what is solved there.
    """
    shown = colours.astype(np.float32)
    if scale == (1.0, 1.0):
        some = slice(place[0] - corner[0], place[0] - corner[0] + len(colours))
        alpha, front, back = solved.alpha[some], solved.front[some], solved.back[some]
        return alpha, _unmixed(shown, alpha, front, back)
    matrix = np.array(
        [
            [scale[1], 0, (place[1] + 0.5) * scale[1] - 0.5 - corner[1]],
            [0, scale[0], (place[0] + 0.5) * scale[0] - 0.5 - corner[0]],
        ]
    )

    def carried(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return cv2.warpAffine(plane, matrix, shown.shape[1::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)

    alpha = (carried(solved.slope) * shown).sum(axis=-1) + carried(solved.offset)
    share = carried(solved.band.astype(np.float32))
    alpha = (share * alpha.clip(0, 1) + (1 - share) * carried(solved.alpha)).clip(0, 1)
    return alpha, _unmixed(shown, alpha, carried(solved.front), carried(solved.back))


def _write(
    result: Mattes, number: int, window: tuple[slice, slice], alpha: NDArray[np.float32], colours: Colours
) -> None:
    alpha = np.where(alpha < MIN_ALPHA, 0, np.where(alpha > FULL_ALPHA, 1, alpha))
    levels = np.rint(255 * alpha).astype(np.uint8)
    wins = levels > result.alpha[window]
    result.owner[window][wins] = number
    result.alpha[window][wins] = levels[wins]
    soft = wins & (levels < 255)
    result.foreground[window][soft] = np.rint(colours[soft]).astype(np.uint8)


def _solved(picture: NDArray[np.uint8], known: NDArray[np.float32], shows: NDArray[np.bool_]) -> _Solved:
    """Solve for an object's alpha.

    Args:
        picture: (h, w, 3) sRGB.
        known: (h, w), see :func:`trimap`.
        shows: (h, w), within the hard outline.
    """
    colours = picture.astype(np.float32)
    band = known == 0.5
    hard = shows.astype(np.float32)
    alpha = known.copy()
    if band.any() and (known == 1).any() and (known == 0).any():
        guess, trust = _guesses(colours, known, cv2.GaussianBlur(hard, (0, 0), 0.7))
        alpha = solve_alpha(picture, known, guess, trust)
        alpha[_loose(alpha, shows)] = 0
    else:
        alpha[band] = hard[band]
    front = _continued(colours, alpha > FULL_ALPHA, NEAR, band)
    back = _continued(colours, alpha < MIN_ALPHA, NEAR, band)
    return _Solved(alpha, *_linear(colours, alpha), front, back, band)


def _loose(alpha: NDArray[np.float32], shows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which pixels (h, w) belong to spots that hang together with nothing of the hard outline."""
    _, spots = cv2.connectedComponents((alpha >= MIN_ALPHA).astype(np.uint8), connectivity=8)
    held = np.zeros(spots.max() + 1, bool)
    held[spots[shows]] = True
    return ~held[spots]


def _guesses(
    colours: Colours, known: NDArray[np.float32], outline: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what alpha may be, and the weight of that, both (h, w): from colours and the hard outline."""
    band = known == 0.5
    shown = colours[band]
    least = np.full(len(shown), np.inf, np.float32)
    alpha, trust, apart = np.zeros_like(least), np.zeros_like(least), np.zeros_like(least)
    for front, back in product(_samples(colours, known == 1, band), _samples(colours, known == 0, band)):
        way = front - back
        contrast = (way * way).sum(axis=-1)
        share = (((shown - back) * way).sum(axis=-1) / np.maximum(contrast, 1)).clip(0, 1)
        error = np.square(shown - back - share[:, None] * way).sum(axis=-1)
        cost = error / np.maximum(contrast, ALIKE**2 / 2)
        better = cost < least
        least[better], alpha[better] = cost[better], share[better]
        sure = np.square(contrast / (contrast + (2 * ALIKE) ** 2)) * np.exp(-error / (2 * UNEXPLAINED**2))
        trust[better] = sure[better]
        apart = np.maximum(apart, contrast / (contrast + ALIKE**2))
    by_colour = COLOUR_TRUST * trust
    by_outline = OUTLINE_TRUST + ALIKE_TRUST * np.square(1 - apart)
    guess, weight = outline.copy(), np.zeros_like(outline)
    weight[band] = by_colour + by_outline
    guess[band] = (by_colour * alpha + by_outline * outline[band]) / weight[band]
    return guess, weight


def _samples(colours: Colours, sure: NDArray[np.bool_], band: NDArray[np.bool_]) -> list[Colours]:
    """Return colours that the sure side may have at each pixel of a band: three times (P, 3)."""
    core = cv2.erode(sure.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    core = core if core.any() else sure
    _, labels = cv2.distanceTransformWithLabels(
        (~core).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    place = np.zeros(labels.max() + 1, np.int64)
    place[labels[core]] = np.flatnonzero(core)
    nearest = cv2.blur(colours, (3, 3)).reshape(-1, 3)[place[labels[band]]]
    return [_continued(colours, sure, radius, band)[band] for radius in (NEAR, WIDE)] + [nearest]


def _continued(colours: Colours, sure: NDArray[np.bool_], radius: int, where: NDArray[np.bool_]) -> Colours:
    """Return the mean of the sure colours around each pixel (h, w, 3), as near as there are any.

    Args:
        colours: in levels.
        sure: (h, w).
        radius: pixels of the smallest squares that are averaged over; they double.
        where: (h, w), where colours are needed; elsewhere they are the pixel's own.
    """
    result = colours.copy()
    todo = where & ~sure
    weight = sure.astype(np.float32)
    weighted = colours * weight[..., None]
    while radius <= WIDEST and todo.any():
        size = (2 * radius + 1, 2 * radius + 1)
        share = cv2.blur(weight, size, borderType=cv2.BORDER_CONSTANT)
        found = todo & (share > 0.02)
        mean = cv2.blur(weighted, size, borderType=cv2.BORDER_CONSTANT)
        result[found] = mean[found] / share[found, None]
        todo &= ~found
        radius *= 2
    return result


def unmixed_colours(picture: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return an object's own colours (H, W, 3) where it covers pixels in part; elsewhere the photo's.

    Args:
        picture: (H, W, 3) sRGB.
        alpha: (H, W), how much of each pixel it covers, 255 all of it.
    """
    result = picture.copy()
    window = _bounds(alpha > 0, WIDE + NEAR)
    if window is None:
        return result
    colours, share = picture[window].astype(np.float32), alpha[window].astype(np.float32) / 255
    scale = min(1.0, MATTE_SIDE / max(share.shape))
    size = (max(1, round(share.shape[1] * scale)), max(1, round(share.shape[0] * scale)))
    small, covered = (cv2.resize(values, size, interpolation=cv2.INTER_AREA) for values in (colours, share))
    band = (covered >= MIN_ALPHA) & (covered <= FULL_ALPHA)
    front, back = (
        cv2.resize(_continued(small, sure, NEAR, band), share.shape[::-1], interpolation=cv2.INTER_LINEAR)
        for sure in (covered > FULL_ALPHA, covered < MIN_ALPHA)
    )
    mixed = (share > 0) & (share < 1)
    result[window][mixed] = np.rint(_unmixed(colours, share, front, back)[mixed]).astype(np.uint8)
    return result


def _linear(colours: Colours, alpha: NDArray[np.float32]) -> tuple[Colours, NDArray[np.float32]]:
    """Return slope (h, w, 3) and offset (h, w) of alpha as a linear function of colours around each pixel.

    After He, Sun and Tang, "Guided Image Filtering" (2010).
    """

    def mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return cv2.blur(values, (3, 3), borderType=cv2.BORDER_REFLECT)

    middle, level = mean(colours), mean(alpha)
    second = np.empty((*alpha.shape, 3, 3), np.float32)
    for one, other in product(range(3), range(3)):
        if one <= other:
            spread = mean(colours[..., one] * colours[..., other]) - middle[..., one] * middle[..., other]
            second[..., one, other] = second[..., other, one] = spread
    second += np.eye(3, dtype=np.float32) * np.float32(4.0)
    along = mean(colours * alpha[..., None]) - middle * level[..., None]
    slope = np.linalg.solve(second, along[..., None])[..., 0].astype(np.float32)
    offset = level - (slope * middle).sum(axis=-1)
    return mean(slope), mean(offset)


def _unmixed(colours: Colours, alpha: NDArray[np.float32], front: Colours, back: Colours) -> Colours:
    """Return the object's colours (h, w, 3): nearest to those of both sides of all that explain the pixel."""
    mixed = alpha[..., None] * front + (1 - alpha[..., None]) * back
    share = alpha / (alpha**2 + (1 - alpha) ** 2)
    return (front + share[..., None] * (colours - mixed)).clip(0, 255)


def _bounds(region: NDArray[np.bool_], margin: int) -> tuple[slice, slice] | None:
    """Return the window of a region's bounds and a margin within the picture; None of an empty region."""
    x, y, width, height = cv2.boundingRect(region.astype(np.uint8))
    if not width:
        return None
    rows, columns = region.shape
    down = slice(max(y - margin, 0), min(y + height + margin, rows))
    return down, slice(max(x - margin, 0), min(x + width + margin, columns))
