"""Outlines from networks whose weights the user has: SAM 2.1, or a matting network as an ONNX file."""

from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image

from na_core.detection.segmentation import BoxSegmenter
from na_core.detection.weights import WeightsError, load_onnx
from na_core.scene import Picture, Rectangle

CONTEXT = 0.2
"""How much of what is around a 2D box a matting network sees, in units of its sides."""

LEAST_SPREAD = 0.05
"""Of a matting network's answer: if it is as flat as this all over, it saw nothing."""

BIREFNET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
ISNET = ((0.5, 0.5, 0.5), (1.0, 1.0, 1.0))
"""Means and deviations that the two kinds of networks were trained with."""


class OutlineModel(Protocol):
    """Finds outlines."""

    def find(self, picture: Picture, rectangles: list[Rectangle]) -> list[NDArray[np.uint8]]:
        """Return how much of each pixel (H, W) the object in each 2D box covers, 255 all of it."""
        ...


def load_outlines(place: str, device: str = "cpu", *, download: bool = False) -> OutlineModel:
    """Load a network that finds outlines.

    Args:
        place: an ONNX file of IS-Net, BiRefNet or a network like them, or a folder that holds one; a folder
            of SAM 2.1 as transformers saves it, or its name on the hub.
        device: torch's.
        download: fetch from the hub what is not on this disk.

    Raises:
        WeightsError: there is none, or it is of another kind.
    """
    path = Path(place)
    files = sorted(path.glob("*.onnx")) if path.is_dir() else []
    if path.suffix == ".onnx" or files:
        return OnnxMatting(files[0] if files else path, device)
    return SegmentedOutlines(BoxSegmenter(place, device, download=download))


class SegmentedOutlines:
    """Outlines of SAM 2.1, asked by 2D boxes; its probabilities are the alpha at edges."""

    def __init__(self, segmenter: BoxSegmenter) -> None:
        self._segmenter = segmenter

    @torch.no_grad()
    def find(self, picture: Picture, rectangles: list[Rectangle]) -> list[NDArray[np.uint8]]:
        """Return outlines; see :class:`OutlineModel`."""
        if not rectangles:
            return []
        height, width = picture.shape[:2]
        boxes = np.array(rectangles, np.float64) * (width, height, width, height)
        logits = self._segmenter.logits(Image.fromarray(picture), boxes)
        large = F.interpolate(logits[:, None], (height, width), mode="bilinear", align_corners=False)[:, 0]
        levels = (255 * torch.sigmoid(large)).round().to(torch.uint8).cpu().numpy()
        return list(levels)


class OnnxMatting:
    """A network that tells what stands out in a picture: one picture in, alpha out.

    Args:
        file: IS-Net's, BiRefNet's or one like them: input (1, 3, S, S), first output (1, 1, S, S), alpha or
            its logarithm of odds. Those whose file's or input's name says BiRefNet get its colours; others
            IS-Net's.
        device: torch's name.

    Raises:
        WeightsError: there is no such network, or onnxruntime is not installed.
    """

    def __init__(self, file: Path, device: str = "cpu") -> None:
        self._session: Any = load_onnx(file, device)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shape = inputs[0].shape
        if len(inputs) != 1 or len(shape) != 4 or shape[1] != 3:
            raise WeightsError(
                f"'{file}' takes no single picture. Choose an ONNX file of IS-Net or BiRefNet, such as "
                "isnet-general-use.onnx."
            )
        self._name, self._output = inputs[0].name, outputs[0].name
        self._size = tuple(side if isinstance(side, int) else 1024 for side in shape[2:])
        kind = f"{file.name} {self._name}".lower()
        self._colours = BIREFNET if "birefnet" in kind or "input_image" in kind else ISNET
        self._type = np.float16 if "float16" in inputs[0].type else np.float32

    def find(self, picture: Picture, rectangles: list[Rectangle]) -> list[NDArray[np.uint8]]:
        """Return outlines; see :class:`OutlineModel`."""
        return [self._outline(picture, rectangle) for rectangle in rectangles]

    def _outline(self, picture: Picture, rectangle: Rectangle) -> NDArray[np.uint8]:
        height, width = picture.shape[:2]
        x0, y0, x1, y1 = (
            round(value * side) for value, side in zip(rectangle, (width, height) * 2, strict=True)
        )
        across, down = round(CONTEXT * (x1 - x0)), round(CONTEXT * (y1 - y0))
        rows = slice(max(0, y0 - down), min(height, max(y1, y0 + 1) + down))
        columns = slice(max(0, x0 - across), min(width, max(x1, x0 + 1) + across))
        alpha = self._alpha(picture[rows, columns])
        outline = np.zeros((height, width), np.uint8)
        outline[rows, columns] = np.rint(255 * alpha)
        return outline

    def _alpha(self, part: Picture) -> NDArray[np.float32]:
        """Return the alpha (h, w) in [0, 1] of a part of a picture."""
        rows, columns = self._size
        mean, deviation = (np.array(values, np.float32) for values in self._colours)
        seen = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        feed = ((seen - mean) / deviation).transpose(2, 0, 1)[None].astype(self._type)
        (answer,) = self._session.run([self._output], {self._name: feed})
        alpha = np.asarray(answer, np.float32).reshape(answer.shape[-2:])
        if alpha.min() < -0.01 or alpha.max() > 1.01:
            alpha = 1 / (1 + np.exp(-alpha.clip(-50, 50)))
        spread = float(alpha.max() - alpha.min())
        alpha = (alpha - alpha.min()) / spread if spread > LEAST_SPREAD else np.zeros_like(alpha)
        large = cv2.resize(alpha, (part.shape[1], part.shape[0]), interpolation=cv2.INTER_LINEAR)
        return np.asarray(large, np.float32).clip(0, 1)
