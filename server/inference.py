"""The pipeline behind the worker: choose a device, load a checkpoint, render a frame.

Torch is imported when a function is called, so that the rest of the worker can say that it is missing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from na_core.scene import Frame, Picture, Sampling
from server.failures import Failure, is_out_of_memory
from server.jobs import OnStep
from server.meshes import mesh_unusable
from server.own_models import ModelSettings, load_models, load_own_refiner

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from na_core.compose.frame_passes import FramePasses
    from na_core.layers.layers import Layers
    from na_core.meshes.mesh_arrays import MeshArrays
    from na_core.tensors.views import SourceView

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "bfloat16")


def choose_device(wanted: str) -> str:
    """Return ``cpu``, ``cuda``, ``cuda:N`` or ``mps``; ``auto`` takes the fastest that there is.

    Raises:
        Failure: ``device_unavailable``.
    """
    import torch

    kind, _, number = wanted.partition(":")
    if kind not in DEVICES or (number and not (kind == "cuda" and number.isdecimal())):
        raise Failure(
            "device_unavailable", f"There is no device {wanted!r}: choose one of {', '.join(DEVICES)}."
        )
    available = ["cpu"]
    if torch.backends.mps.is_available():
        available.insert(0, "mps")
    if torch.cuda.is_available():
        available.insert(0, "cuda")
    if kind == "auto":
        return available[0]
    if kind not in available:
        raise Failure(
            "device_unavailable",
            f"This machine's torch {torch.__version__} finds no {kind} device (only {', '.join(available)}): "
            "start with --device auto, or install a torch built for your GPU and a current driver.",
        )
    if number and int(number) >= torch.cuda.device_count():
        raise Failure(
            "device_unavailable",
            f"There is no {wanted}, this machine has {torch.cuda.device_count()} CUDA device(s): start with "
            "--device cuda.",
        )
    return wanted


def choose_dtype(wanted: str, device: str) -> torch.dtype:
    """Return the precision; ``auto`` is bfloat16 on a CUDA GPU that computes in it, else float32.

    Raises:
        Failure: ``dtype_unavailable``.
    """
    import torch

    if wanted not in DTYPES:
        raise Failure(
            "dtype_unavailable", f"There is no precision {wanted!r}: choose one of {', '.join(DTYPES)}."
        )
    if wanted == "auto":
        fast = device.startswith("cuda") and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if fast else torch.float32
    return torch.bfloat16 if wanted == "bfloat16" else torch.float32


class PipelineRenderer:
    """A loaded pipeline on its device.

    Attributes:
        name: of the checkpoint, as people call it (``mini``, or the folder's name).
        preset: ``guided`` or ``paper``.
        samplings: steps and guidance by the sampling's name.
        device, dtype: where and how it computes.
        fingerprint: changes with anything that changes the pictures.
        licences: of the user's own models, by what they make.
    """

    def __init__(
        self,
        pipeline: Any,
        *,
        name: str,
        device: str,
        dtype: torch.dtype,
        weights: str,
        models: ModelSettings | None = None,
    ) -> None:
        self._pipeline = pipeline
        self.name = name
        self.preset: str | None = pipeline.config.get("preset")
        self.samplings: dict[str, tuple[int, float]] = dict(pipeline.samplings)
        self.device = device
        self.dtype = str(dtype).removeprefix("torch.")
        chosen = models or ModelSettings()
        self.fingerprint = f"{weights} {device} {self.dtype} {chosen.identity}".rstrip()
        self.licences = chosen.licences()

    @classmethod
    def load(
        cls,
        checkpoint: str,
        device: str = "auto",
        dtype: str = "auto",
        models: ModelSettings | None = None,
    ) -> Self:
        """Load a checkpoint: a folder, or a name that na_core knows (``mini``); and the user's own models.

        Raises:
            Failure: ``checkpoint_missing``, ``checkpoint_corrupt``, ``device_unavailable``,
                ``dtype_unavailable``, ``weights_missing`` or ``out_of_memory``.
        """
        chosen_device = choose_device(device)
        chosen_dtype = choose_dtype(dtype, chosen_device)

        from na_core.model.checkpoints import CheckpointError, fingerprint, load_checkpoint

        try:
            pipeline = load_checkpoint(checkpoint, chosen_device, chosen_dtype)
            weights = fingerprint(checkpoint)
        except CheckpointError as error:
            raise Failure(error.code, error.message) from error
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            raise Failure(
                "out_of_memory",
                f"Not enough memory on {chosen_device} to load the checkpoint {checkpoint!r}: close other "
                "programs that use it, or start with --device cpu.",
            ) from error
        if models is not None and models.chosen:
            pipeline.models = load_models(models, chosen_device)
            pipeline.refiner = load_own_refiner(models, chosen_device, chosen_dtype)
        return cls(
            pipeline,
            name=Path(checkpoint).name,
            device=chosen_device,
            dtype=chosen_dtype,
            weights=weights,
            models=models,
        )

    def render(
        self,
        frame: Frame,
        photos: Mapping[str, Picture],
        sampling: Sampling,
        on_step: OnStep,
        meshes: Mapping[str, MeshArrays],
    ) -> Picture:
        """Return the frame's picture, (height, width, 3) uint8.

        An exception that ``on_step`` raises ends the rendering at that step and passes through.

        Raises:
            Failure: ``mesh_unusable``.
        """
        with _meshes_explained():
            picture: Picture = self._pipeline([frame], photos, sampling, on_step, meshes).images[0]
        return picture

    def passes(
        self,
        frame: Frame,
        photos: Mapping[str, Picture],
        width: int,
        height: int,
        meshes: Mapping[str, MeshArrays],
    ) -> FramePasses:
        """Return the passes of a frame.

        Raises:
            Failure: ``mesh_unusable``.
        """
        with _meshes_explained():
            passes: FramePasses = self._pipeline.passes(frame, photos, width, height, meshes)
        return passes

    def sketch(
        self,
        frame: Frame,
        photos: Mapping[str, Picture],
        width: int,
        height: int,
        meshes: Mapping[str, MeshArrays],
    ) -> tuple[Picture, NDArray[np.float32]]:
        """Return a frame's proxy and its validity (height, width), as quickly as it goes.

        Raises:
            Failure: ``mesh_unusable``.
        """
        with _meshes_explained():
            proxy, validity = self._pipeline.sketch(frame, photos, width, height, meshes)
        return proxy, validity

    def layers(self, view: SourceView, photos: Mapping[str, Picture]) -> Layers:
        """Return what a view's photo is taken apart into, at its own size, on the CPU."""
        import torch

        pipeline = self._pipeline
        layers: Layers = pipeline.layers.layers(
            view, photos, pipeline.taking_apart, torch.device(self.device)
        )
        return layers

    def release_memory(self) -> None:
        """Give cached GPU memory back to the driver, so that other programs can use it."""
        import torch

        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()
        elif self.device == "mps":
            torch.mps.empty_cache()

    def peak_memory_mib(self) -> dict[str, float | None]:
        """Return the peaks so far in MiB: ``process`` (resident memory) and ``device`` (None on the CPU)."""
        import torch

        device_bytes = torch.cuda.max_memory_allocated() if self.device.startswith("cuda") else None
        return {
            "process": peak_resident_mib(),
            "device": None if device_bytes is None else round(device_bytes / 2**20, 1),
        }


@contextmanager
def _meshes_explained() -> Iterator[None]:
    """Turn what is wrong with a mesh into the failure that says so."""
    from na_core.meshes.mesh_arrays import MeshError

    try:
        yield
    except MeshError as error:
        raise mesh_unusable(error) from error


def peak_resident_mib() -> float | None:
    """Return the process's largest resident memory so far in MiB; None where the system does not tell."""
    if sys.platform == "linux":
        # getrusage would count the parent's memory too: exec hands its peak on, and Blender's is large.
        for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return round(int(line.split()[1]) / 2**10, 1)
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
