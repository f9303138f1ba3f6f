"""Frames per second beside plain diffusers: a step of benchmarks/gpu.py."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
from gpu_kit import Kit
from steps import fullest_frame
from torch import Tensor

from na_core.model.checkpoints import load_checkpoint
from na_core.model.pipeline import NeuralAssetsPipeline
from na_core.model.pixel_decoder import FINE
from na_core.scene import Sampling
from server.inference import choose_dtype

SIZES = ((256, 256), (512, 512), (1024, 576))
WARM_UP = 2
"""Times that each size is rendered before it is measured."""


def speed(kit: Kit, until: float) -> dict[str, Any]:
    """Measure frames per second at :data:`SIZES`, beside plain diffusers.

    The frame is the first edit of the bench's scene with the most objects, its photo taken apart before.
    Plain diffusers is the same U-Net, by itself, once at the size of the picture; the network is that at the
    size at which the frame is decoded, as a part of it. They take turns.
    """
    dtype = choose_dtype("auto", kit.device)
    pipeline = load_checkpoint(kit.start, kit.device, dtype)
    frame, photos = fullest_frame()
    found: dict[str, Any] = {**machine(kit.device), "precision": str(dtype).removeprefix("torch.")}
    for number, (width, height) in enumerate(SIZES):
        sampling = Sampling(steps=1, guidance=1.0, preset="custom", width=width, height=height)
        render = partial(pipeline, [frame], photos, sampling)
        (inputs, level), named = unet_inputs(pipeline, render)
        large = F.interpolate(inputs, (height // FINE, width // FINE))
        large = large.contiguous(memory_format=torch.channels_last)
        seconds = in_turns(
            {
                "frame": render,
                "network": partial(pipeline.unet, inputs, level, **named),
                "plain": partial(pipeline.unet, large, level, **named),
            },
            kit,
            time.time() + (until - time.time()) / (len(SIZES) - number + 1),
        )
        found[f"{width}x{height}"] = {
            "frames_per_second": 1 / seconds["frame"],
            "plain_frames_per_second": 1 / seconds["plain"],
            "ratio": seconds["plain"] / seconds["frame"],
            **{f"{name}_seconds": value for name, value in seconds.items()},
        }
    return found


def unet_inputs(pipeline: NeuralAssetsPipeline, render: Callable[[], Any]) -> tuple[tuple[Tensor, ...], Any]:
    """Return what a pipeline's U-Net is given when it renders: by place, and by name."""
    seen: list[tuple[tuple[Tensor, ...], Any]] = []
    hook = pipeline.unet.register_forward_pre_hook(
        lambda _, values, named: seen.append((values, named)), with_kwargs=True
    )
    render()
    hook.remove()
    return seen[-1]


def machine(device: str) -> dict[str, str]:
    """Return what computes."""
    name = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    return {"device": name, "torch": torch.__version__}


@torch.no_grad()
def in_turns(runs: dict[str, Callable[[], Any]], kit: Kit, until: float) -> dict[str, float]:
    """Return the median seconds of runs, which take turns, the warm-up left out."""
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for count in range(WARM_UP + kit.rounds):
        if count > WARM_UP and time.time() > until:
            break
        for name, each in runs.items():
            start = time.perf_counter()
            each()
            if kit.device == "cuda":
                torch.cuda.synchronize()
            taken[name].append(time.perf_counter() - start)
    return {name: median(times[WARM_UP:]) for name, times in taken.items()}
