"""Metric depth of a photo, and where it can be told the focal length, by networks whose weights the user has.

MoGe-2 as an ONNX file (:mod:`na_core.detection.point_map`), or through transformers Depth Anything V2
*metric*, Depth Pro and others.
"""

import math
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from transformers import AutoConfig, AutoImageProcessor, AutoModelForDepthEstimation

from na_core.detection.ground import GroundError, camera_over_ground
from na_core.detection.pixels import normalised
from na_core.detection.point_map import PointMapNetwork
from na_core.detection.weights import load_published
from na_core.geometry.camera import assumed_focal
from na_core.scene import Camera

DEPTH_PRO = "depth_pro"


class DepthNetwork(Protocol):
    """Tells metric depth."""

    def find(self, image: Image.Image, focal: float | None) -> tuple[NDArray[np.float32], float | None]:
        """Return depth (H, W) in metres along the viewing direction, infinite where it is not known.

        And the focal length in pixels if the network finds one. One that is known (pixels) is obeyed.
        """
        ...


def load_depth(place: str, device: str = "cpu", *, download: bool = False) -> DepthNetwork:
    """Load a depth network.

    Args:
        place: an ONNX file of MoGe-2, or a folder that holds it; a folder as transformers saves it, or a
            name on the hub.
        device: torch's.
        download: fetch from the hub what is not on this disk.

    Raises:
        WeightsError: there is none, or it is of another kind.
    """
    path = Path(place)
    files = sorted(path.glob("*.onnx")) if path.is_dir() else []
    if path.suffix == ".onnx" or files:
        return PointMapNetwork(files[0] if files else path, device)
    return TransformersDepth(place, device, download=download)


def camera_by_depth(
    network: DepthNetwork, photo: NDArray[np.uint8], focal: float | None = None
) -> Camera | None:
    """Return the camera over the ground that a depth network sees in a photo, metric.

    None where the photo's depth shows no ground, and where neither the network nor you know the focal length:
    with a wrong one the ground would be tilted.

    Args:
        network: see :func:`load_depth`.
        photo: (H, W, 3) uint8 sRGB, upright.
        focal: length in units of the photo's longer side, where the photo says it.
    """
    pixels = None if focal is None else focal * max(photo.shape[:2])
    depth, found = network.find(Image.fromarray(photo), pixels)
    used = pixels or found
    if used is None:
        return None
    try:
        return camera_over_ground(depth, np.ones(depth.shape, bool), used)
    except GroundError:
        return None


class TransformersDepth:
    """A depth estimator of transformers.

    Args:
        place: see :func:`load_depth`.
        device: torch's.
        download: fetch from the hub what is not on this disk.

    Raises:
        WeightsError: there is none, or it is of another kind.
    """

    def __init__(self, place: str, device: str = "cpu", *, download: bool = False) -> None:
        self.device = device
        self._network = load_published(AutoModelForDepthEstimation, place, device, download=download)
        self._type = load_published(AutoConfig, place, download=download).model_type
        self._processor = (
            None if self._type == DEPTH_PRO else load_published(AutoImageProcessor, place, download=download)
        )

    @torch.no_grad()
    def find(self, image: Image.Image, focal: float | None) -> tuple[NDArray[np.float32], float | None]:
        """Return depth, and the focal length if the network finds one; see :class:`DepthNetwork`."""
        if self._processor is not None:
            inputs = self._processor(images=image, return_tensors="pt").to(self.device)
            result = self._processor.post_process_depth_estimation(
                self._network(**inputs), target_sizes=[(image.height, image.width)]
            )[0]
            return result["predicted_depth"].float().cpu().numpy(), None
        config = self._network.config
        side = config.patch_size * round(1 / min(config.scaled_images_ratios))
        outputs = self._network(normalised(image, (side, side), (0.5,) * 3, (0.5,) * 3).to(self.device))
        found = None
        if getattr(outputs, "field_of_view", None) is not None:
            found = 0.5 * image.width / math.tan(0.5 * math.radians(float(outputs.field_of_view[0])))
        used = focal or found or assumed_focal(image.width, image.height)
        # What it predicts is inverse depth of a camera whose focal length is the picture's width.
        inverse = (outputs.predicted_depth[0].float() * image.width / used).clamp(1e-4, 1e4)
        depth = F.interpolate(
            inverse[None, None], (image.height, image.width), mode="bilinear", align_corners=False
        )[0, 0]
        return (1 / depth).cpu().numpy(), found
