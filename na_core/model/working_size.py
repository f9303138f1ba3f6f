"""Sizes: photos are seen and frames decoded at the checkpoint's working size, and sampled at the output's.

A frame at 256 and at 4096 pixels shows the same outlines and objects, and a part of a frame the same pixels
as the whole, because every size follows from how many pixels the background's photo would have in the frame.
"""

import math
from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor

from na_core.scene import MAX_FOCAL, Frame

MAX_DECODED_SHARE = 4.0
"""Pixels that the decoder's picture has at most, in units of the working size's square."""

MAX_RAYS = 2**19
"""Rays of a frame at most that has several per pixel."""

ROUNDING = 1e-9
"""By how much the output is larger than what was decoded for it, so that rounding down loses no pixel."""

LEAST_SCALE = 1 / 64
"""Pixels of the decoder's picture per pixel of the output, of a frame that shows a speck of its photo."""


@dataclass(frozen=True)
class DecoderSize:
    """The decoder's picture.

    Attributes:
        width, height: in pixels, multiples of what the networks need.
        scale: its pixels per pixel of the output; both have the same upper left corner.
    """

    width: int
    height: int
    scale: float


def photo_side(frame: Frame, photo_width: int, photo_height: int, width: int, height: int) -> float:
    """Return the longer side, in the frame's pixels, that the background's photo has in the frame.

    Args:
        frame: to render.
        photo_width, photo_height: of the photo in pixels.
        width, height: of the frame in pixels.
    """
    camera, source = frame.camera, frame.background.source_camera
    wide = photo_width >= photo_height
    side = width * camera.fx / source.fx if wide else height * camera.fy / source.fy
    nearest = round(side)
    return float(nearest) if abs(side - nearest) < 1e-3 else side


def rays_per_side(side: float, photo_side: int, width: int, height: int) -> int:
    """Return how many rays along each side of a pixel show the photo's finer detail: 2, or 1 if it has none.

    Large frames have one: their pixels are small already.

    Args:
        side: see :func:`photo_side`.
        photo_side: the photo's own longer side in pixels.
        width, height: of the frame in pixels.
    """
    return 2 if photo_side > 1.25 * side and 4 * width * height <= MAX_RAYS else 1


def decoder_size(side: float, width: int, height: int, working_size: int, multiple: int) -> DecoderSize:
    """Return the size at which a frame is decoded.

    Args:
        side: see :func:`photo_side`.
        width, height: of the frame in pixels.
        working_size: the longer side of photos that the networks were trained at.
        multiple: that the decoder's sides have to be of.
    """
    scale = max(working_size / side, LEAST_SCALE)
    pixels = width * height * scale**2
    scale *= min(1.0, math.sqrt(MAX_DECODED_SHARE * working_size**2 / pixels))
    # Two latents at the lowest level at least: group norm has no variance over a single value.
    wide, high = (max(2, math.ceil(side * scale / multiple - 1e-6)) * multiple for side in (width, height))
    return DecoderSize(wide, high, scale)


def decoder_frame(frame: Frame, width: int, height: int, size: DecoderSize) -> Frame:
    """Return a frame of some width and height as the decoder's larger picture sees it.

    That continues the frame to the right and below.
    """
    camera = frame.camera
    across, down = width * size.scale / size.width, height * size.scale / size.height
    wider = replace(
        camera,
        fx=max(camera.fx * across, 1 / MAX_FOCAL),  # of the shortest lens that the schema allows
        fy=max(camera.fy * down, 1 / MAX_FOCAL),
        cx=camera.cx * across,
        cy=camera.cy * down,
    )
    return replace(frame, camera=wider)


def at_output_size(decoded: Tensor, scale: float, width: int, height: int) -> Tensor:
    """Return what was decoded at the size of the output: bicubic, or the mean over a larger pixel.

    Args:
        decoded: (B, C, h, w), whose upper left corner is the output's.
        scale: its pixels per pixel of the output.
        width, height: of the output.

    Returns:
        (B, C, height, width).
    """
    if scale != 1:
        factor = (1 + ROUNDING) / scale
        decoded = F.interpolate(decoded, scale_factor=factor, mode="bicubic", antialias=True)
    return decoded[..., :height, :width]
