"""Bilinear sampling of pictures at positions in pixels."""

import torch
from torch import Tensor

from na_core.raster.canvas import Canvas, clamped

SUBPIXEL = 1024
"""Positions are rounded to this fraction of a pixel, as a graphics card does with a coarser one."""


def sample_bytes(pictures: Tensor, canvas: Canvas, photo: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Sample pictures bilinearly; positions outside take the edge.

    Positions are rounded to 1 / :data:`SUBPIXEL` of a pixel, so that a point which went through box
    coordinates and back to where it came from returns its pixel exactly.

    Args:
        pictures: (M, H, W, 3) uint8.
        canvas: on which they lie.
        photo: (P,) int64, which of them.
        x, y: (P,) pixels; the first pixel's centre is at 0.5.

    Returns:
        (3, P) float32 in [0, 1].
    """
    return sample_planes(planar(pictures), canvas, photo, x, y)


def planar(pictures: Tensor) -> Tensor:
    """Return pictures (M, H, W, 3) as (3, M * H * W): looked up several times faster than triples."""
    return torch.stack(pictures.reshape(-1, 3).unbind(1))


def sample_planes(planes: Tensor, canvas: Canvas, photo: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Sample pictures as :func:`sample_bytes` does, that were made :func:`planar` once for many frames."""
    cells = cells_around(canvas, photo, x, y)
    return torch.stack([bilinear(plane, *cells) for plane in planes]).div_(255)


def bilinear(
    flat: Tensor, corner: Tensor, right: Tensor | int, below: Tensor | int, share_x: Tensor, share_y: Tensor
) -> Tensor:
    """Return (P,) values between four cells of a flat plane, float32.

    Args:
        flat: (n,), of any type.
        corner: (P,) int64, the upper left cells.
        right, below: how much further the cells beside and below are.
        share_x, share_y: (P,) in [0, 1], how far to go there.
    """

    def line(first: Tensor) -> Tensor:
        left, beside = (flat.index_select(0, at).float() for at in (first, first + right))
        return torch.lerp(left, beside, share_x)

    return line(corner).lerp_(line(corner + below), share_y)


def cells_around(
    canvas: Canvas, photo: Tensor, x: Tensor, y: Tensor
) -> tuple[Tensor, Tensor | int, Tensor | int, Tensor, Tensor]:
    """Return where the four pixels around positions lie in the flat stack, and the positions between them.

    Args:
        canvas: on which pictures lie.
        photo: (P,) int64, which of them.
        x, y: (P,) pixels; rounded to 1 / :data:`SUBPIXEL`, and clamped to the picture.

    Returns:
        The upper left pixels, how much further the pixels beside and below are, and the shares in [0, 1] of
        the way there, as :func:`bilinear` takes them.
    """
    width, height = canvas.extent(photo)
    x = clamped(((x - 0.5) * SUBPIXEL).round_().div_(SUBPIXEL), width - 1)
    y = clamped(((y - 0.5) * SUBPIXEL).round_().div_(SUBPIXEL), height - 1)
    left, top = (clamped(at.floor(), _not_negative(last)) for at, last in ((x, width - 2), (y, height - 2)))
    corner = (photo * canvas.height + top.long()) * canvas.width + left.long()
    right, below = _step(width, 1), _step(height, canvas.width)
    return corner, right, below, x - left, y - top


def _not_negative(number: Tensor | int) -> Tensor | int:
    return number.clamp_min(0) if isinstance(number, Tensor) else max(number, 0)


def _step(size: Tensor | int, step: int) -> Tensor | int:
    """Return the way to the next pixel of a line of so many; none where there is just one."""
    if isinstance(size, Tensor):
        return (size > 1).long() * step
    return step if size > 1 else 0


def sample_covered(
    pictures: Tensor,
    alpha: Tensor,
    owner: Tensor,
    canvas: Canvas,
    photo: Tensor,
    entry: Tensor,
    x: Tensor,
    y: Tensor,
) -> tuple[Tensor, Tensor]:
    """Sample objects that cover pixels in part: the mean of their own colours, and how much they cover.

    Args:
        pictures: (M, H, W, 3) uint8, the colours of what covers the pixels.
        alpha: (M, H, W) uint8, how much of each pixel its owner covers.
        owner: (M, H, W), whose each pixel is, -1 for none.
        canvas: on which they lie.
        photo, entry: (P,) int64, in which of them to sample what.
        x, y: (P,) pixels, as in :func:`sample_bytes`.

    Returns:
        (3, P) float32 colours in [0, 1], 0 where nothing is the object's, and (P,) float32 alpha in [0, 1].
    """
    corner, right, below, share_x, share_y = cells_around(canvas, photo, x, y)
    covered = torch.zeros_like(x)
    colours = torch.zeros((3, *x.shape), device=x.device)
    triples, levels, owners = pictures.reshape(-1, 3), alpha.flatten(), owner.flatten()
    for at, weight in (
        (corner, (1 - share_x) * (1 - share_y)),
        (corner + right, share_x * (1 - share_y)),
        (corner + below, (1 - share_x) * share_y),
        (corner + right + below, share_x * share_y),
    ):
        own = owners.index_select(0, at) == entry
        part = weight * own * levels.index_select(0, at) / 255
        covered += part
        colours += part * triples.index_select(0, at).t()
    return colours / (255 * covered.clamp_min(1e-6)), covered
