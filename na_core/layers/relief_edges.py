"""Depths of objects that step where the photo has an edge.

A network's depths step some pixels beside the edge that the photo shows, now on this side and now on that.
Seen from the photo's camera nobody sees it; from the side the rim of a cup tears into teeth. Here depths
become, patch by patch, linear functions of the photo's colours (a guided filter: He, Sun and Tang, "Guided
Image Filtering", 2013), which gives them its edges, and medians make of what is left between two depths one
or the other.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from na_core.cancellation import poll
from na_core.layers.resample import nearest_known

RADIUS = 0.0133
"""Half a patch's side, in units of the photo's longer side."""

EPSILON = 1e-3
"""Variance of colours in [0, 1] below which they say nothing of depths."""

MEDIANS = 6
"""How often each pixel becomes the median of 5 x 5: enough for steps as wide as a patch."""

LEAST_PIXELS = 32
"""Of an object; a smaller one keeps its depths."""


def with_sharp_steps(
    depths: NDArray[np.float32],
    index: NDArray[np.integer],
    owner: NDArray[np.integer],
    picture: NDArray[np.uint8],
) -> NDArray[np.float32]:
    """Return depths (L, h, w) in metres whose steps within objects follow a photo's edges.

    Objects keep their least and their largest depth; beyond an outline, that of its nearest pixel goes on.

    Args:
        depths: (L, h, w), on each of L layers.
        index: (L, h, w), the object that each depth is of, -1 for none; an object has a pixel on one layer.
        owner: (H, W), the object that each pixel of the photo shows, -1 for none, at any size.
        picture: (h, w, 3) sRGB, the photo.
    """
    result = depths.copy()
    small_owner = cv2.resize(owner.astype(np.int16), picture.shape[1::-1], interpolation=cv2.INTER_NEAREST)
    radius = max(1, round(RADIUS * max(picture.shape[:2])))
    for number in np.unique(small_owner[small_owner >= 0]):
        poll()
        of_it = index == number
        shows = of_it.any(axis=0) & (small_owner == number)
        if shows.sum() < LEAST_PIXELS:
            continue
        x, y, width, height = cv2.boundingRect(of_it.any(axis=0).astype(np.uint8))
        margin = 2 * radius
        window = (
            slice(max(y - margin, 0), y + height + margin),
            slice(max(x - margin, 0), x + width + margin),
        )
        inside, its = shows[window], of_it[:, window[0], window[1]]
        depth = np.where(its, depths[:, window[0], window[1]], 0).sum(axis=0, dtype=np.float32)
        own = depth[inside]
        middle, spread = own.mean(), own.std() + 1e-6
        guide = picture[window].astype(np.float32) / 255
        sharp = _guided(np.where(inside, (depth - middle) / spread, 0), guide, inside, radius)
        sharp = np.clip(_medians(sharp, inside) * spread + middle, own.min(), own.max())
        part = result[:, window[0], window[1]]
        np.copyto(part, sharp, where=its)
    return result


def _guided(
    values: NDArray[np.float32], guide: NDArray[np.float32], inside: NDArray[np.bool_], radius: int
) -> NDArray[np.float32]:
    """Return values (h, w) as linear functions of colours (h, w, 3) around; outside counts nothing."""
    weight = inside.astype(np.float32)
    total = _box(weight, radius) + 1e-6

    def mean(plane: NDArray[np.float32]) -> NDArray[np.float32]:
        return _box(plane * weight, radius) / total

    colours = [np.ascontiguousarray(plane) for plane in np.moveaxis(guide, -1, 0)]
    means, mean_value = [mean(plane) for plane in colours], mean(values)
    with_value = [mean(p * values) - m * mean_value for p, m in zip(colours, means, strict=True)]
    (rr, rg, rb), (_, gg, gb), (_, _, bb) = (
        [mean(colours[i] * colours[j]) - means[i] * means[j] + EPSILON * (i == j) for j in range(3)]
        for i in range(3)
    )
    # The inverse of the symmetric covariance by its cofactors.
    cofactors = [
        [gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - rb * gg],
        [rb * gb - rg * bb, rr * bb - rb * rb, rg * rb - rr * gb],
        [rg * gb - rb * gg, rg * rb - rr * gb, rr * gg - rg * rg],
    ]
    determinant = rr * cofactors[0][0] + rg * cofactors[0][1] + rb * cofactors[0][2]
    slopes = [sum(c * v for c, v in zip(row, with_value, strict=True)) / determinant for row in cofactors]
    offset = mean_value - sum(s * m for s, m in zip(slopes, means, strict=True))
    found: NDArray[np.float32] = mean(offset) + sum(
        mean(s) * plane for s, plane in zip(slopes, colours, strict=True)
    )
    return found


def _medians(values: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return values (h, w) smoothed by medians; outside, the nearest inside goes on."""
    values = nearest_known(values, ~inside)
    for _ in range(MEDIANS):
        values = cv2.medianBlur(values, 5)
    return values


def _box(values: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """Return the mean (h, w) around each pixel."""
    size = 2 * radius + 1
    found: NDArray[np.float32] = cv2.blur(values, (size, size), borderType=cv2.BORDER_REFLECT)
    return found
