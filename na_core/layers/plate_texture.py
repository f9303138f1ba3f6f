"""Texture for what a photo's plate has to guess: the photo's own, copied from elsewhere in whole pieces.

Each piece is the photo shifted, across the picture or along its ground
(:mod:`na_core.layers.plate_shifts`). Which pixel is in which piece, :mod:`na_core.layers.plate_pieces`
says; what none fits is smooth, with grain (:mod:`na_core.layers.plate_grain`);
:mod:`na_core.layers.plate_copies` copies them. All is decided on a small picture, but for the last: the
pieces have the photo's own resolution.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from na_core.layers.ground_chart import ground_chart
from na_core.layers.plate_copies import with_copies
from na_core.layers.plate_grain import grain_shifts, with_grain
from na_core.layers.plate_pieces import BLUR, USABLE, WHOLE, SmallPhoto, chosen_pieces, smoothly_filled
from na_core.layers.plate_shifts import RING, Shift, across_picture, offsets, refined

SIDE = 224
"""Longer side in pixels of the picture that pieces are chosen on."""

GUESS_BLUR = 0.027
"""Standard deviation by which a guess is smoothed, in units of the picture's longer side: objects may show
through it."""

RIM_BLUR = 0.007
"""Standard deviation of the colours at the rim of holes that a guess has to meet, in the same units."""

SHIFT_SIDE = 128
"""Longer side in pixels of the picture that shifts across it are looked for on."""


def textured(
    picture: NDArray[np.uint8],
    known: NDArray[np.bool_],
    sound: NDArray[np.bool_] | None = None,
    guess: NDArray[np.float32] | None = None,
    image_from_ground: NDArray[np.float64] | None = None,
) -> NDArray[np.uint8]:
    """Return a photo whose unknown part is filled with its own texture.

    The same arguments give the same bytes.

    Args:
        picture: (H, W, 3) sRGB.
        known: (H, W), where it stays as it is, to the bit.
        sound: (H, W), what of it may be copied; without it, all.
        guess: (h, w, 3) in [0, 1], colours of what is unknown without their texture, at any size.
        image_from_ground: (3, 3), see :func:`na_core.raster.ground.image_from_ground_below`; without it all
            is copied across the picture.
    """
    if known.all():
        return picture
    small = _small_photo(picture, known, sound, guess)
    if image_from_ground is not None and abs(np.linalg.det(image_from_ground)) > 1e-9:
        small = replace(small, inverse_depth=np.linalg.inv(image_from_ground)[2])
    shifts = _shifts(small, image_from_ground)
    if shifts:
        around = _around(small.hole, RING) & ~small.hole
        pyramid = [(np.rint(small.picture * 255).astype(np.uint8), ~small.hole)]
        shifts = [refined(shift, pyramid, around) for shift in shifts]
    labels = chosen_pieces(small, shifts)
    pyramid = _pyramid(picture, known)
    for label in np.unique(labels[small.hole]):
        if 0 <= label < len(shifts):
            beside = _around(small.hole & (labels == label), RING) & ~small.hole
            shifts[label] = refined(shifts[label], pyramid, beside)
    shifts += grain_shifts()
    return with_copies(picture, known, small, shifts, with_grain(small, shifts, labels))


def _small_photo(
    picture: NDArray[np.uint8],
    known: NDArray[np.bool_],
    sound: NDArray[np.bool_] | None,
    guess: NDArray[np.float32] | None,
) -> SmallPhoto:
    shown, weight = picture * known[..., None], known.astype(np.uint8) * 255
    copied = weight if sound is None else weight * sound
    for longer in (4 * SIDE, SIDE):
        size = _fitting(shown.shape[1], shown.shape[0], longer)
        if size != shown.shape[1::-1]:
            shown, weight, copied = (
                cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in (shown, weight, copied)
            )
    share, colours = weight.astype(np.float32) / 255, shown.astype(np.float32) / 255
    source = copied.astype(np.float32) / 255
    whole = (share >= WHOLE).astype(np.float32)
    if not whole.any():
        whole, colours = share, colours / np.maximum(share, 1e-3)[..., None]
    filled = smoothly_filled(colours, whole)
    if guess is None:
        wanted = cv2.GaussianBlur(filled, (0, 0), BLUR)
        return SmallPhoto(filled, share, source, wanted, guessed=False)
    trusted = (source >= WHOLE).astype(np.float32)
    wanted = cv2.resize(guess, filled.shape[1::-1], interpolation=cv2.INTER_AREA)
    if known.any():
        smooth = cv2.GaussianBlur(wanted, (0, 0), max(0.3, GUESS_BLUR * max(share.shape)))
        wanted = _meeting(smooth, filled, trusted if trusted.any() else whole)
    filled = np.where(whole[..., None] > 0, filled, wanted)
    return SmallPhoto(filled, share, source, wanted, guessed=True)


def _meeting(
    guess: NDArray[np.float32], picture: NDArray[np.float32], whole: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return a guess (h, w, 3) with what the picture differs by at the rim of holes fading into them."""
    deviation = max(0.3, RIM_BLUR * max(whole.shape))
    weight = cv2.GaussianBlur(whole, (0, 0), deviation)[..., None]
    blurred = cv2.GaussianBlur((picture - guess) * whole[..., None], (0, 0), deviation)
    off = blurred / np.maximum(weight, 1e-6)
    return np.clip(guess + smoothly_filled(off, whole), 0, 1)


def _fitting(width: int, height: int, longer: int) -> tuple[int, int]:
    """Return width and height of a picture, reduced to a longer side at most."""
    scale = min(1.0, longer / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _around(region: NDArray[np.bool_], share: float) -> NDArray[np.bool_]:
    """Return a region (h, w) grown by a share of the longer side."""
    side = 2 * max(2, round(share * max(region.shape))) + 1
    grown: NDArray[np.bool_] = cv2.dilate(region.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    return grown


def _shifts(small: SmallPhoto, image_from_ground: NDArray[np.float64] | None) -> list[Shift]:
    height, width = small.hole.shape
    tiny = small.smaller(*_fitting(width, height, SHIFT_SIDE))
    rows, columns = tiny.hole.shape
    found = [
        across_picture(right / columns, down / rows)
        for right, down in offsets(tiny.picture, tiny.source >= WHOLE, tiny.hole)
    ]
    chart = None if image_from_ground is None else ground_chart(image_from_ground, small.hole)
    if chart is not None:
        hole = chart.of(small.hole.astype(np.float32)) > 1 - USABLE
        inside = chart.of(np.ones_like(small.share)) > WHOLE
        sound = chart.of(small.source) > USABLE
        picture = chart.of(small.picture)
        for across, along in offsets(picture, inside & sound & ~hole, inside & hole).tolist():
            found.append(Shift(chart.shift(across, along), chart))
    return found


def _pyramid(
    picture: NDArray[np.uint8], known: NDArray[np.bool_]
) -> list[tuple[NDArray[np.uint8], NDArray[np.bool_]]]:
    """Return a photo (H, W, 3) at the sizes between the small one and its own, and where it is known."""
    levels = [(picture, known)]
    while max(picture.shape) > 3 * SIDE:
        size = picture.shape[1] // 2, picture.shape[0] // 2
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        levels.append((picture, cv2.resize(known.astype(np.uint8), size, interpolation=cv2.INTER_AREA) > 0))
    return levels[::-1]
