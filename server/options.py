"""Options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

Checkpoint = Annotated[str, typer.Option(help="A checkpoint's folder, or 'mini'.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Dtype = Annotated[str, typer.Option(help="auto, float32 or bfloat16.")]
Boxes = Annotated[
    str, typer.Option(help="To find things by name: a folder, or hub name, of Grounding DINO or OWLv2.")
]
Masks = Annotated[str, typer.Option(help="Likewise of SAM 2.1; without it, masks are guessed from depth.")]
Depth = Annotated[
    str,
    typer.Option(
        help="Likewise of a metric depth network: MoGe-2's ONNX file (recommended), Depth Pro, or Depth "
        "Anything V2. It tells the camera as well, and so helps without names."
    ),
]
Outlines = Annotated[
    str,
    typer.Option(
        help="Finds outlines in the embedded network's place: an ONNX file of BiRefNet or IS-Net, or a "
        "folder, or hub name, of SAM 2.1."
    ),
]
Surfaces = Annotated[
    str,
    typer.Option(
        help="Tells surfaces' depths, likewise: MoGe-2's ONNX file, Depth Anything V2 or Depth Pro."
    ),
]
Plates = Annotated[
    str,
    typer.Option(
        help="Fills what objects hide, likewise: LaMa's ONNX file, or a diffusers inpainting folder."
    ),
]
RefinerFolder = Annotated[
    str,
    typer.Option(
        "--refiner",
        help="Finishes frames in the decoder's place: the folder of a diffusers pipeline (Stable Diffusion, "
        "SDXL, their inpainting, depth or ControlNet variants), with safetensors.",
    ),
]
Download = Annotated[bool, typer.Option("--download", help="Fetch from the hub what is not on this disk.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads of torch; default: all.")]
