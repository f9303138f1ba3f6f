"""SAM 2.1, with weights that the user has: what is in 2D boxes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from transformers import Sam2Model

from na_core.detection.pixels import normalised
from na_core.detection.weights import load_published


class BoxSegmenter:
    """SAM 2.1, asked by 2D boxes.

    Args:
        place: a folder as transformers saves it, or a name on the hub.
        device: torch's.
        download: fetch from the hub what is not on this disk.

    Raises:
        WeightsError: there is none, or it is of another kind.
    """

    def __init__(self, place: str, device: str = "cpu", *, download: bool = False) -> None:
        self.device = device
        self._network = load_published(Sam2Model, place, device, download=download)
        self._size = _sam_size(place, self._network)

    @torch.no_grad()
    def logits(self, image: Image.Image, rectangles: NDArray[np.float64]) -> Tensor:
        """Return the logarithm of the odds (K, h, w) that a pixel shows what is in each 2D box.

        Args:
            image: the photo.
            rectangles: (K, 4) x0, y0, x1, y1 in its pixels.
        """
        rows, columns = self._size
        pixels = normalised(image, self._size, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
        scale = np.array([columns / image.width, rows / image.height] * 2)
        boxes = torch.from_numpy(rectangles * scale).float()[None]
        outputs = self._network(
            pixel_values=pixels.to(self.device), input_boxes=boxes.to(self.device), multimask_output=False
        )
        found: Tensor = outputs.pred_masks[0, :, 0].float()
        return found


def _sam_size(place: str, model: Any) -> tuple[int, int]:
    """Return the rows and columns that SAM sees: its processor needs torchvision, its file does not."""
    file = Path(place) / "preprocessor_config.json"
    if file.is_file():
        size = json.loads(file.read_text(encoding="utf-8")).get("size", {})
        if {"height", "width"} <= size.keys():
            return int(size["height"]), int(size["width"])
    side = int(model.config.prompt_encoder_config.image_size)
    return side, side
