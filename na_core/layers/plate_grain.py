"""Grain for what no piece of the photo fits: the fine detail of a piece, on the smooth fill."""

import cv2
import numpy as np
from numpy.typing import NDArray

from na_core.layers.plate_pieces import BLUR, SmallPhoto, around_holes, detail, pieces, smoothly_filled
from na_core.layers.plate_shifts import Shift, across_picture

MISFIT = 0.025
"""Difference of detail, in [0, 1], from which a piece's grain is not that of the surroundings."""

CLOSE = 0.3
"""The same in units of the surroundings' detail, where that is more."""

BESIDE = 9
"""Side in pixels of squares that look smoother than they are if they reach into a hole."""

CALM = 15
"""Side in pixels of squares whose calmest pixel says how rough grain is: what is rougher there are edges."""

LARGEST_GRAIN = 0.06
"""Difference from the smooth picture, in [0, 1], beyond which a piece has edges and not grain."""

MOST = 6
"""Pieces that grain is taken from."""

STEPS = (-0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6)
"""How far away grain is looked for, to the right and down, in units of the picture's sides."""


def grain_shifts() -> list[Shift]:
    """Return shifts that grain may be copied by, whatever the photo."""
    return [across_picture(right, down) for right in STEPS for down in STEPS if right or down]


def with_grain(photo: SmallPhoto, shifts: list[Shift], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return labels (h, w) whose smooth pixels, -1, have grain where there is some.

    Of n shifts, label n + k stands for the grain of shift k.
    """
    bare = photo.hole & (labels < 0)
    if not bare.any() or not shifts:
        return labels
    height, width = bare.shape
    half = photo.smaller(max(1, width // 2), max(1, height // 2))
    left = cv2.resize(bare.astype(np.float32), half.share.shape[::-1], interpolation=cv2.INTER_AREA) > 0
    colours, usable = pieces(half, shifts)
    fine = detail(half.picture)
    smooth = cv2.dilate(half.hole.astype(np.uint8), np.ones((BESIDE, BESIDE), np.uint8)) > 0
    details = np.stack([detail(piece) for piece in colours])
    ring = around_holes(~half.hole).astype(np.float32)
    grain = np.full(left.shape, -1, np.int64)
    # Faint grain where there is some, else that of the calmest surroundings.
    for rough in (fine, np.where(smooth, np.float32(1), fine)):
        calm = cv2.erode(rough, np.ones((CALM, CALM), np.uint8))
        wanted = smoothly_filled(calm[..., None], ring)[..., 0]
        fits = (np.maximum(MISFIT, CLOSE * wanted) - np.abs(details - wanted)) * usable
        for _ in range(MOST):
            gains = fits[:, left].sum(axis=1)
            best = int(gains.argmax())
            if gains[best] <= 0:
                break
            mine = left & (fits[best] > 0)
            grain[mine] = len(shifts) + best
            left &= ~mine
    found = cv2.resize(grain.astype(np.int16), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.where(labels < 0, found, labels)


def without_grain(photo: SmallPhoto) -> NDArray[np.float32]:
    """Return the small photo (h, w, 3) without what counts as grain."""
    found: NDArray[np.float32] = cv2.GaussianBlur(photo.picture, (0, 0), BLUR)
    return found
