"""MoGe-2 as an ONNX file: depth and the focal length from the point map that it makes of a photo.

The map is right up to a shift along the viewing direction, which follows with the focal length from where
each point is seen (Wang et al., "MoGe", 2025, section 3.1), and up to a factor, which "MoGe-2" (2025) tells.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from na_core.detection.weights import WeightsError, load_onnx
from na_core.geometry.camera import pixel_centres

LARGEST = 1024
"""Longer side in pixels that the network is shown."""

TOKENS = 1800
"""Patches that it cuts a picture into."""

LEAST_VALID = 0.5
"""Of the network's mask: below it a point is nowhere, as the sky is."""

SAMPLES = 64
"""Points along each side from which the focal length is found."""

NEAREST, FARTHEST = 1e-3, 1e3
"""Shifts that are tried bring the nearest point this far from the camera, in units of the points' depth."""

TRIES, ROUNDS = 121, 3

Array = NDArray[np.float64]


class PointMapNetwork:
    """A network that makes a point map; see :class:`na_core.detection.metric_depth.DepthNetwork`.

    Args:
        file: ``moge-2-vits-normal.onnx`` or another of MoGe-2's.
        device: torch's name; "cuda" where onnxruntime can.

    Raises:
        WeightsError: there is no such network, or onnxruntime is not installed.
    """

    def __init__(self, file: Path, device: str = "cpu") -> None:
        self._session: Any = load_onnx(file, device)
        self._inputs = {each.name: each for each in self._session.get_inputs()}
        outputs = {each.name for each in self._session.get_outputs()}
        if "image" not in self._inputs or not {"points", "mask", "metric_scale"} <= outputs:
            raise WeightsError(
                f"'{file}' makes no metric point map. Choose an ONNX file of MoGe-2, such as its ViT-S."
            )

    def find(self, image: Image.Image, focal: float | None) -> tuple[NDArray[np.float32], float | None]:
        """Return depth (H, W) in metres, infinite where nothing is seen, and the focal length in pixels.

        A focal length that is known, in pixels, is kept and returned.
        """
        side = max(image.size)
        points, valid, scale = self._look_at(image)
        known = None if focal is None else focal / side
        if not valid.any():
            return np.full((image.height, image.width), np.inf, np.float32), focal
        found, shift = focal_and_shift(points, valid, known)
        depth = (points[..., 2] + shift) * scale
        depth = np.where(valid & (depth > 0), depth, np.inf).astype(np.float32)
        large = Image.fromarray(depth).resize(image.size, Image.Resampling.NEAREST)
        return np.array(large), found * side

    def _look_at(self, image: Image.Image) -> tuple[Array, NDArray[np.bool_], float]:
        """Return points (h, w, 3) x right, y down, z forward; which are somewhere; and metres per unit."""
        *_, rows, columns = self._inputs["image"].shape
        if not (isinstance(rows, int) and isinstance(columns, int)):  # any size will do
            scale = min(1.0, LARGEST / max(image.size))
            columns, rows = (max(1, round(side * scale)) for side in image.size)
        small = image.convert("RGB").resize((columns, rows), Image.Resampling.BICUBIC, reducing_gap=3)
        feed = {"image": np.asarray(small, np.float32).transpose(2, 0, 1)[None] / 255}
        if "num_tokens" in self._inputs:
            feed["num_tokens"] = np.array(TOKENS, np.int64)
        points, mask, scale = self._session.run(["points", "mask", "metric_scale"], feed)
        points = np.asarray(points[0], np.float64)
        valid = (np.asarray(mask[0]) > LEAST_VALID) & np.isfinite(points).all(axis=-1)
        return points, valid, float(np.ravel(scale)[0])


def focal_and_shift(
    points: Array, valid: NDArray[np.bool_], focal: float | None = None
) -> tuple[float, float]:
    """Return the focal length in units of the longer side, and what is to be added to depths.

    With them points are seen where they are in the picture, as nearly as can be (least squares).

    Args:
        points: (H, W, 3) x right, y down, z forward, which fill the picture.
        valid: (H, W), which of them count; some do.
        focal: the length where it is known.
    """
    height, width = valid.shape
    places = (pixel_centres(width, height) - 0.5) * (width, height) / max(width, height)
    rows = np.unique(np.linspace(0, height - 1, SAMPLES).round().astype(int))
    columns = np.unique(np.linspace(0, width - 1, SAMPLES).round().astype(int))
    chosen = np.zeros_like(valid)
    chosen[np.ix_(rows, columns)] = valid[np.ix_(rows, columns)]
    if not chosen.any():
        chosen = valid
    seen, there = places[chosen], points[chosen]
    nearest = there[:, 2].min()
    deep = max(float(np.median(there[:, 2]) - nearest), 1e-6)
    low, high = np.log(NEAREST), np.log(FARTHEST)
    best = low
    for _ in range(ROUNDS):
        tries = np.linspace(low, high, TRIES)
        errors = [_fit(there, seen, deep * np.exp(each) - nearest, focal)[1] for each in tries]
        best, step = tries[int(np.argmin(errors))], tries[1] - tries[0]
        low, high = best - step, best + step
    shift = float(deep * np.exp(best) - nearest)
    return _fit(there, seen, shift, focal)[0], shift


def _fit(points: Array, seen: Array, shift: float, focal: float | None) -> tuple[float, float]:
    """Return the focal length with which points (N, 3) are seen most nearly at (N, 2), and the error left."""
    flat = points[:, :2] / (points[:, 2:] + shift)
    length = float((flat * seen).sum() / max((flat * flat).sum(), 1e-12)) if focal is None else focal
    return length, float(np.square(length * flat - seen).sum())
