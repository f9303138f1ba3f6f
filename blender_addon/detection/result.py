"""What a detector found in a photo, before it becomes assets. No bpy."""

from __future__ import annotations

from dataclasses import dataclass

from na_core.scene import Box, Camera, Rectangle


@dataclass(frozen=True)
class DetectedObject:
    """An object in a photo: its name, score in [0, 1], rectangle in the photo and 3D box."""

    name: str
    score: float
    rectangle: Rectangle
    box: Box


@dataclass(frozen=True)
class Detection:
    """What a photo shows: the camera, above the world's origin and facing +Y, and objects on z = 0.

    ``focal_doubt`` is the relative error to be expected of the focal length; 0 where it is known or the
    detector does not say.
    """

    camera: Camera
    objects: tuple[DetectedObject, ...]
    focal_doubt: float = 0.0
