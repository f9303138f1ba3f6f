"""What is behind objects, from networks whose weights the user has: LaMa as an ONNX file, or diffusers'."""

from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from na_core.detection.weights import WeightsError, load_onnx
from na_core.scene import Picture

CONTEXT = 0.6
"""How much of what is around a hole a network sees, in units of the hole's sides."""

GROWN = 2
"""Pixels by which holes are grown: at their borders the photo is mixed with what is taken out."""

LARGEST = 1024
"""Longer side in pixels at which a diffusion model sees a part of a photo."""

SIDE = 512
"""Pixels along the sides of what a network sees that takes any size."""

SEED = 0


class PlateModel(Protocol):
    """Fills holes of photos."""

    def fill(self, part: Picture, hole: NDArray[np.bool_]) -> Picture:
        """Return a part of a photo (h, w, 3) filled where its hole (h, w) is; elsewhere anything."""
        ...


def load_plates(place: str, device: str = "cpu", *, download: bool = False) -> PlateModel:
    """Load a network that fills holes.

    Args:
        place: LaMa's ONNX file or a folder that holds it; a folder of an inpainting pipeline as diffusers
            saves it, or its name on the hub.
        device: torch's.
        download: fetch from the hub what is not on this disk.

    Raises:
        WeightsError: there is none, or it is of another kind.
    """
    path = Path(place)
    files = sorted(path.glob("*.onnx")) if path.is_dir() else []
    if path.suffix == ".onnx" or files:
        return OnnxInpainting(files[0] if files else path, device)
    return DiffusersInpainting(place, device, download=download)


def filled_plate(model: PlateModel, plate: Picture, holes: NDArray[np.bool_]) -> Picture:
    """Return a plate (H, W, 3) whose holes (H, W) a network filled, each with what is around it in view.

    What is no hole stays as it is, to the bit.
    """
    filled = plate.copy()
    grown = cv2.dilate(holes.astype(np.uint8), np.ones((2 * GROWN + 1,) * 2, np.uint8))
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(grown)
    height, width = holes.shape
    for number in range(1, count):
        left, top, across, down = (int(value) for value in boxes[number][:4])
        margin = max(round(CONTEXT * max(across, down)), 8)
        rows = slice(max(0, top - margin), min(height, top + down + margin))
        columns = slice(max(0, left - margin), min(width, left + across + margin))
        own = labels[rows, columns] == number
        # Other holes in view keep what is made up of them so far: a network sees no blank.
        made = model.fill(filled[rows, columns], own)
        inside = own & holes[rows, columns]
        filled[rows, columns][inside] = made[inside]
    return filled


class OnnxInpainting:
    """LaMa: a picture and a mask in, the picture filled out.

    Its files come in two forms: with the inputs ``image`` (1, 3, S, S) in [0, 1] and ``mask`` (1, 1, S, S), 1
    in the hole; or with one input (1, 4, S, S), the picture without the hole and the mask. What comes out is
    (1, 3, S, S), levels from 0 to 255 or from 0 to 1.

    Args:
        file: of the network. Where it takes any size, it gets :data:`SIDE`.
        device: torch's name.

    Raises:
        WeightsError: there is no such network, or onnxruntime is not installed.
    """

    def __init__(self, file: Path, device: str = "cpu") -> None:
        self._session: Any = load_onnx(file, device)
        shapes = {each.name: each.shape for each in self._session.get_inputs()}
        first = shapes.get("image", next(iter(shapes.values())))
        self._joined = next(iter(shapes)) if len(shapes) == 1 and len(first) == 4 and first[1] == 4 else None
        if self._joined is None and (shapes.keys() != {"image", "mask"} or len(first) != 4):
            raise WeightsError(
                f"'{file}' does not take a picture and a mask. Choose an ONNX file of LaMa, such as "
                "lama_fp32.onnx."
            )
        rows, columns = first[2:]
        fixed = isinstance(rows, int) and isinstance(columns, int)
        self._size = (rows, columns) if fixed else (SIDE, SIDE)
        self._output = self._session.get_outputs()[0].name

    def fill(self, part: Picture, hole: NDArray[np.bool_]) -> Picture:
        """Return a part of a photo filled; see :class:`PlateModel`."""
        rows, columns = self._size
        smaller = rows * columns < part.shape[0] * part.shape[1]
        seen = cv2.resize(part, (columns, rows), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_CUBIC)
        hidden = cv2.resize(hole.astype(np.uint8), (columns, rows), interpolation=cv2.INTER_NEAREST)
        image = seen.astype(np.float32).transpose(2, 0, 1)[None] / 255
        mask = hidden.astype(np.float32)[None, None]
        feed = {"image": image, "mask": mask}
        if self._joined is not None:
            feed = {self._joined: np.concatenate([image * (1 - mask), mask], axis=1)}
        (answer,) = self._session.run([self._output], feed)
        levels = np.asarray(answer[0], np.float32).transpose(1, 2, 0)
        levels = levels if levels.max() > 2 else levels * 255
        made = np.rint(levels.clip(0, 255)).astype(np.uint8)
        size = part.shape[1], part.shape[0]
        return np.asarray(cv2.resize(made, size, interpolation=cv2.INTER_CUBIC), np.uint8)


class DiffusersInpainting:
    """An inpainting pipeline of diffusers, without a prompt.

    Args:
        place: a folder as diffusers saves it, or a name on the hub.
        device: torch's.
        download: fetch from the hub what is not on this disk.

    Raises:
        WeightsError: there is none, or it is of another kind.
    """

    def __init__(self, place: str, device: str = "cpu", *, download: bool = False) -> None:
        from diffusers import AutoPipelineForInpainting

        try:
            pipeline = AutoPipelineForInpainting.from_pretrained(
                place, local_files_only=not download, use_safetensors=True, safety_checker=None
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise WeightsError(
                f"'{place}' is no inpainting pipeline. Give the folder of one as diffusers saves it, with "
                "safetensors, or allow downloads."
            ) from error
        pipeline.set_progress_bar_config(disable=True)
        self._pipeline: Any = pipeline.to(device)
        self._multiple = 8 * 2 ** (len(pipeline.unet.config.block_out_channels) - 1)

    @torch.no_grad()
    def fill(self, part: Picture, hole: NDArray[np.bool_]) -> Picture:
        """Return a part of a photo filled; see :class:`PlateModel`."""
        height, width = hole.shape
        scale = min(1.0, LARGEST / max(height, width))
        columns, rows = (
            max(self._multiple, round(side * scale / self._multiple) * self._multiple)
            for side in (width, height)
        )
        image = Image.fromarray(part).resize((columns, rows), Image.Resampling.LANCZOS)
        mask = Image.fromarray(hole.astype(np.uint8) * 255).resize((columns, rows), Image.Resampling.NEAREST)
        made = self._pipeline(
            prompt="",
            image=image,
            mask_image=mask,
            width=columns,
            height=rows,
            generator=torch.Generator().manual_seed(SEED),
        ).images[0]
        return np.asarray(made.convert("RGB").resize((width, height), Image.Resampling.LANCZOS))
