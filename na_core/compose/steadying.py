"""Against flicker: what a decoder made up in a frame is blended with what it made up in the frames around.

Which of their pixels show the same points is known exactly. What a photo showed is the photo's in every frame
already, and stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from na_core.compose.frame_passes import FramePasses, moved_points
from na_core.geometry.camera import project_points
from na_core.meshes.placed import MeshFiles
from na_core.scene import Frame, Picture

SAME = 2.0
"""Distance of two points that are one, in pixels as wide as they are there."""


@dataclass(frozen=True)
class Shot:
    """A finished frame.

    Attributes:
        picture: (H, W, 3) uint8 sRGB.
        frame: that it is of.
        passes: of that, at the picture's size.
    """

    picture: Picture
    frame: Frame
    passes: FramePasses


def steadied(shot: Shot, others: Sequence[Shot], meshes: MeshFiles | None = None) -> Picture:
    """Return a frame's picture (H, W, 3), of which what no photo showed is the mean over frames.

    Args:
        shot: the frame.
        others: some before and after it, of the same size. Each counts where it shows the same point, and as
            much as the frame itself.
        meshes: what the files of meshes hold, by SHA-256; see :func:`na_core.compose.frame_passes.motion`.
    """
    height, width = shot.passes.index.shape
    total = shot.picture.astype(np.float32)
    weight = np.ones((height, width, 1), np.float32)
    for other in others:
        points = moved_points(shot.frame, shot.passes, other.frame, meshes)
        seen = project_points(other.frame.camera, points)
        at = (seen[..., :2] * (width, height) - 0.5).astype(np.float32)
        there = cv2.remap(other.passes.position, at[..., 0], at[..., 1], cv2.INTER_NEAREST)
        inside = ((at > -0.5) & (at < (width - 0.5, height - 0.5))).all(axis=-1) & (seen[..., 2] > 0)
        pixel = np.abs(seen[..., 2]) / (other.frame.camera.fx * width)
        near = np.linalg.norm(there - points, axis=-1) < SAME * pixel
        same = (inside & near)[..., None].astype(np.float32)
        colours = other.picture.astype(np.float32)
        total += same * cv2.remap(
            colours, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        weight += same
    made_up = (shot.passes.validity < 0.5)[..., None]
    return np.where(made_up, np.rint(total / weight), shot.picture).astype(np.uint8)
