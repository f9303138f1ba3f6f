"""A user's folder, as diffusers saves pipelines, becomes a refiner, or is refused in words."""

import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from na_core.detection.weights import WeightsError
from na_core.model.refiners.families import FAMILIES
from na_core.model.refiners.refiner import Refiner

UNSAFE = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
"""Endings of files that may hold pickles, which can run any code when they are read."""

FREE_SHARE = 0.9
"""Of the free memory, that weights may take: what they compute needs some, too."""

INDEX = "model_index.json"


def load_refiner(place: str, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Refiner:
    """Load a refiner from a folder.

    Args:
        place: the folder of a pipeline as diffusers saves it, with safetensors.
        device, dtype: torch's, where and how it computes.

    Raises:
        WeightsError: it is no such folder, incomplete, unsafe, of a kind that cannot refine, or too large for
            the free memory; the text names the fix.
    """
    folder = Path(place)
    index = _read_index(folder)
    family = FAMILIES.get(name := index["_class_name"])
    if family is None:
        raise WeightsError(
            f"'{place}' is a {name}, which cannot refine frames. Choose one of {', '.join(sorted(FAMILIES))}."
        )
    if family.package is not None and importlib.util.find_spec(family.package) is None:
        raise WeightsError(
            f"'{place}' is a {name}, which needs the Python package {family.package}. Install it where the "
            f"worker runs: pip install {family.package}"
        )
    _check_files(folder)
    _check_memory(folder, device, dtype)
    import diffusers

    kind: Any = getattr(diffusers, family.pipeline)
    try:
        pipeline = kind.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, torch_dtype=dtype, **_left_out(index)
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, RuntimeError) as error:
        raise WeightsError(
            f"'{place}' cannot be loaded as {family.pipeline}: {_first_line(error)} "
            "Download the folder anew, all of it."
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    return Refiner(pipeline.to(device), family)


def _read_index(folder: Path) -> dict[str, Any]:
    file = folder / INDEX
    try:
        index = dict(json.loads(file.read_text(encoding="utf-8")))
        return {**index, "_class_name": str(index["_class_name"])}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise WeightsError(
            f"'{folder}' is no folder of a diffusers pipeline: it has no {INDEX} that says what it is. "
            "Choose the folder that holds that file."
        ) from error


def _check_files(folder: Path) -> None:
    """Refuse folders that bring code, whose weights are pickles, or where a part has none."""
    code = next(folder.rglob("*.py"), None)
    if code is not None:
        raise WeightsError(f"'{code}' is code, which is never run. Take a model without .py files.")
    for part in sorted(each for each in folder.iterdir() if each.is_dir()):
        files = [file for file in part.iterdir() if file.is_file()]
        unsafe = [file for file in files if file.suffix in UNSAFE]
        if unsafe and not any(file.suffix == ".safetensors" for file in files):
            raise WeightsError(
                f"'{unsafe[0]}' is a pickle, which may run any code when it is read. Take the variant of the "
                "model with .safetensors files."
            )


def _check_memory(folder: Path, device: str, dtype: torch.dtype) -> None:
    """Refuse weights that are larger than the free memory, as far as that is known."""
    needed = _bytes_of_weights(folder, dtype)
    free = _free_bytes(device)
    if free is not None and needed > FREE_SHARE * free:
        raise WeightsError(
            f"'{folder}' needs {needed / 2**30:.1f} GiB on {device}, where {free / 2**30:.1f} GiB are free. "
            "Choose a smaller model or half precision, or close other programs that use the memory."
        )


def _bytes_of_weights(folder: Path, dtype: torch.dtype) -> int:
    """Return the bytes that a folder's weights take in a precision."""
    from safetensors import safe_open

    total = 0
    for file in folder.glob("*/*.safetensors"):
        try:
            with safe_open(file, "pt") as weights:
                shapes = [weights.get_slice(name).get_shape() for name in weights.keys()]  # noqa: SIM118
        except Exception as error:  # safetensors' own, which has no name that lasts
            raise WeightsError(f"'{file}' is incomplete or damaged. Download it again.") from error
        total += sum(int(torch.Size(shape).numel()) for shape in shapes) * dtype.itemsize
    return total


def _free_bytes(device: str) -> int | None:
    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    found = next((line for line in lines if line.startswith("MemAvailable:")), None)
    return None if found is None else int(found.split()[1]) * 1024


def _left_out(index: Mapping[str, Any]) -> dict[str, None]:
    """Return the parts of a pipeline that only judge its pictures, as arguments that leave them out."""
    return {name: None for name in ("safety_checker", "image_encoder") if name in index}


def _first_line(error: BaseException) -> str:
    text = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip()
    return text if text.endswith((".", "!", "?")) else f"{text}."
