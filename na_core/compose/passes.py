"""The passes of frames: what their pixels show, before any decoder."""

from dataclasses import dataclass

from torch import Tensor

from na_core.raster.boxmap import BoxMap


@dataclass(frozen=True)
class Front:
    """The nearest object that pixels show anything of, however little, all (B, H, W).

    Attributes:
        index: int32, the asset's slot, -1 for none.
        photo: int64, which of the photos shows it. x, y: float32, where, in its pixels.
        seen: bool, whether the photo showed this very point.
        alpha: float32, how much of the pixel it covers.
    """

    index: Tensor
    photo: Tensor
    x: Tensor
    y: Tensor
    seen: Tensor
    alpha: Tensor


@dataclass(frozen=True)
class Passes:
    """What B frames show.

    Attributes:
        proxy: (B, 3, H, W) float32 in [0, 1] sRGB, without holes: objects over the plate.
        validity: (B, H, W) bool, True where the photo showed this very point.
        shift: (B, H, W) float32, pixels of the background's photo between where it showed this very point and
            where it shows this direction; infinite where it did not show the point.
        index: (B, H, W) int32, the asset's slot, -1 for the background.
        depth: (B, H, W) float32, metres along the viewing direction; infinite for the background.
        boxes: the box map of the frames' assets; local coordinates are in their relabelled frames.
        shadow: (B, 3, H, W) float32 in (0, 1], what the assets' shadows multiply the background by, in linear
            light; 1 where there is none.
        front: what is in front, if it was asked for.
    """

    proxy: Tensor
    validity: Tensor
    shift: Tensor
    index: Tensor
    depth: Tensor
    boxes: BoxMap
    shadow: Tensor
    front: Front | None = None
