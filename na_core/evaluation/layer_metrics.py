"""Metrics between the layers that a photo is taken apart into and its labels, as pure functions of arrays."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from na_core.evaluation.metrics import LUMA, Region
from na_core.raster.colour import LUMINANCE, linear_from_srgb
from na_core.scene import Picture

OUTLINE_TOLERANCE = 2.0
"""Pixels that an outline may lie beside the true one."""

ALPHA_BAND = 4.0
"""Pixels from the true outline within which alpha counts."""

MIXED_PIXELS = 2
"""Pixels around objects whose colours are mixed with theirs: what they show is no shadow."""

SHADOW_LEVELS = 8
"""Difference of luma between photo and plate, in 8-bit levels, from which a pixel counts as shaded or lit."""

SHADOW_BLUR = 1.5
"""Standard deviation in pixels of the blur that takes noise out of that difference."""

DARKEST_LEVEL = 4
"""Luma in 8-bit levels below which a ratio is one of rounding errors."""

LOG_RATIOS = (-3.0, 1.0)
"""Least and largest log-ratio of photo to plate: beyond them more shadow, or light, is as wrong."""


def outline(shows: Region) -> Region:
    """Return the pixels (H, W) of a region at whose sides it ends; the picture's border ends nothing."""
    around = np.pad(shows, 1, mode="edge")
    inner = around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
    return shows & ~inner


def outline_iou(found: Region, truth: Region) -> float:
    """Return the intersection over union of two regions (H, W), of which the true one is not empty."""
    return float((found & truth).sum() / (found | truth).sum())


def boundary_f(found: Region, truth: Region) -> float | None:
    """Return the F-measure of an object's outline.

    It is the harmonic mean of the shares of the found outline's pixels that lie within
    :data:`OUTLINE_TOLERANCE` of the true one's, and of the true one's within it of the found one's.

    Args:
        found, truth: (H, W), the pixels that show the object.

    Returns:
        The measure in [0, 1]; None where the object fills the picture and has no outline.
    """
    mine, true = outline(found), outline(truth)
    if not true.any():
        return None
    if not mine.any():
        return 0.0
    precision = float((_distance(true)[mine] <= OUTLINE_TOLERANCE).mean())
    recall = float((_distance(mine)[true] <= OUTLINE_TOLERANCE).mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def alpha_error(alpha: NDArray[np.floating], truth: Region) -> float | None:
    """Return the mean absolute difference of an object's alpha (H, W) in [0, 1] and its true pixels.

    Pixels within :data:`ALPHA_BAND` of the true outline count; None where there is no outline.
    """
    true = outline(truth)
    if not true.any():
        return None
    near = _distance(true) <= ALPHA_BAND
    return float(np.abs(alpha[near] - truth[near]).mean())


def depth_error(found: NDArray[np.floating], truth: NDArray[np.floating], region: Region) -> float | None:
    """Return the mean relative error of depths (H, W) in a region; None where it has no finite depth."""
    counted = region & np.isfinite(truth) & (truth > 0)
    if not counted.any():
        return None
    return float((np.abs(found[counted] - truth[counted]) / truth[counted]).mean())


def around_objects(mask: NDArray[np.integer]) -> Region:
    """Return the pixels (H, W) beside objects, without :data:`MIXED_PIXELS`; 0 in the mask is none."""
    side = 2 * MIXED_PIXELS + 1
    return cv2.dilate((mask > 0).astype(np.uint8), np.ones((side, side), np.uint8)) == 0


def shaded(photo: Picture, plate: Picture, region: Region) -> Region:
    """Return the pixels (H, W) of a region that objects shade or light.

    Args:
        photo, plate: (H, W, 3), with and without objects.
        region: (H, W), what is looked at; nothing else is mixed into it.
    """
    weight = region.astype(np.float64)
    difference = cv2.GaussianBlur((_luma(photo) - _luma(plate)) * weight, (0, 0), SHADOW_BLUR)
    levels = difference / np.maximum(cv2.GaussianBlur(weight, (0, 0), SHADOW_BLUR), 1e-9)
    return region & (np.abs(levels) > SHADOW_LEVELS)


def shadow_error(
    shadow: NDArray[np.floating], photo: Picture, plate: Picture, region: Region
) -> float | None:
    """Return the mean absolute error of the log-ratio of photo to plate, of luminance in linear light.

    Both ratios are held in :data:`LOG_RATIOS`. The found one is what the shadow makes of the true plate.
    Pixels darker than :data:`DARKEST_LEVEL` in photo or plate don't count.

    Args:
        shadow: (H, W, 3), log-ratio of photo to plate in linear light, as it was found.
        photo, plate: (H, W, 3) sRGB, the true ones.
        region: (H, W), what is measured.

    Returns:
        The error; None where nothing is bright enough.
    """
    counted = region & (np.minimum(_luma(photo), _luma(plate)) >= DARKEST_LEVEL)
    if not counted.any():
        return None
    without, shown = linear_light(plate[counted]), linear_light(photo[counted])
    darkened = without * np.exp(shadow[counted].astype(np.float64))
    weights = np.array(LUMINANCE)
    found, true = (np.log((light @ weights) / (without @ weights)) for light in (darkened, shown))
    return float(np.abs(np.clip(found, *LOG_RATIOS) - np.clip(true, *LOG_RATIOS)).mean())


def linear_light(levels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the linear light in [0, 1] of sRGB levels, of any shape."""
    return linear_from_srgb(torch.from_numpy(levels / 255)).numpy()


def _luma(picture: Picture) -> NDArray[np.float64]:
    return (picture.astype(np.float64) @ np.array(LUMA)).round(6)  # of grey its level, not a little less


def _distance(pixels: Region) -> NDArray[np.float32]:
    """Return how far each pixel is from the nearest of some, of which there is one at least, in pixels."""
    return cv2.distanceTransform((~pixels).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
