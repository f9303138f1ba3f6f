"""What detection says of a photo: the camera, the ground and the objects on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from na_core.scene import Box, Camera

ASSUMED_HEIGHT = 1.5
"""Metres of the camera above the ground where nothing says how large things are."""


@dataclass(frozen=True)
class DetectedObject:
    """An object that was found.

    Attributes:
        name: what it is.
        score: in [0, 1], how sure that is.
        rectangle: (x0, y0, x1, y1) around what is seen of it, in image coordinates.
        box: around all of it; upright, on its support, its front (local -Y) where it was seen to be.
        mask: (H, W), the photo's pixels that show it; None if the detector finds none.
    """

    name: str
    score: float
    rectangle: tuple[float, float, float, float]
    box: Box
    mask: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class Detection:
    """What was found in a photo. The ground is the plane z = 0.

    Attributes:
        camera: that took it, above the world's origin and facing +Y.
        objects: the surest first.
        metric: whether lengths are the world's; if not, the camera's height is assumed.
    """

    camera: Camera
    objects: tuple[DetectedObject, ...]
    metric: bool

    def scaled_to(self, camera_height: float) -> Detection:
        """Return the same in a world whose camera is so many metres above the ground."""
        height = float(self.camera.world_from_camera[2, 3])
        factor = camera_height / height
        larger = np.diag([factor, factor, factor, 1.0])
        matrix = self.camera.world_from_camera.copy()
        matrix[:3, 3] *= factor
        camera = Camera(matrix, self.camera.fx, self.camera.fy, self.camera.cx, self.camera.cy)
        objects = tuple(replace(o, box=Box(larger @ o.box.world_from_box)) for o in self.objects)
        return Detection(camera, objects, self.metric)

    def to_dict(self) -> dict[str, Any]:
        """Return the detection as plain lists, numbers, strings and dictionaries; masks are left out."""
        return {
            "camera": self.camera.to_dict(),
            "metric": self.metric,
            "objects": [
                {
                    "name": thing.name,
                    "score": round(thing.score, 4),
                    "rectangle": list(thing.rectangle),
                    **thing.box.to_dict(),
                }
                for thing in self.objects
            ],
        }
