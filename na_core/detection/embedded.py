"""The embedded detector at work: from a photo to boxes, with the weights that come with the package."""

import functools
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from na_core.detection.detection import ASSUMED_HEIGHT, DetectedObject, Detection, distinct_rectangles
from na_core.detection.network import SIDE, BoxDetector, Prediction, cell_centres
from na_core.geometry.boxes import box_matrix
from na_core.geometry.camera import camera_of_photo, rays
from na_core.scene import Box, Camera

WEIGHTS = Path(__file__).resolve().parent.parent / "checkpoints" / "detector"
"""Of the embedded detector."""

THRESHOLD = 0.3
"""Score from which an object is reported."""

MOST = 50
"""Objects that are reported at most."""

BOX_PARTS = ("depth", "height", "footprint", "stretch", "quarter", "front")
"""Parts of a prediction that a box is made of, beside where its centre is seen."""

DOUBT = 3.0
"""Factor by which the depth at which an object stands on the ground may be off what it looks to be."""


@functools.lru_cache(maxsize=2)
def load_detector(folder: Path = WEIGHTS, device: str = "cpu") -> BoxDetector:
    """Load a detector, once."""
    detector = BoxDetector.from_pretrained(folder).to(device=device, dtype=torch.float32)
    return detector.eval().requires_grad_(False)


@torch.no_grad()
def detect(
    detector: BoxDetector,
    photo: NDArray[np.uint8],
    *,
    focal: float | None = None,
    pitch: float | None = None,
    roll: float | None = None,
    camera_height: float | None = None,
    threshold: float = THRESHOLD,
) -> Detection:
    """Find the objects and the camera of a photo.

    Args:
        detector: the network.
        photo: (H, W, 3) uint8 sRGB, upright.
        focal: length in units of the photo's longer side, where the photo says it.
        pitch, roll: radians, where they are known; see :func:`na_core.geometry.camera.camera_of_photo`.
        camera_height: metres above the ground where that is known.
        threshold: least score.
    """
    height, width = photo.shape[:2]
    scale = SIDE / max(width, height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.array(Image.fromarray(photo).resize(size, Image.Resampling.LANCZOS))
    pictures = torch.from_numpy(small).permute(2, 0, 1)[None].to(detector.device).float() / 127.5 - 1
    told = None if focal is None else torch.tensor([focal], device=detector.device)
    found = found_of(detector(pictures, told), size, threshold)
    if focal is not None:
        found = replace(found, focal=focal)
    if pitch is not None:
        found = replace(found, horizon=found.focal * math.tan(pitch))
    if roll is not None:
        found = replace(found, roll=roll)
    return found.detection(width, height, camera_height, detector.config.names)


@dataclass(frozen=True)
class Found:
    """The objects of one photo as numbers; lengths in the picture in units of its longer side.

    Attributes:
        scores: (K,), the surest first.
        names: (K,) numbers of names.
        rectangles: (K, 4) of 2D boxes.
        centres: (K, 2), where 3D boxes' centres are seen.
        depths: (K,) in camera heights, over the focal length.
        sizes: (K, 3), apparent width, depth and height: times focal length over depth.
        yaws: (K,) radians; 0 faces the camera.
        focal, horizon, roll: of the camera, see :class:`na_core.detection.network.Prediction`.
    """

    scores: NDArray[np.float64]
    names: NDArray[np.int64]
    rectangles: NDArray[np.float64]
    centres: NDArray[np.float64]
    depths: NDArray[np.float64]
    sizes: NDArray[np.float64]
    yaws: NDArray[np.float64]
    focal: float
    horizon: float
    roll: float

    def camera(self, width: int, height: int, camera_height: float) -> Camera:
        """Return the camera of a photo of that size."""
        focal = self.focal * max(width, height)
        pitch = math.atan2(self.horizon, self.focal)
        return camera_of_photo(focal, width, height, camera_height, pitch, self.roll)

    def boxes(self, camera: Camera, width: int, height: int) -> NDArray[np.float64]:
        """Return the 3D boxes (K, 4, 4), on the ground z = 0: that tells depths better than looks do."""
        if not len(self.scores):
            return np.zeros((0, 4, 4))
        side = max(width, height)
        eye = camera.world_from_camera[:3, 3]
        directions = rays(camera, self.centres * side / np.array([width, height]))
        sizes = self.sizes / self.focal  # over depth
        seen = self.depths * self.focal
        # The centre of what stands on the ground is half its height above it: eye + depth * direction.
        fall = sizes[:, 2] / 2 - directions[:, 2]
        standing = np.where(fall > 1e-3, 1 / np.maximum(fall, 1e-3), seen)
        depths = np.clip(standing, seen / DOUBT, seen * DOUBT) * eye[2]
        matrices = []
        for direction, depth, size, yaw in zip(directions, depths, sizes, self.yaws, strict=True):
            dimensions = size * depth
            centre = eye + depth * direction
            centre[2] = dimensions[2] / 2
            azimuth = math.atan2(direction[1], direction[0])
            matrices.append(box_matrix(centre, dimensions, yaw + azimuth - math.pi / 2))
        return np.stack(matrices)

    def detection(
        self, width: int, height: int, camera_height: float | None, names: tuple[str, ...]
    ) -> Detection:
        """Return what was found in a photo of that size."""
        camera = self.camera(width, height, ASSUMED_HEIGHT if camera_height is None else camera_height)
        side = max(width, height) / np.array([width, height, width, height])
        rectangles = np.clip(self.rectangles * side, 0, 1)
        objects = [
            DetectedObject(names[name] if names else "object", float(score), (x0, y0, x1, y1), Box(box))
            for name, score, (x0, y0, x1, y1), box in zip(
                self.names,
                self.scores,
                rectangles.tolist(),
                self.boxes(camera, width, height),
                strict=True,
            )
        ]
        return Detection(camera, tuple(objects), camera_height is not None)


def found_of(prediction: Prediction, size: tuple[int, int], threshold: float) -> Found:
    """Return what is found in a photo of a size (width, height) in pixels, the only one of a prediction."""
    heat = prediction.heat.sigmoid()
    peaks = heat * (F.max_pool2d(heat, 3, 1, 1) == heat)
    places = cell_centres(size, tuple(heat.shape[-2:]), heat.device)
    weight = F.avg_pool2d(heat, 3, 1, 1, count_include_pad=False).clamp_min(1e-6)
    scores, cells = peaks.flatten().topk(min(MOST, peaks.numel()))
    scores, cells = scores[scores >= threshold], cells[scores >= threshold]

    def taken(values: Tensor) -> NDArray[np.float64]:
        """Return (K, C), an average of what neighbouring cells say by how sure they are of an object."""
        settled = F.avg_pool2d(values * heat, 3, 1, 1, count_include_pad=False) / weight
        return settled[0].flatten(1)[:, cells].T.double().cpu().numpy()

    left, top, right, bottom = prediction.rectangle.unbind(1)
    x, y = places
    edges = torch.stack([x - left, y - top, x + right, y + bottom], dim=1)
    kept = distinct_rectangles(taken(edges))
    scores, cells = scores[kept], cells[kept]
    depth, height, footprint, stretch, quarter, front = (
        taken(getattr(prediction, name)) for name in BOX_PARTS
    )
    yaw = np.arctan2(quarter[:, 1], quarter[:, 0]) / 4
    turns = np.round((np.arctan2(front[:, 1], front[:, 0]) - yaw) / (np.pi / 2))
    yaw = yaw + turns * np.pi / 2
    half = stretch[:, 0] * np.cos(2 * yaw) + stretch[:, 1] * np.sin(2 * yaw)
    names = prediction.names.argmax(dim=1) if prediction.names.shape[1] else heat[:, 0].long() * 0
    focal, horizon, roll = prediction.camera.mean(dim=(2, 3)).double()[0].tolist()
    return Found(
        scores=scores.double().cpu().numpy(),
        names=names.flatten()[cells].cpu().numpy(),
        rectangles=taken(edges),
        centres=taken(prediction.centre + places),
        depths=np.exp(depth[:, 0]),
        sizes=np.exp(np.stack([footprint[:, 0] + half, footprint[:, 0] - half, height[:, 0]], axis=1)),
        yaws=yaw,
        focal=math.exp(focal),
        horizon=horizon,
        roll=roll,
    )
