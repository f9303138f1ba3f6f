"""A tiny ONNX network of MoGe-2's format, whose point map is the picture's own colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from na_core.geometry.camera import pixel_centres, rays
from na_core.scene import Camera

REACH = 4.0
"""Of coordinates: x and y from minus half of it to half of it, z from 0."""

METRES = 1.5
"""Of a unit, as the network says."""

NEARER = 0.7
"""By which its points are nearer than they are: its maps are right up to a shift."""


def write_tiny_point_map(
    file: Path, *, outputs: tuple[str, ...] = ("points", "mask", "metric_scale")
) -> Path:
    """Write the network; points whose blue is at its highest are nowhere."""
    size: list[str | int] = [1, 3, "height", "width"]
    constants = {
        "reach": np.array(REACH, np.float32),
        "offset": np.array([REACH / 2, REACH / 2, 0], np.float32),
        "last": np.array([2], np.int64),
        "axis": np.array([3], np.int64),
        "limit": np.array(0.999, np.float32),
        "metric_scale": np.array([METRES], np.float32),
    }
    nodes = [
        helper.make_node("Transpose", ["image"], ["colours"], perm=[0, 2, 3, 1]),
        helper.make_node("Mul", ["colours", "reach"], ["stretched"]),
        helper.make_node("Sub", ["stretched", "offset"], ["points"]),
        helper.make_node("Gather", ["colours", "last"], ["blue"], axis=3),
        helper.make_node("Squeeze", ["blue", "axis"], ["depth"]),
        helper.make_node("Less", ["depth", "limit"], ["shown"]),
        helper.make_node("Cast", ["shown"], ["mask"], to=TensorProto.FLOAT),
    ]
    shapes = {"points": [1, "height", "width", 3], "mask": [1, "height", "width"], "metric_scale": [1]}
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info("image", TensorProto.FLOAT, size),
            helper.make_tensor_value_info("num_tokens", TensorProto.INT64, []),
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, file)
    return file


def photo_of_ground(camera: Camera, width: int, height: int) -> NDArray[np.uint8]:
    """Return the photo (H, W, 3) in which that network sees the ground under a camera (units, not metres)."""
    directions = rays(camera, pixel_centres(width, height))
    eye = camera.world_from_camera[2, 3]
    with np.errstate(divide="ignore"):
        depth = np.where(directions[..., 2] < 0, -eye / directions[..., 2], np.inf)
    local = directions @ camera.world_from_camera[:3, :3]
    points = local * np.array([1, -1, -1]) * np.where(np.isfinite(depth), depth, 1e6)[..., None]
    points[..., 2] -= NEARER
    colours = (points + np.array([REACH / 2, REACH / 2, 0])) / REACH
    nowhere = ((colours < 0) | (colours > 1)).any(axis=-1)
    colours[nowhere] = (0, 0, 1)
    return np.rint(np.clip(colours, 0, 1) * 255).astype(np.uint8)
