"""Blender's lens settings as a camera, as its source has them: what its projection matrix is held against."""

from __future__ import annotations

from typing import Literal

from numpy.typing import ArrayLike

from na_core.geometry.camera import rigid
from na_core.scene import Camera

SensorFit = Literal["AUTO", "HORIZONTAL", "VERTICAL"]


def camera_from_lens(
    world_from_camera: ArrayLike,
    *,
    lens: float,
    width: int,
    height: int,
    sensor_width: float = 36.0,
    sensor_height: float = 24.0,
    sensor_fit: SensorFit = "AUTO",
    shift_x: float = 0.0,
    shift_y: float = 0.0,
    pixel_aspect_x: float = 1.0,
    pixel_aspect_y: float = 1.0,
    resolution_percentage: float = 100.0,
) -> Camera:
    """Return the camera that Blender's perspective lens settings describe.

    Follows Blender's ``BKE_camera_params_compute_viewplane``: the sensor size that counts is the width
    unless the fit is vertical, lens shift is in units of the *fitted* side of the view, and pixel aspect
    stretches the frame.

    Args:
        world_from_camera: (4, 4); scale is removed.
        lens, sensor_width, sensor_height: millimetres.
        width, height: resolution in pixels before ``resolution_percentage``.
        sensor_fit: which side of the picture the sensor is fitted to; AUTO takes the longer.
        shift_x, shift_y: Blender's lens shift.
        pixel_aspect_x, pixel_aspect_y: Blender's pixel aspect.
        resolution_percentage: Blender scales and truncates both sides to whole pixels.

    Raises:
        ValueError: lens, sensor or resolution is not positive.
    """
    columns = int(width * resolution_percentage / 100)
    rows = int(height * resolution_percentage / 100)
    if min(lens, sensor_width, sensor_height, columns, rows, pixel_aspect_x, pixel_aspect_y) <= 0:
        raise ValueError("lens, sensor, resolution and pixel aspect must be positive")
    frame_width, frame_height = columns * pixel_aspect_x, rows * pixel_aspect_y
    if sensor_fit == "AUTO":
        horizontal = frame_width >= frame_height
        sensor = sensor_width
    else:
        horizontal = sensor_fit == "HORIZONTAL"
        sensor = sensor_width if horizontal else sensor_height
    fitted = frame_width if horizontal else frame_height
    focal = lens / sensor * fitted
    return Camera(
        world_from_camera=rigid(world_from_camera),
        fx=focal / frame_width,
        fy=focal / frame_height,
        cx=0.5 - shift_x * fitted / frame_width,
        cy=0.5 + shift_y * fitted / frame_height,
    )
