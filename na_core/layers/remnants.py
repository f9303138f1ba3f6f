"""What of an object sticks out of its outline, found by its colour.

A network's outline now and then misses a piece of an object: a cup's handle, the rim of a saucer. It would
stay behind when the object leaves, and its colour would run into the plate. Near an object, what has the
colours of the object's rim rather than those of the ground farther out belongs to it.
"""

from collections.abc import Collection, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from na_core.cancellation import poll
from na_core.scene import Rectangle

SIDE = 256
"""Longer side in pixels of the picture that remnants are looked for on."""

REACH = 0.05
"""How far from an object its remnants lie, in units of the picture's longer side."""

OUTSIDE = 0.02
"""How far outside an object's 2D box its remnants lie, in the same units: boxes are not quite exact."""

RIM = 0.03
"""Width of an object's rim, whose colours remnants have."""

GROUND = 0.06
"""Width of the ground beyond the reach that remnants are told from."""

LIKELIER = 4.0
"""How many times likelier a remnant's colour is on the object's rim than on the ground."""

BINS = 12
"""Steps of each of three channels that colours are counted in."""

MIN_PIXELS = 24
"""Pixels of rim and of ground that are needed to tell them apart."""

LARGEST = 0.35
"""Area of remnants in units of the object's beyond which colours do not tell it from the ground."""


def with_remnants(
    picture: NDArray[np.uint8],
    cover: NDArray[np.int32],
    whole: Collection[int] = (),
    rectangles: Sequence[Rectangle | None] = (),
) -> NDArray[np.int32]:
    """Return which object each pixel may show, with what of it sticks out of its outline.

    Args:
        picture: (H, W, 3) sRGB.
        cover: (H, W), the object that each pixel may show, -1 for none.
        whole: objects whose outlines are known; nothing sticks out of them.
        rectangles: 2D boxes of the objects by number, None where unknown: a launch pad with a rocket's
            colours is no part of it.
    """
    height, width = cover.shape
    scale = min(1.0, SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    colours = cv2.cvtColor(small, cv2.COLOR_RGB2Lab).astype(np.int64) * BINS // 256
    bins = (colours[..., 0] * BINS + colours[..., 1]) * BINS + colours[..., 2]
    shows = cv2.resize(cover.astype(np.int16), size, interpolation=cv2.INTER_NEAREST)
    found = cover.copy()
    for number in np.setdiff1d(cover[cover >= 0], list(whole)):
        poll()
        added = _remnants(bins, shows == number, shows >= 0)
        if number < len(rectangles) and (rectangle := rectangles[number]) is not None:
            added &= _near_rectangle(rectangle, *added.shape)
        if added.any():
            large = (
                cv2.resize(added.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
            )
            found[large & (cover < 0)] = number
    return found


def _remnants(
    bins: NDArray[np.int64], object_: NDArray[np.bool_], objects: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return pixels (h, w) that touch an object, directly or through others, and have its rim's colours."""
    nothing = np.zeros_like(object_)
    longer = max(object_.shape)
    away = cv2.distanceTransform((~object_).astype(np.uint8), cv2.DIST_L2, 3)
    inside = cv2.distanceTransform(object_.astype(np.uint8), cv2.DIST_L2, 3)
    near = ~objects & (away <= REACH * longer)
    beyond = ~objects & (away > REACH * longer) & (away <= (REACH + GROUND) * longer)
    rim = object_ & (inside <= max(RIM * longer, 2))
    if min(int(rim.sum()), int(beyond.sum())) < MIN_PIXELS:
        return nothing
    of_rim, of_ground = _chances(bins[rim]), _chances(bins[beyond])
    alike = near & (of_rim[bins] > LIKELIER * of_ground[bins])
    alike = cv2.morphologyEx((alike | object_).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    alike = (cv2.morphologyEx(alike, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)) > 0) & near
    _, regions = cv2.connectedComponents((alike | object_).astype(np.uint8))
    touching = np.unique(regions[object_])
    added = alike & np.isin(regions, touching)
    return nothing if added.sum() > LARGEST * object_.sum() else added


def _near_rectangle(rectangle: Rectangle, height: int, width: int) -> NDArray[np.bool_]:
    """Return which pixels (h, w) lie in an object's 2D box or just outside."""
    x0, y0, x1, y1 = rectangle
    columns, rows = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    reach = OUTSIDE * max(width, height)
    within_x = (columns > x0 - reach / width) & (columns < x1 + reach / width)
    within_y = (rows > y0 - reach / height) & (rows < y1 + reach / height)
    return within_y[:, None] & within_x[None]


def _chances(bins: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return how often pixels have colours (BINS ** 3,), spread over neighbouring ones."""
    counts = np.bincount(bins, minlength=BINS**3).astype(np.float32).reshape(BINS, BINS, BINS)
    for axis in range(3):
        low, high = (np.roll(counts, by, axis) for by in (1, -1))
        counts = 0.5 * counts + 0.25 * (low + high)
    return (counts.ravel() / max(len(bins), 1) + 1e-4).astype(np.float32)
