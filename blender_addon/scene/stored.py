"""Stored property groups to and from ``na_core`` cameras and boxes."""

from __future__ import annotations

import bpy
import numpy as np
from numpy.typing import ArrayLike, NDArray

from na_core.geometry.camera import rigid
from na_core.scene import Box, Camera

from .properties import SourceCameraProperties


def flat(matrix: ArrayLike) -> list[float]:
    """Return a (4, 4) matrix as sixteen numbers, row by row, as the properties store it."""
    return [float(value) for value in np.asarray(matrix, dtype=np.float64).reshape(16)]


def matrix_of(stored: bpy.types.bpy_prop_array) -> NDArray[np.float64]:
    """Return the (4, 4) matrix of a stored property."""
    return np.array(stored, dtype=np.float64).reshape(4, 4)


def box_of(stored: bpy.types.bpy_prop_array) -> Box:
    """Return the box of a stored ``world_from_box``."""
    return Box(matrix_of(stored))


def has_camera(stored: SourceCameraProperties) -> bool:
    """Tell whether a camera was stored."""
    return stored.fx > 0 and stored.fy > 0


def camera_of(stored: SourceCameraProperties) -> Camera:
    """Return the stored camera.

    Raises:
        na_core.scene.SceneError: none was stored.
    """
    return Camera(
        rigid(matrix_of(stored.world_from_camera)), fx=stored.fx, fy=stored.fy, cx=stored.cx, cy=stored.cy
    )


def store_camera(stored: SourceCameraProperties, camera: Camera) -> None:
    """Write a camera into its property group."""
    stored.world_from_camera = flat(camera.world_from_camera)
    stored.fx, stored.fy, stored.cx, stored.cy = camera.fx, camera.fy, camera.cx, camera.cy


def copy_camera(target: SourceCameraProperties, source: SourceCameraProperties) -> None:
    """Copy a stored camera bit by bit."""
    target.world_from_camera = source.world_from_camera
    target.fx, target.fy, target.cx, target.cy = source.fx, source.fy, source.cx, source.cy
