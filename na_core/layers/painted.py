"""What artists paint of a photo's layers: it takes the place of what a network finds, as it is.

A picture of any size is stretched over the photo. An outline is white where the photo shows the object; grey
is how much of a pixel it covers. A shadow's colours are what the ground is multiplied by, in sRGB. A plate is
the photo without its objects.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from na_core.layers.matting import MIN_ALPHA, unmixed_colours
from na_core.layers.resample import resampled_depth
from na_core.raster.colour import linear_from_srgb
from na_core.scene import Picture
from na_core.tensors.views import SourceView

UNSHADED = 254
"""Level of a painted shadow from which there is none: what a brush or a file format rounds is no shadow."""


@dataclass(frozen=True)
class Painted:
    """What was painted of one photo's layers, at the photo's size; objects by number in its view.

    Attributes:
        outlines: (H, W) uint8.
        shadows: (H, W, 3) uint8 sRGB.
        plate: (H, W, 3) uint8 sRGB; None where it is made up.
    """

    outlines: Mapping[int, NDArray[np.uint8]] = field(default_factory=dict)
    shadows: Mapping[int, NDArray[np.uint8]] = field(default_factory=dict)
    plate: NDArray[np.uint8] | None = None


NOTHING = Painted()


def painted_of(view: SourceView, photos: Mapping[str, Picture]) -> Painted:
    """Return what was painted of a view's layers.

    Args:
        view: names the pictures.
        photos: those, and the photo, by SHA-256: (H, W, 3) uint8 sRGB.

    Raises:
        KeyError: one is missing.
    """
    height, width = photos[view.sha256].shape[:2]

    def stretched(name: str) -> NDArray[np.uint8]:
        picture = photos[name]
        if picture.shape[:2] == (height, width):
            return picture
        smaller = picture.shape[0] * picture.shape[1] > height * width
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(picture, (width, height), interpolation=how), np.uint8)

    def each(names: tuple[str | None, ...]) -> dict[int, NDArray[np.uint8]]:
        return {number: stretched(name) for number, name in enumerate(names) if name is not None}

    return Painted(
        {number: picture[..., 0] for number, picture in each(view.outlines).items()},
        each(view.shadow_images),
        None if view.plate is None else stretched(view.plate),
    )


@dataclass(frozen=True)
class Outlines:
    """Outlines of a photo's objects; see :class:`na_core.layers.layers.Layers`, without its first axis.

    Attributes:
        owner, cover: (H, W) int32.
        alpha: (H, W) uint8.
        foreground: (H, W, 3) uint8.
    """

    owner: NDArray[np.int32]
    cover: NDArray[np.int32]
    alpha: NDArray[np.uint8]
    foreground: NDArray[np.uint8]


def repainted(
    picture: NDArray[np.uint8], found: Outlines, painted: Mapping[int, NDArray[np.uint8]], *, soft: bool
) -> Outlines:
    """Return outlines with those that were painted in place of those that were found.

    Of two that were painted, a pixel is the one's that covers more of it; what was not painted gives way.

    Args:
        picture: (H, W, 3) sRGB.
        found: by a network, or boxes.
        painted: (H, W) uint8 by the objects' numbers.
        soft: whether a pixel may show an object in part; else it shows it from half on.
    """
    if not painted:
        return found
    owner, cover = found.owner.copy(), found.cover.copy()
    alpha, foreground = found.alpha.copy(), found.foreground.copy()
    by_hand = np.isin(owner, list(painted))
    owner[by_hand], alpha[by_hand] = -1, 0
    cover[np.isin(cover, list(painted))] = -1
    foreground[by_hand] = picture[by_hand]
    most = np.zeros_like(alpha)
    least = round(255 * MIN_ALPHA) if soft else 128
    for number, outline in sorted(painted.items()):
        wins = (outline >= least) & (outline > most)
        most[wins], owner[wins], cover[wins] = outline[wins], number, number
        alpha[wins] = outline[wins] if soft else 255
    if soft:
        for number in painted:
            own = np.where(owner == number, alpha, 0).astype(np.uint8)
            mixed = (own > 0) & (own < 255)
            if mixed.any():
                foreground[mixed] = unmixed_colours(picture, own)[mixed]
        whole = (most > 0) & (alpha == 255)
        foreground[whole] = picture[whole]
    return Outlines(owner, cover, alpha, foreground)


def shadow_logarithm(painted: NDArray[np.uint8], darkest: float) -> NDArray[np.float32]:
    """Return the natural logarithm (H, W, 3) of what a painted shadow multiplies light by; 0 where none is.

    Args:
        painted: (H, W, 3) uint8 sRGB.
        darkest: the least that there is.
    """
    linear = linear_from_srgb(torch.arange(256, dtype=torch.float64) / 255)
    table = linear.log().clamp_min(darkest).float().numpy()
    table[UNSHADED:] = 0
    return np.asarray(table[painted])


def with_outlines(
    pictures: Tensor, filled: tuple[Tensor, Tensor, Tensor, Tensor], painted: Sequence[Painted]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return owners, covers, near and far depths of objects that fill their boxes, with painted outlines."""
    if not any(each.outlines for each in painted):
        return filled
    parts = []
    for row, each in enumerate(painted):
        picture = pictures[row].cpu().numpy()
        owner, cover, near, far = (values[row].cpu().numpy() for values in filled)
        before = Outlines(
            owner.astype(np.int32), cover.astype(np.int32), np.zeros(owner.shape, np.uint8), picture
        )
        after = repainted(picture, before, each.outlines, soft=False)
        depths = (resampled_depth(values[None], owner[None], after.owner) for values in (near, far))
        parts.append((after.owner, after.cover, *depths))
    made = (torch.from_numpy(np.stack(part)).to(pictures.device) for part in zip(*parts, strict=True))
    return tuple(made)  # type: ignore[return-value]


def with_shadows(
    owner: Tensor, shadow: Tensor, painted: Sequence[Painted], darkest: float
) -> tuple[Tensor, Tensor]:
    """Return who throws shadows (M, H, W) and their logarithms (M, H, W, 3), with painted ones.

    Args:
        owner, shadow: those that were found.
        painted: for each photo.
        darkest: the least logarithm.
    """
    if not any(each.shadows for each in painted):
        return owner, shadow
    owner, shadow = owner.clone(), shadow.clone()
    for row, each in enumerate(painted):
        for number, image in sorted(each.shadows.items()):
            found = owner[row] == number
            owner[row][found] = -1
            shadow[row][found] = 0
            values = torch.from_numpy(shadow_logarithm(image, darkest)).to(shadow)
            there = (values < 0).any(dim=-1)
            owner[row][there] = number
            shadow[row][there] = values[there]
    return owner, shadow


def with_plates(plate: Tensor, painted: Sequence[Painted]) -> Tensor:
    """Return plates (M, H, W, 3) with painted ones."""
    if all(each.plate is None for each in painted):
        return plate
    plate = plate.clone()
    for row, each in enumerate(painted):
        if each.plate is not None:
            plate[row] = torch.from_numpy(each.plate.copy()).to(plate.device)
    return plate
