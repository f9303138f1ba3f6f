"""What a frame's networks take in other runtimes than eager PyTorch, in the same run.

    .venv/bin/python benchmarks/runtimes.py

The embedded checkpoint's UNet, one step of a 256 x 256 picture with six objects: eager in float32 and
bfloat16, `torch.compile`, and ONNX Runtime and OpenVINO where they are installed (they are no dependencies).
Prints milliseconds (median), the ratio to eager float32, the largest difference of the output relative to its
spread, and how long the runtime took to get ready.
"""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn

from na_core.model.checkpoints import load_checkpoint
from na_core.model.pixel_decoder import FINE, INPUTS

ROUNDS = 20
OBJECTS = 6

Run = Callable[[], np.ndarray]


class Step(nn.Module):
    """One denoising step as tensors in, tensor out."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, inputs: Tensor, tokens: Tensor) -> Tensor:
        """Run the UNet without noise."""
        return self.unet(inputs, torch.tensor(0), encoder_hidden_states=tokens).sample


def eager(module: nn.Module, inputs: tuple[Tensor, ...], dtype: torch.dtype) -> Run:
    """Return a run of eager PyTorch."""
    module = module.to(dtype)
    cast = tuple(value.to(dtype) for value in inputs)
    return lambda: module(*cast).float().numpy()


def compiled(module: nn.Module, inputs: tuple[Tensor, ...]) -> Run:
    """Return a run of `torch.compile`."""
    fast = torch.compile(module.float())
    return lambda: fast(*inputs).numpy()


def exported(module: nn.Module, inputs: tuple[Tensor, ...]) -> bytes:
    """Return a module as ONNX."""
    file = io.BytesIO()
    torch.onnx.export(module.float(), inputs, file, dynamo=False, opset_version=17)
    return file.getvalue()


def onnx_runtime(module: nn.Module, inputs: tuple[Tensor, ...]) -> Run:
    """Return a run of ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(exported(module, inputs), providers=["CPUExecutionProvider"])
    feeds = {slot.name: value.numpy() for slot, value in zip(session.get_inputs(), inputs, strict=True)}
    return lambda: session.run(None, feeds)[0]


def openvino(module: nn.Module, inputs: tuple[Tensor, ...], precision: str) -> Run:
    """Return a run of OpenVINO."""
    import openvino as ov

    core = ov.Core()
    model = core.read_model(io.BytesIO(exported(module, inputs)))
    ready = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": precision})
    arrays = [value.numpy() for value in inputs]
    return lambda: np.asarray(ready(arrays)[0])


@torch.no_grad()
def main() -> None:
    """Measure and print."""
    pipeline = load_checkpoint("mini")
    unet, side = pipeline.unet, 256 // FINE
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(1, INPUTS, side, side, generator=generator)
    count = (OBJECTS + 1) * pipeline.tokenizer3d.cells**2
    tokens = torch.randn(1, count, unet.config.cross_attention_dim, generator=generator)
    print("| runtime | ms | of eager | difference | ready after |\n|---|---|---|---|---|")
    module, given = Step(unet), (inputs, tokens)
    ways: dict[str, Callable[[], Run]] = {
        "eager float32": lambda: eager(module, given, torch.float32),
        "torch.compile": lambda: compiled(module, given),
        "ONNX Runtime": lambda: onnx_runtime(module, given),
        "OpenVINO float32": lambda: openvino(module, given, "f32"),
        "OpenVINO bfloat16": lambda: openvino(module, given, "bf16"),
        "eager bfloat16": lambda: eager(module, given, torch.bfloat16),
    }
    truth: np.ndarray | None = None
    first = 0.0
    for way, prepare in ways.items():
        start = time.perf_counter()
        try:
            run = prepare()
            result = run()
        except ImportError:
            continue
        except Exception as error:
            print(f"| {way} | failed: {type(error).__name__} | | |")
            continue
        ready = time.perf_counter() - start
        seconds = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - start)
        truth = result if truth is None else truth
        first = first or median(seconds)
        difference = float(np.abs(result - truth).max() / truth.std())
        print(
            f"| {way} | {1000 * median(seconds):.0f} | {median(seconds) / first:.2f} "
            f"| {difference:.1e} | {ready:.0f} s |",
            flush=True,
        )


if __name__ == "__main__":
    main()
