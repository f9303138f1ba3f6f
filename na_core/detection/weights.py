"""Weights that the user has: loaded from a folder, or from the hub where that is allowed."""

from pathlib import Path
from typing import Any

import torch


class WeightsError(ValueError):
    """Weights that are missing or of the wrong kind. The text is a sentence that names the fix."""


def load_published(kind: Any, place: str, device: str = "cpu", *, download: bool = False) -> Any:
    """Return a network, ready to look at pictures, or its processor or settings.

    Args:
        kind: one of transformers' classes that have ``from_pretrained``.
        place: a folder as transformers saves it, or a name on the hub.
        device: torch's, for networks.
        download: fetch from the hub what is not on this disk.

    Raises:
        WeightsError: there is none, or it is of another kind.
    """
    try:
        loaded = kind.from_pretrained(place, local_files_only=not download)
    except (OSError, ValueError, KeyError) as error:
        fix = (
            "Check the name, and the connection."
            if download
            else "Give the folder of a checkpoint as transformers saves it, or allow downloads."
        )
        raise WeightsError(f"'{place}' holds no weights that can be used for this. {fix}") from error
    return loaded.to(device).eval() if isinstance(loaded, torch.nn.Module) else loaded


def load_onnx(file: Path, device: str = "cpu") -> Any:
    """Return an onnxruntime session of a network's file.

    Args:
        file: of the network.
        device: torch's name; "cuda" where onnxruntime can.

    Raises:
        WeightsError: there is no such network, or onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise WeightsError(
            f"'{file}' needs onnxruntime. Install it beside the worker: pip install onnxruntime"
        ) from error
    wanted = ["CUDAExecutionProvider"] if device.startswith("cuda") else []
    there = onnxruntime.get_available_providers()
    providers = [name for name in (*wanted, "CPUExecutionProvider") if name in there]
    try:
        return onnxruntime.InferenceSession(str(file), providers=providers)
    except Exception as error:  # its errors have no common class
        raise WeightsError(f"'{file}' is no ONNX network that can be read. Download it again.") from error
