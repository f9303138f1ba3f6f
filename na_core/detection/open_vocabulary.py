"""Detection of whatever is named, on real photographs, with networks whose weights the user has.

Text or nothing finds 2D boxes (Grounding DINO, OWLv2; RT-DETR and others without a prompt), SAM 2.1 makes
masks of them, a metric depth network makes points, and :mod:`na_core.detection.lifting` fits boxes.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForObjectDetection,
    AutoModelForZeroShotObjectDetection,
    AutoProcessor,
)

from na_core.cancellation import poll
from na_core.detection.detection import ASSUMED_HEIGHT, DetectedObject, Detection, distinct_rectangles
from na_core.detection.ground import GroundError, camera_over_ground
from na_core.detection.lifting import FittingError, fit_box, points_of_depth, smoothed
from na_core.detection.metric_depth import DepthNetwork
from na_core.detection.segmentation import BoxSegmenter
from na_core.detection.weights import WeightsError, load_published
from na_core.geometry.camera import assumed_focal, camera_of_photo
from na_core.scene import Camera

THRESHOLD = 0.3
SMALLEST, LARGEST = 0.001, 0.8
"""Shares of the picture between which a 2D box is an object's."""

PROMPTED = ("grounding-dino", "mm-grounding-dino", "omdet-turbo", "owlv2", "owlvit")
"""Model types that are told what to look for."""

ASSUMED_PITCH = math.radians(15)


class OpenVocabularyDetector:
    """Three networks; those of boxes and masks are loaded from folders or from the hub.

    Args:
        boxes: Grounding DINO, OWLv2, RT-DETR or another of transformers' object detectors.
        depth: see :func:`na_core.detection.metric_depth.load_depth`.
        masks: SAM 2.1; None takes all of a 2D box that is nearer than what is around it.
        device: torch's.
        download: fetch from the hub what is not on this disk.

    Raises:
        WeightsError: one of them is not there, or is of another kind.
    """

    def __init__(
        self,
        boxes: str,
        depth: DepthNetwork,
        masks: str | None = None,
        device: str = "cpu",
        *,
        download: bool = False,
    ) -> None:
        self.device = device
        boxes_type = self._load(AutoConfig, boxes, download).model_type
        self.prompted = boxes_type.replace("_", "-") in PROMPTED
        kind = AutoModelForZeroShotObjectDetection if self.prompted else AutoModelForObjectDetection
        self._boxes = self._load(kind, boxes, download)
        processor = AutoProcessor if self.prompted else AutoImageProcessor
        self._boxes_processor = self._load(processor, boxes, download)
        self._masks = None if masks is None else BoxSegmenter(masks, device, download=download)
        self._depth = depth

    @torch.no_grad()
    def detect(
        self,
        photo: NDArray[np.uint8],
        prompt: str = "",
        *,
        focal: float | None = None,
        threshold: float = THRESHOLD,
    ) -> Detection:
        """Find objects in a photo.

        Args:
            photo: (H, W, 3) uint8 sRGB, upright.
            prompt: names of what to find, separated by full stops or commas: "mug. laptop. plant".
            focal: length in units of the photo's longer side, where the photo says it.
            threshold: least score.

        Raises:
            WeightsError: the boxes' network has to be told what to find, and is not.
        """
        height, width = photo.shape[:2]
        side = max(height, width)
        image = Image.fromarray(photo)
        names, scores, rectangles = self.find_boxes(image, prompt, threshold)
        poll()
        depth, told = self.find_depth(image, None if focal is None else focal * side)
        pixels = focal * side if focal is not None else told or assumed_focal(width, height)
        poll()
        masks = self.find_masks(image, rectangles, depth)
        camera = _camera(depth, masks, pixels)
        found = []
        for name, score, rectangle, mask in zip(names, scores, rectangles, masks, strict=True):
            poll()
            points = points_of_depth(camera, smoothed(depth, mask), mask)
            try:
                box = fit_box(points, camera.world_from_camera[:3, 3])
            except FittingError:
                continue
            x0, y0, x1, y1 = (rectangle / (width, height, width, height)).clip(0, 1).tolist()
            found.append(DetectedObject(name, score, (x0, y0, x1, y1), box, mask))
        return Detection(camera, tuple(found), metric=True)

    @torch.no_grad()
    def find_boxes(
        self, image: Image.Image, prompt: str, threshold: float
    ) -> tuple[list[str], list[float], NDArray[np.float64]]:
        """Return names, scores and 2D boxes (K, 4) in pixels, the surest first, each object once."""
        wanted = [name.strip().lower() for name in prompt.replace(",", ".").split(".") if name.strip()]
        size = [(image.height, image.width)]
        if not self.prompted:
            inputs = self._boxes_processor(images=image, return_tensors="pt").to(self.device)
            result = self._boxes_processor.post_process_object_detection(
                self._boxes(**inputs), threshold=threshold, target_sizes=size
            )[0]
            said = [self._boxes.config.id2label[int(label)] for label in result["labels"]]
            if wanted:
                said = [name if name.lower() in wanted else "" for name in said]
        else:
            if not wanted:
                raise WeightsError(
                    "This detector has to be told what to find. Name the objects, such as: mug. laptop. plant"
                )
            inputs = self._boxes_processor(images=image, text=[wanted], return_tensors="pt").to(self.device)
            outputs = self._boxes(**inputs)
            told: dict[str, Any] = {"text_labels": [wanted]}
            if "input_ids" in inputs and hasattr(outputs, "encoder_last_hidden_state_text"):
                told = {"input_ids": inputs["input_ids"], "text_threshold": threshold}
            result = self._boxes_processor.post_process_grounded_object_detection(
                outputs, threshold=threshold, target_sizes=size, **told
            )[0]
            said = [str(name) for name in result["text_labels"]]
        return distinct(said, result["scores"].tolist(), result["boxes"].double().cpu().numpy(), size[0])

    def find_depth(self, image: Image.Image, focal: float | None) -> tuple[NDArray[np.float32], float | None]:
        """Return depth (H, W) in metres, and the focal length in pixels if the network finds one."""
        return self._depth.find(image, focal)

    @torch.no_grad()
    def find_masks(
        self, image: Image.Image, rectangles: NDArray[np.float64], depth: NDArray[np.float32]
    ) -> list[NDArray[np.bool_]]:
        """Return a mask (H, W) for each 2D box."""
        if not len(rectangles):
            return []
        if self._masks is None:
            return [nearer_than_around(depth, rectangle) for rectangle in rectangles]
        found = self._masks.logits(image, rectangles)
        logits = F.interpolate(
            found[:, None], (image.height, image.width), mode="bilinear", align_corners=False
        )
        return list((logits[:, 0] > 0).cpu().numpy())

    def _load(self, kind: Any, place: str, download: bool) -> Any:
        return load_published(kind, place, self.device, download=download)


def distinct(
    names: Sequence[str], scores: Sequence[float], boxes: NDArray[np.float64], size: tuple[int, int]
) -> tuple[list[str], list[float], NDArray[np.float64]]:
    """Keep of 2D boxes (K, 4) in pixels the surest of those that overlap, none too small or too large.

    Args:
        names, scores: of the boxes; those without a name are left out.
        boxes: x0, y0, x1, y1.
        size: height and width of the picture.
    """
    boxes = np.clip(boxes.reshape(-1, 4), 0, (size[1], size[0], size[1], size[0]))
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    shares = areas / (size[0] * size[1])
    order = [
        int(i)
        for i in np.argsort(-np.asarray(scores), kind="stable")
        if names[i] and SMALLEST <= shares[i] <= LARGEST
    ]
    kept = [order[i] for i in distinct_rectangles(boxes[order])]
    return [names[i] for i in kept], [float(scores[i]) for i in kept], boxes[kept]


def nearer_than_around(depth: NDArray[np.float32], rectangle: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which pixels (H, W) of a 2D box are nearer than half-way between its middle and its border."""
    height, width = depth.shape
    x0, y0, x1, y1 = (round(float(value)) for value in rectangle)
    x0, y0 = min(max(x0, 0), width - 1), min(max(y0, 0), height - 1)
    window = slice(y0, max(y1, y0 + 1)), slice(x0, max(x1, x0 + 1))
    inside = depth[window]
    rows, columns = inside.shape
    middle = np.median(inside[rows // 4 : rows - rows // 4, columns // 4 : columns - columns // 4])
    border = np.median(np.r_[inside[0], inside[:, 0], inside[:, -1]])  # below it stands on something as near
    shown = np.zeros(depth.shape, bool)
    shown[window] = inside <= (middle + max(border, middle)) / 2
    return shown


def _camera(depth: NDArray[np.float32], masks: Sequence[NDArray[np.bool_]], focal: float) -> Camera:
    """Return the camera over the ground that the depth shows, or a common one where it shows none."""
    height, width = depth.shape
    free = ~np.any(masks, axis=0) if len(masks) else np.ones(depth.shape, bool)
    try:
        return camera_over_ground(depth, free, focal)
    except GroundError:
        return camera_of_photo(focal, width, height, ASSUMED_HEIGHT, ASSUMED_PITCH)
